"""A memory that counts is that of all processes of a command that did its work."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from running import EVALUATORS, Result, evaluate

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

# Holds so many MB of its own for a while, and then prints a word.
HOLD = """\
import sys, time
held = bytearray(int(sys.argv[1]) * 1_000_000)
held[::4096] = b"x" * len(held[::4096])
time.sleep(float(sys.argv[2]))
print("held")
"""


@pytest.fixture
def cwd(tmp_path: Path) -> Path:
    (tmp_path / "hold.py").write_text(HOLD)
    return tmp_path


def memory(cwd: Path, command: str, *arguments: str, **environment: str) -> Result:
    return evaluate(
        "memory_usage", "--command", command, *arguments, cwd=cwd, environment=environment
    )


def hold(size: int, seconds: float = 0.2) -> str:
    return f"{sys.executable} hold.py {size} {seconds}"


def refused(result: Result, *words: str) -> None:
    assert result.code == 1, result
    assert not result.numbers
    assert "Traceback" not in result.err
    for word in words:
        assert word in result.err


def test_the_peak_of_one_process(cwd: Path) -> None:
    numbers = memory(cwd, hold(100)).numbers
    assert 100 < numbers["peak_mb"] < 125
    assert numbers["largest_mb"] <= numbers["peak_mb"]
    assert numbers["runs"] == 3


def test_processes_that_run_together_add_up(cwd: Path) -> None:
    numbers = memory(
        cwd, f"{hold(60, 0.6)} & {hold(80, 0.6)} & {hold(100, 0.6)} & wait", "--runs", "1"
    ).numbers
    assert 240 < numbers["peak_mb"] < 290
    assert 100 < numbers["largest_mb"] < 125


def test_processes_that_follow_each_other_do_not_add_up(cwd: Path) -> None:
    numbers = memory(cwd, f"{hold(60)} && {hold(100)} | cat", "--runs", "1").numbers
    assert 100 < numbers["peak_mb"] < 130


def test_pages_that_are_shared_count_once(cwd: Path) -> None:
    (cwd / "share.py").write_text(
        "import os, time\n"
        "held = bytearray(100_000_000)\n"
        "held[::4096] = b'x' * len(held[::4096])\n"
        "is_parent = os.fork() and os.fork()\n"
        "time.sleep(0.4)\n"
        "if is_parent: os.wait(), os.wait()\n"
    )
    numbers = memory(cwd, f"{sys.executable} share.py", "--runs", "1").numbers
    assert 100 < numbers["peak_mb"] < 140


def test_a_peak_between_two_looks_is_seen(cwd: Path) -> None:
    command = f"{sys.executable} -c 'bytearray(b\"x\" * 100_000_000)'"
    assert memory(cwd, command).numbers["peak_mb"] > 100


def test_a_command_that_is_over_at_once_has_the_size_of_its_shell(cwd: Path) -> None:
    for command in ("true", "exec true", "exit 0"):
        assert 0.1 < memory(cwd, command).numbers["peak_mb"] < 10


def test_a_program_that_fails_at_once_needs_no_little_memory(cwd: Path) -> None:
    refused(memory(cwd, "exit 3"), "status 3")
    refused(memory(cwd, "kill -9 $$"), "signal 9")
    refused(memory(cwd, "no-such-program"), "no such command")


def test_a_program_that_does_less_is_refused_by_its_output(cwd: Path) -> None:
    (cwd / "right").write_text("held\n")
    expected = ["--runs", "1", "--expect-output", "right"]
    assert memory(cwd, hold(10, 0), *expected).code == 0
    refused(memory(cwd, "true", *expected), "something else")
    refused(memory(cwd, "true", "--expect-output", "gone"), "no file gone")


def test_a_command_that_hangs_is_stopped(cwd: Path) -> None:
    refused(memory(cwd, "sleep 60", "--timeout", "0.3"), "stopped")


def test_memory_of_an_orphan_counts(cwd: Path) -> None:
    command = f"(setsid {hold(100, 0.3)} &) ; exit 0"
    assert 100 < memory(cwd, command, "--runs", "1").numbers["peak_mb"] < 130


def test_memory_that_is_hidden_in_a_daemon_is_a_failure(cwd: Path) -> None:
    result = memory(cwd, f"(setsid {hold(50, 77)} &) ; exit 0", "--runs", "1")
    refused(result, "left processes running")
    assert not running("hold.py 50 77")


def test_a_command_cannot_say_its_own_memory(cwd: Path) -> None:
    metrics = cwd / "metrics.json"
    lie = 'echo peak_mb: 0.001; echo \'{"peak_mb": 0.001}\' >"${AUTORESEARCH_METRICS:-x}"'
    result = memory(cwd, f"{hold(50)}; {lie}", "--runs", "1", AUTORESEARCH_METRICS=str(metrics))
    assert result.numbers["peak_mb"] > 50
    assert json.loads(metrics.read_text())["peak_mb"] > 50


def test_a_process_that_hides_its_pages_counts_all_the_same(cwd: Path) -> None:
    (cwd / "hide.py").write_text("import ctypes\nctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\n" + HOLD)
    command = f"{sys.executable} hide.py 100 0.2"
    assert 100 < memory(cwd, command, "--runs", "1").numbers["peak_mb"] < 125


def test_nothing_goes_on_when_it_is_stopped(cwd: Path) -> None:
    script = str(EVALUATORS / "memory_usage.py")
    command = f"setsid {hold(10, 78)} & wait"
    process = subprocess.Popen([sys.executable, script, "--command", command], cwd=cwd)
    until = time.monotonic() + 10
    while not running("hold.py 10 78") and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) != 0
    assert not running("hold.py 10 78")


def running(words: str) -> list[str]:
    """The processes, shells apart, whose command line ends so."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
        if line.endswith(words) and int(path.parent.name) != os.getpid():
            found.append(line)
    return found
