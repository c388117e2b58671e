"""What all evaluators share: options that arrive whole, and commands that leave nothing behind."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from running import EVALUATORS, Result, evaluate

# The evaluator with the fewest options around a single command.
NAME = "loss_from_log"


def configured(cwd: Path, options: object, *arguments: str) -> Result:
    """Run with `[evaluate.options]`, as a trial does."""
    text = options if isinstance(options, str) else json.dumps(options)
    environment = {"AUTORESEARCH_OPTIONS": text}
    return evaluate(NAME, *arguments, cwd=cwd, environment=environment)


@pytest.mark.parametrize(
    "word",
    ["-1", "--help", "it's", 'a "quoted" one', "two\nlines", "Straße ☃", "$HOME `id`", "", "a=b"],
)
def test_any_text_arrives_as_it_was_configured(tmp_path: Path, word: str):
    (tmp_path / "log").write_text(f"{word}: 1\n")
    result = configured(tmp_path, {"command": "cat log", "name": word, "pattern": "(1)$"})
    assert (result.code, result.numbers.get("loss")) == (0, 1), result.err


def test_a_name_with_umlauts_and_a_dash_is_found_in_the_log(tmp_path: Path):
    (tmp_path / "log").write_text("-größe: 3\n")
    assert configured(tmp_path, {"command": "cat log", "name": "-größe"}).numbers["loss"] == 3


def test_the_command_line_goes_before_what_is_configured(tmp_path: Path):
    options = {"command": "echo loss: 5; echo it: 4", "name": "it", "higher": False}
    assert configured(tmp_path, options, "--name", "loss").numbers["loss"] == 5


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("{broken", "not JSON"),
        ("[1]", "must be a JSON object"),
        ({"comand": "true"}, "unrecognized arguments"),
        ({"tim": 3}, "unrecognized arguments"),
        ({"timeout": "long"}, "invalid float value"),
        ({"window": 2.5}, "invalid int value"),
        ({"timeout": True}, "timeout must not be true or false"),
        ({"name": False}, "name must not be true or false"),
        ({"higher": "yes"}, "higher must be true or false"),
        ({"name": ["loss", "accuracy"]}, "name must be a single value"),
        ({"name": {"loss": 1}}, "name must be a single value"),
        ({"name": None}, "name must be a single value"),
    ],
)
def test_options_that_cannot_be_meant_are_told(tmp_path: Path, options: object, reason: str):
    if isinstance(options, dict):
        options = {"command": "echo loss: 1", **options}
    result = configured(tmp_path, options)
    assert (result.code, result.numbers) == (2, {})
    assert reason in result.err and "Traceback" not in result.err


def test_an_option_that_may_be_repeated_is_a_list(tmp_path: Path):
    for name in "abc":
        (tmp_path / f"{name}.c").write_text("x\n")
    report = "".join(f"SF:{name}.c\nDA:1,1\nend_of_record\n" for name in "abc")
    (tmp_path / "report").write_text(report)
    options = json.dumps({"report": "report", "source": ["a.c", "c.c"]})
    environment = {"AUTORESEARCH_OPTIONS": options}
    assert evaluate("coverage", cwd=tmp_path, environment=environment).numbers["files"] == 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_whoever_stops_it_leaves_nothing_running(tmp_path: Path, number: int):
    # One in the command's own session, one that made its own.
    command = "echo $$ > first; setsid sh -c 'echo $$ > second; sleep 60' & sleep 60"
    evaluator = subprocess.Popen(
        [sys.executable, str(EVALUATORS / f"{NAME}.py"), "--command", command],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    pids = [pid_in(tmp_path / name) for name in ("first", "second")]
    evaluator.send_signal(number)
    out, _ = evaluator.communicate(timeout=30)
    assert (evaluator.returncode, out) == (128 + number, "")
    assert not any(is_alive(pid) for pid in pids)


def test_a_command_that_prints_without_end_fills_no_disk(tmp_path: Path):
    result = evaluate(NAME, "--command", "yes 'loss: 0'", cwd=tmp_path)
    assert (result.code, result.numbers) == (1, {})
    assert "printed more than 256 MB" in result.err and len(result.err) < 10_000


def test_binary_output_is_shown_as_far_as_it_can_be(tmp_path: Path):
    result = evaluate(NAME, "--command", r"printf 'loss: 0\r\377\0 end'; exit 1", cwd=tmp_path)
    assert result.code == 1 and "\\xff" in result.err
    assert all(line.startswith(("| ", "failed: ")) for line in result.err.splitlines())


def test_what_a_command_leaves_running_is_ended_and_told(tmp_path: Path):
    command = "setsid sh -c 'echo $$ > pid; exec sleep 61' & echo loss: 1"
    result = evaluate(NAME, "--command", command, cwd=tmp_path)
    assert result.code == 1 and "left processes running (sleep 61)" in result.err
    assert not is_alive(pid_in(tmp_path / "pid"))


def test_what_ends_soon_after_the_command_belongs_to_it(tmp_path: Path):
    command = "(sleep 0.2; echo loss: 2) & echo loss: 1"
    assert evaluate(NAME, "--command", command, cwd=tmp_path).numbers["loss"] == 2


def test_a_command_may_ask_to_skip_the_trial(tmp_path: Path):
    assert evaluate(NAME, "--command", "exit 125", cwd=tmp_path).code == 125


def pid_in(path: Path) -> int:
    """The process id that a command writes there when it has started."""
    until = time.monotonic() + 20
    while time.monotonic() < until:
        if path.exists() and (text := path.read_text()).endswith("\n"):
            return int(text)
        time.sleep(0.01)
    raise AssertionError(f"{path} was not written")


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
