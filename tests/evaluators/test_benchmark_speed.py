"""A time that is known well enough, of a command that did its work."""

import importlib.util
from math import comb
from pathlib import Path
from types import ModuleType

import pytest
from running import EVALUATORS, Result, evaluate

QUICK = ("--seconds", "0.01", "--min-runs", "3", "--warmup", "1")


def speed(cwd: Path, *arguments: str, command: str = "true") -> Result:
    return evaluate("benchmark_speed", "--command", command, *QUICK, *arguments, cwd=cwd)


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(EVALUATORS))
    spec = importlib.util.spec_from_file_location("speed", EVALUATORS / "benchmark_speed.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("count", [6, 7, 8, 10, 11, 16, 21, 50, 99, 100, 500, 1000])
def test_the_interval_of_the_median_is_one_of_95_percent(module: ModuleType, count: int):
    # Values whose position says their rank: the interval goes from rank to count + 1 - rank.
    middle = (count - 1) / 2
    half = module.spread_percent([float(number) for number in range(count)]) / 100 * middle
    rank = round(middle - half) + 1
    outside = 2 * sum(comb(count, below) for below in range(rank)) / 2**count
    assert outside <= 0.05
    more = outside + 2 * comb(count, rank) / 2**count
    assert more > 0.03  # nor much wider than it must be


def test_p95_is_what_19_of_20_runs_did_not_exceed(module: ModuleType):
    for count, expected in ((20, 19), (100, 95), (10, 10), (1, 1)):
        times = [float(number) for number in range(count, 0, -1)]
        assert module._quantile(times, 0.95) == expected


def test_the_slower_command_is_slower(tmp_path: Path):
    slow, fast = (speed(tmp_path, command=f"sleep {time}").numbers for time in (0.2, 0))
    assert slow["p50_ms"] >= 200 > fast["p50_ms"]
    assert slow["p95_ms"] >= slow["p50_ms"]
    assert slow["runs"] >= 3


def test_what_the_first_run_pays_for_is_told_and_does_not_count(tmp_path: Path):
    command = "test -e cache || { sleep 0.4; touch cache; }"
    numbers = speed(tmp_path, "--keeps-files", command=command).numbers
    assert numbers["first_ms"] >= 400 > numbers["p95_ms"]


def test_preparing_is_not_timed_and_makes_each_run_a_first_one(tmp_path: Path):
    command = "test -e cache || { sleep 0.2; touch cache; }"
    numbers = speed(tmp_path, "--prepare", "sleep 0.4; rm -f cache", command=command).numbers
    assert 200 <= numbers["p50_ms"] < 600


def test_too_little_time_is_told_and_the_least_runs_are_done(tmp_path: Path):
    result = speed(tmp_path, "--min-runs", "5", "--precision", "0")
    assert result.numbers["runs"] >= 5
    assert "not to 0 %: more time, or less noise" in result.out


def test_it_ends_when_the_median_is_known_or_at_the_most_runs(tmp_path: Path):
    known = speed(tmp_path, "--seconds", "60", "--min-runs", "4", "--precision", "99999")
    assert known.numbers["runs"] == 4 and "more time" not in known.out
    most = speed(tmp_path, "--seconds", "60", "--max-runs", "7", "--precision", "0")
    assert most.numbers["runs"] == 7


def test_without_seconds_it_takes_its_share_of_the_time_budget(tmp_path: Path):
    arguments = ("--command", "sleep 0.05", "--precision", "0", "--min-runs", "3")
    environment = {"AUTORESEARCH_TIME_BUDGET": "1"}
    result = evaluate("benchmark_speed", *arguments, cwd=tmp_path, environment=environment)
    assert 3 <= result.numbers["runs"] <= 17


def test_a_reference_runs_in_turn_and_each_goes_first_every_other_time(tmp_path: Path):
    arguments = ("--reference", "echo r >> log", "--max-runs", "4", "--min-runs", "4")
    result = speed(tmp_path, *arguments, command="echo c >> log; sleep 0.3")
    assert (tmp_path / "log").read_text().replace("\n", "") == "cr" + "crrccrrc"
    assert result.numbers["relative"] > 1 and result.numbers["reference_ms"] < 300
    assert result.numbers["relative_spread_pct"] >= 0


def test_a_reference_that_hangs_or_fails_is_a_failure(tmp_path: Path):
    hangs = speed(tmp_path, "--reference", "sleep 60", "--timeout", "0.3")
    assert hangs.code == 1 and "`sleep 60` was stopped" in hangs.err
    fails = speed(tmp_path, "--reference", "false")
    assert fails.code == 1 and "`false` exited with status 1" in fails.err


@pytest.mark.parametrize(
    ("command", "arguments", "reason"),
    [
        ("exit 3", [], "exited with status 3"),
        ("nothing-of-this-name", [], "there is no such command"),
        ("sleep 60", ["--timeout", "0.3"], "more than 0.3 s"),
        ("true", ["--prepare", "sleep 60", "--timeout", "0.3"], "more than 0.3 s"),
        ("true", ["--prepare", "exit 4"], "exited with status 4"),
        ("sleep 60 &", [], "left processes running"),
        ("setsid sleep 60 &", [], "left processes running"),
        ("kill -9 $$", [], "signal 9"),
        ("true", ["--expect-output", "expected"], "something else than expected"),
        ("echo 43", ["--expect-output", "expected"], "something else than expected"),
        ("printf 42", ["--expect-output", "expected"], "something else than expected"),
        ("echo 42; echo 42", ["--expect-output", "expected"], "something else than expected"),
        ("test -e ran || { touch ran; echo 42; }", ["--expect-output", "expected"], "something else"),
        ("echo 42", ["--expect-output", "missing"], "there is no file missing"),
        ("cat", ["--stdin", "missing"], "cannot be read"),
    ],
)  # fmt: skip
def test_what_did_not_do_its_work_has_no_time(
    tmp_path: Path, command: str, arguments: list[str], reason: str
):
    (tmp_path / "expected").write_text("42\n")
    result = speed(tmp_path, *arguments, command=command)
    assert (result.code, result.numbers) == (1, {})
    assert reason in result.err


def test_the_expected_output_may_be_binary_and_the_references(tmp_path: Path):
    (tmp_path / "input").write_bytes(bytes(range(256)) * 4)
    for expected in ("input", "reference"):
        arguments = ("--stdin", "input", "--expect-output", expected, "--reference", "cat")
        assert speed(tmp_path, *arguments, command="cat").code == 0
        assert speed(tmp_path, *arguments, command="head -c 99").code == 1


def test_a_command_that_prints_its_own_time_is_not_believed(tmp_path: Path):
    cheat = "echo p50_ms: 0.001; echo p50_ms: 0.001 >&2; sleep 0.1"
    result = speed(tmp_path, command=cheat)
    assert result.numbers["p50_ms"] >= 100 and result.out.count("p50_ms") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--min-runs", "2"],
        ["--max-runs", "2"],
        ["--warmup", "-1"],
        ["--precision", "nan"],
        ["--seconds", "-1"],
        ["--timeout", "inf"],
        ["--expect-output", "reference"],
    ],
)
def test_options_that_make_no_sense_are_told(tmp_path: Path, arguments: list[str]):
    result = speed(tmp_path, *arguments)
    assert result.code == 2 and "error:" in result.err


CACHING = "test -f .answer || { sleep 0.1; echo 42 > .answer; }; cat .answer"


def test_an_answer_that_the_first_run_keeps_for_later_ones_is_a_failure(tmp_path: Path):
    """A disk cache makes every run but the first fast, and no user's program is run twice."""
    quick = ("--min-runs=3", "--max-runs=3")
    done = evaluate("benchmark_speed", f"--command={CACHING}", *quick, cwd=tmp_path)
    assert done.code == 1 and ".answer" in done.err and "p50_ms" not in done.numbers
    honest = evaluate(
        "benchmark_speed", f"--command={CACHING}", "--prepare=rm -f .answer", *quick, cwd=tmp_path
    )
    assert honest.numbers["p50_ms"] > 90
    (tmp_path / ".answer").unlink()
    accepted = evaluate(
        "benchmark_speed", f"--command={CACHING}", "--keeps-files", *quick, cwd=tmp_path
    )
    assert accepted.code == 0


def test_a_program_that_writes_its_output_anew_each_time_is_no_cheat(tmp_path: Path):
    done = evaluate(
        "benchmark_speed",
        "--command=date +%N > out.txt",
        "--min-runs=3",
        "--max-runs=3",
        cwd=tmp_path,
    )
    assert done.code == 0, done.err
