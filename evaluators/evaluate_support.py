"""What the ready-made evaluators share: their options, running a command, reporting.

`autoresearch setup --evaluator NAME` copies this file beside the evaluator. Both are yours to read
and to change: an edit opens an epoch, so numbers of before are not compared with numbers of after.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

SKIP = 125  # a command that exits so asks to skip the trial
_PATIENCE = 1.0  # seconds for what a command left running to come to its end
_TAIL_LINES = 15
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of Linux's prctl(2)
# What a measured command must not find: it could write its own numbers there.
_PRIVATE = (
    "AUTORESEARCH_METRICS",
    "AUTORESEARCH_RUN_DIR",
    "AUTORESEARCH_BASELINE_DIR",
    "AUTORESEARCH_PRIVATE_DIR",
    "AUTORESEARCH_OPTIONS",
)


@dataclass(frozen=True)
class Finished:
    """A command that came to its end. `seconds` is until nothing of it ran any more."""

    seconds: float
    stdout: bytes
    stderr: bytes
    exit_code: int


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The options: those of the command line, over those of `[evaluate.options]`."""
    configured = json.loads(os.environ.get("AUTORESEARCH_OPTIONS") or "{}")
    words = [word for name, value in configured.items() for word in _as_words(name, value)]
    return parser.parse_args([*words, *sys.argv[1:]])


def run(
    command: str,
    *,
    timeout: float = 0.0,
    stdin: str = "",
    accept: Callable[[int], bool] = lambda code: code == 0,
    on_start: Callable[[int], None] | None = None,
) -> Finished:
    """Run a shell command to its end. A command that fails ends the evaluation as failed.

    `timeout` is seconds (0: no limit of our own), `stdin` a file, `accept` says which exit codes
    are no failure, `on_start` gets the process's id. Processes that the command leaves running are
    waited for, since they may do its work, and after a second they are a failure.
    """
    _adopt_orphans()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with open(stdin or os.devnull, "rb") as source:
            started = time.perf_counter()
            process = subprocess.Popen(
                command, shell=True, stdin=source, stdout=out, stderr=err,
                start_new_session=True, env=environment(),
            )  # fmt: skip
        with _ended_after(process.pid, timeout) as is_late:
            if on_start:
                on_start(process.pid)
            process.wait()
            left = _wait_for_the_rest(process.pid)
        seconds = time.perf_counter() - started
        finished = Finished(seconds, _content(out), _content(err), process.returncode)
    if is_late():
        fail(f"`{command}` was stopped after {seconds:.0f} s", finished)
    if finished.exit_code == SKIP:
        sys.exit(SKIP)
    if not accept(finished.exit_code):
        fail(f"`{command}` {_ending(finished.exit_code)}", finished)
    if left:
        fail(f"`{command}` left processes running ({left}): its time and memory would leave them out")
    return finished


def environment() -> dict[str, str]:
    """The environment of a measured command: ours, without the places where numbers are written."""
    return {name: value for name, value in os.environ.items() if name not in _PRIVATE}


def require(command: str, what: str, *, timeout: float = 0.0) -> None:
    """Run a command that must succeed for the number to count, when there is one."""
    if command:
        print(f"{what}: {command}", flush=True)
        run(command, timeout=timeout)


def report(**metrics: float) -> None:
    """Print the numbers, and write them where nothing that was measured can print over them."""
    for name, value in metrics.items():
        print(f"{name}: {value:.10g}")
    sys.stdout.flush()
    if path := os.environ.get("AUTORESEARCH_METRICS"):
        fresh = Path(f"{path}.new")
        fresh.write_text(json.dumps(metrics))
        fresh.replace(path)


def fail(message: str, finished: Finished | None = None) -> NoReturn:
    """End the evaluation as failed, with the reason and the end of what the command printed."""
    sys.stdout.flush()
    if finished:
        for line in _tail(finished.stdout) + _tail(finished.stderr):
            print(f"| {line}", file=sys.stderr)  # the bar keeps it from being read as a metric
    print(f"failed: {message}", file=sys.stderr)
    sys.exit(1)


def baseline_file(name: str) -> Path | None:
    """A file that an evaluation of the baseline leaves for all later ones; None outside a trial."""
    directory = os.environ.get("AUTORESEARCH_BASELINE_DIR")
    return Path(directory) / name if directory else None


def measures_baseline() -> bool:
    """Whether this is the evaluation whose `baseline_file` counts."""
    directories = (os.environ.get(f"AUTORESEARCH_{name}_DIR") for name in ("RUN", "BASELINE"))
    run_directory, baseline = directories
    return run_directory is not None and run_directory == baseline


def _as_words(name: str, value: object) -> list[str]:
    flag = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        return [flag] if value else []
    if isinstance(value, list):
        return [f"{flag}={item}" for item in value]
    return [f"{flag}={value}"]


def _adopt_orphans() -> None:
    """Make descendants whose parent ends our children, so that we see them (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)


@contextlib.contextmanager
def _ended_after(group: int, seconds: float) -> Iterator[Callable[[], bool]]:
    """Kill the process group after some seconds, and in any case when we end early."""
    late = threading.Event()

    def end() -> None:
        late.set()
        _kill(group)

    timer = threading.Timer(seconds, end) if seconds else None
    if timer:
        timer.daemon = True
        timer.start()
    try:
        yield late.is_set
    finally:
        if timer:
            timer.cancel()
        _kill(group)


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _wait_for_the_rest(group: int) -> str:
    """Wait for what the command left running; after our patience, end it and say what it was."""
    until = time.perf_counter() + _PATIENCE
    while _is_anything_left(group):
        if time.perf_counter() > until:
            names = _names_of_children() or "in the background"
            _kill(group)
            _kill_children()
            return names
        time.sleep(0.001)
    return ""


def _is_anything_left(group: int) -> bool:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass  # an orphan that has ended
    except ChildProcessError:
        # Nothing that is our child. Where there are no subreapers, the group tells a little.
        return sys.platform != "linux" and _is_group_alive(group)
    return True


def _is_group_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS, for a group of zombies
        return False
    return True


def _children() -> list[int]:
    path = Path(f"/proc/self/task/{os.getpid()}/children")
    return [int(word) for word in path.read_text().split()] if path.exists() else []


def _names_of_children() -> str:
    names = []
    for pid in _children():
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            names.append(b" ".join(words).decode(errors="replace").strip()[:60])
    return ", ".join(filter(None, names))


def _kill_children() -> None:
    """End the orphans that left the group; each killed one may give us children of its own."""
    while pids := _children():
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in pids:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _content(file: object) -> bytes:
    file.seek(0)  # type: ignore[attr-defined]
    return file.read()  # type: ignore[attr-defined]


def _ending(exit_code: int) -> str:
    if exit_code < 0:
        return f"was ended by signal {-exit_code}"
    hint = ": there is no such command" if exit_code == 127 else ""
    return f"exited with status {exit_code}{hint}"


def _tail(output: bytes) -> list[str]:
    return output.decode("utf-8", "backslashreplace").splitlines()[-_TAIL_LINES:]
