"""A loss that is read as people read it, and not where the training went wrong."""

import json
from pathlib import Path

import pytest
from running import Result, evaluate

BLOCK = """\
---
val_bpb:          0.997900
training_seconds: 300.1
peak_vram_mb:     45060.2
num_steps:        953
"""
NVIDIA_SMI = """\
#!/bin/sh
echo "$$" >> asked
case $(wc -l < asked) in
  1) echo "$(cat pid), 100" ;;
  2) echo "$(cat pid), 4000"; echo "$(cat pid), 500"; echo "1, 70000" ;;
  *) echo "$(cat pid), [N/A]" ;;
esac
"""


def train(cwd: Path, log: str, *arguments: str) -> Result:
    """What is read of a training that prints this."""
    (cwd / "printed").write_bytes(log.encode())
    return evaluate("loss_from_log", "--command", "cat printed", *arguments, cwd=cwd)


@pytest.mark.parametrize(
    ("name", "log", "values"),
    [
        ("loss", "loss: 2.5\nloss: 1.25\n", [2.5, 1.25]),
        ("loss", "loss=2.5 acc=0.1\nloss=1.25,acc=0.2\n", [2.5, 1.25]),
        ("loss", "step 100 | loss 2.5 | lr 1e-4\nstep 200 | loss 1.25 | lr 1e-4", [2.5, 1.25]),
        ("loss", '{"step": 1, "loss": 2.5}\n{"step": 2, "loss": 1.25e0}\n', [2.5, 1.25]),
        ("loss", "{'loss': '2.5', 'lr': 0.1}\n{'loss': 1.25}\n", [2.5, 1.25]),
        ("loss", "|    loss            | 2.5     |\n|    loss  | 1.25   |", [2.5, 1.25]),
        ("loss", "Epoch 1:  50%|█▌ | 1/2 [00:01, loss=2.5]\rEpoch 1: [, loss=1.25]", [2.5, 1.25]),
        ("loss", "\x1b[32mLoss\x1b[0m: \x1b[1m2.5\x1b[0m\nLoss: 1.25.\n", [2.5, 1.25]),
        ("loss", "loss: tensor(2.5, device='cuda:0')\nloss: 1.25 (best)", [2.5, 1.25]),
        ("loss", "epoch=1 train/loss=9 loss=2.5 val_loss=8 loss_scale=7\nloss 1.25", [2.5, 1.25]),
        ("loss", "loss: 2.5\nloss: 1.2.3\nloss: 0x1f\nloss: 1_000\nloss: 1,000\nloss: 1.25", [2.5, 1.25]),
        ("loss", "loss: 2.5\nloss: -1.25", [2.5, -1.25]),
        ("train/loss", "train/loss: 2.5 val/loss: 9\ntrain/loss: 1.25", [2.5, 1.25]),
        ("val loss", "Val loss: 2.5\ntrain loss: 7\nVal loss: 1.25", [2.5, 1.25]),
        ("val_bpb", BLOCK, [0.9979]),
    ],
)  # fmt: skip
def test_the_ways_in_which_trainings_log_are_read(
    tmp_path: Path, name: str, log: str, values: list[float]
):
    result = train(tmp_path, log, "--name", name)
    assert result.code == 0, result.err
    expected = {"loss": values[-1], "first_loss": values[0], "values": len(values)}
    assert result.numbers.items() >= expected.items()


def test_what_a_training_says_of_its_time_and_memory_counts(tmp_path: Path):
    numbers = train(tmp_path, BLOCK, "--name", "val_bpb").numbers
    assert (numbers["training_seconds"], numbers["peak_vram_mb"]) == (300.1, 45060.2)


def test_without_a_gpu_no_memory_is_made_up(tmp_path: Path):
    environment = {"PATH": "/usr/bin:/bin"}
    command = ("--command", "echo loss: 1")
    numbers = evaluate("loss_from_log", *command, cwd=tmp_path, environment=environment).numbers
    assert "peak_vram_mb" not in numbers and numbers["training_seconds"] < 30


def test_the_gpus_memory_is_that_of_the_trainings_processes_at_its_peak(tmp_path: Path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text(NVIDIA_SMI)
    tool.chmod(0o755)
    # The one that uses the GPU is a child of the training's.
    command = "sh -c 'echo $$ > pid; sleep 3.5'; echo loss: 1"
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    result = evaluate("loss_from_log", "--command", command, cwd=tmp_path, environment=environment)
    assert result.numbers["peak_vram_mb"] == 4500, result.err


def test_a_gpu_tool_that_fails_spoils_no_training(tmp_path: Path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho broken; exit 9\n")
    tool.chmod(0o755)
    command = ("--command", "sleep 1.2; echo loss: 1")
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    result = evaluate("loss_from_log", *command, cwd=tmp_path, environment=environment)
    assert (result.code, result.numbers["loss"]) == (0, 1)
    assert "peak_vram_mb" not in result.numbers


@pytest.mark.parametrize(
    ("arguments", "loss"),
    [
        (["--take", "last"], 3),
        (["--take", "best"], 1),
        (["--take", "best", "--higher"], 9),
        (["--take", "mean", "--window", "2"], 2.5),
        (["--take", "mean"], 4),
        (["--pattern", r"^it (\S+)$"], 7),
        (["--max-loss", "8"], 3),
        (["--min-values", "5"], 3),
    ],
)
def test_the_value_that_was_asked_for_is_taken(tmp_path: Path, arguments: list[str], loss: float):
    log = "loss: 9\nloss: 5\nloss: 1\nloss: 2\nloss: 3\nit 6\nit 7\n"
    assert train(tmp_path, log, *arguments).numbers["loss"] == loss


@pytest.mark.parametrize(
    ("log", "arguments"),
    [
        ("loss: 1\nloss: nan", []),
        ("loss: 1\nloss: NaN", ["--take", "best"]),
        ("loss: 1\nloss: -inf", ["--take", "best"]),
        ("loss: 1\nloss: -inf\nloss: 1", ["--take", "best"]),
        ("loss: 1\nloss: inf\nloss: -inf\nloss: 1", ["--take", "mean"]),
        ("loss: 1\nloss: 1e999", []),
        ("loss: nan", ["--take", "best"]),
        ("loss: 1\nloss: 101", ["--max-loss", "100"]),
        ('{"loss": 1}\n{"loss": NaN}', []),
        ("loss: 1\nloss: tensor(nan)", []),
        ("it 1\nit broken", ["--pattern", r"^it (\S+)$"]),
    ],
)
def test_a_training_that_diverged_has_no_loss(tmp_path: Path, log: str, arguments: list[str]):
    result = train(tmp_path, log, *arguments)
    assert (result.code, result.numbers) == (1, {})
    assert "diverged" in result.err


def test_a_training_that_recovered_has_one(tmp_path: Path):
    result = train(tmp_path, "loss: nan\nloss: inf\nloss: 2\nloss: 1\n")
    assert (result.numbers["loss"], result.numbers["values"]) == (1, 4)
    assert "first_loss" not in result.numbers


@pytest.mark.parametrize(
    ("command", "arguments", "reason"),
    [
        ("echo loss: 0.1; exit 3", [], "exited with status 3"),
        ("echo loss: 0.1; kill -9 $$", [], "signal 9"),
        ("echo loss: 0.1; sleep 60", ["--timeout", "0.3"], "more than 0.3 s"),
        ("echo loss: 0.1; sleep 60 &", [], "left processes running"),
        ("true", [], "0 values of `loss`"),
        ("echo val_loss: 0.1", [], "0 values of `loss`"),
        ("echo loss: 0.1", ["--min-values", "2"], "min_values is 2"),
        ("echo loss: 0.1", ["--log", "train.log"], "did not write train.log"),
        ("echo loss: 0.1 > train.log", [], "0 values of `loss`"),
        ("echo loss: 0.1", ["--log", "."], "is a directory"),
    ],
)
def test_a_training_that_did_not_do_its_work_has_no_loss(
    tmp_path: Path, command: str, arguments: list[str], reason: str
):
    result = evaluate("loss_from_log", "--command", command, *arguments, cwd=tmp_path)
    assert (result.code, result.numbers) == (1, {})
    assert reason in result.err


def test_what_an_earlier_training_logged_does_not_count(tmp_path: Path):
    log = tmp_path / "train.log"
    arguments = ("--log", "train.log", "--take", "best")
    log.write_text("loss: 0.001\n")
    stale = evaluate("loss_from_log", "--command", "touch other", *arguments, cwd=tmp_path)
    assert stale.code == 1
    log.write_text("loss: 0.001\n")
    appended = ("--command", "echo loss: 2 >> train.log; echo loss: 0")
    result = evaluate("loss_from_log", *appended, *arguments, cwd=tmp_path)
    assert (result.numbers["loss"], result.numbers["values"]) == (2, 1)


def test_errors_and_output_are_one_log_in_its_order(tmp_path: Path):
    command = "echo loss: 3; echo loss: 2 >&2; echo loss: 1; echo loss: 0.5 >&2"
    result = evaluate("loss_from_log", "--command", command, cwd=tmp_path)
    expected = {"loss": 0.5, "first_loss": 3, "values": 4}
    assert result.numbers.items() >= expected.items()


def test_a_training_cannot_print_numbers_of_its_own(tmp_path: Path):
    command = "echo loss: 5; echo accuracy: 100; env"
    metrics = tmp_path / "metrics.json"
    environment = {"AUTORESEARCH_METRICS": str(metrics)}
    arguments = ("--command", f"{command} > seen; cat seen")
    result = evaluate("loss_from_log", *arguments, cwd=tmp_path, environment=environment)
    assert "accuracy" not in result.out and "accuracy" not in metrics.read_text()
    assert json.loads(metrics.read_text())["loss"] == 5
    assert str(metrics) not in (tmp_path / "seen").read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--pattern", "("],
        ["--pattern", "loss"],
        ["--pattern", "(a)(b)"],
        ["--take", "first"],
        ["--window", "0"],
        ["--timeout", "nan"],
        ["--max-loss", "5", "--higher"],
        ["--name", ""],
    ],
)
def test_options_that_make_no_sense_are_told(tmp_path: Path, arguments: list[str]):
    result = train(tmp_path, "loss: 1", *arguments)
    assert result.code == 2 and "error:" in result.err
