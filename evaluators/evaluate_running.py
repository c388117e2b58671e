"""Run a command of an evaluator to its end, so that nothing of it is left running or left out.

`autoresearch setup --evaluator NAME` copies this file beside the evaluator, like its other modules.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from evaluate_support import Finished, fail

SKIP = 125  # a command that exits so asks to skip the trial
_PATIENCE = 1.0  # seconds for what a command left running to come to its end
_TAIL_BYTES = 20_000
_MOST_OUTPUT = 1 << 28  # bytes; a command that prints without end would fill the disk
_GLANCE = 0.2  # seconds between two looks at how much it has printed
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of Linux's prctl(2)
# What a measured command must not find: it could write its own numbers there.
_PRIVATE = (
    "AUTORESEARCH_METRICS",
    "AUTORESEARCH_RUN_DIR",
    "AUTORESEARCH_BASELINE_DIR",
    "AUTORESEARCH_PRIVATE_DIR",
    "AUTORESEARCH_OPTIONS",
)


def run(
    command: str,
    *,
    timeout: float = 0.0,
    stdin: str = "",
    together: bool = False,
    accept: Callable[[int], bool] = lambda code: code == 0,
    on_start: Callable[[int], None] | None = None,
    gate: str = "",
) -> Finished:
    """Run a shell command to its end. A command that fails ends the evaluation as failed.

    `timeout` is seconds (0: no limit of our own), `stdin` a file, `together` puts stderr into
    stdout as it comes, `accept` says which exit codes are no failure. `on_start` gets the process's
    id and may take until that process has ended. With a `gate`, a named pipe, nothing of the
    command begins until somebody has opened that for writing. Processes that the command leaves
    running are waited for, since they may do its work, and after a second they are a failure.
    """
    if stdin and not os.access(stdin, os.R_OK):
        fail(f"{stdin}, the standard input of `{command}`, cannot be read")
    _adopt_orphans()
    leave_nothing_when_stopped()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        _stopping.is_held = True  # the command can be running before we know its id
        with Path(stdin or os.devnull).open("rb") as source:
            started = time.perf_counter()
            process = subprocess.Popen(
                f": <{shlex.quote(gate)}\n{command}" if gate else command, shell=True,
                stdin=source, stdout=out, stderr=out if together else err,
                start_new_session=True, env=environment(),
            )  # fmt: skip
        with _limited(process.pid, timeout, (out.fileno(), err.fileno())) as broken:
            _stopping.release()
            if on_start:
                on_start(process.pid)
            process.wait()
            left = _wait_for_the_rest(process.pid)
            seconds = time.perf_counter() - started
        if broken:
            shown = Finished(seconds, _end_of(out), _end_of(err), process.returncode)
            fail(f"`{command}` was stopped: {broken[0]}", shown)
        finished = Finished(seconds, _content(out), _content(err), process.returncode)
    if finished.exit_code == SKIP:
        sys.exit(SKIP)
    if not accept(finished.exit_code):
        fail(f"`{command}` {_ending(finished.exit_code)}", finished)
    if left:
        fail(f"`{command}` left processes running ({left}): what they use would be left out")
    return finished


def environment() -> dict[str, str]:
    """The environment of a measured command: ours, without the places where numbers are written."""
    return {name: value for name, value in os.environ.items() if name not in _PRIVATE}


def require(command: str, what: str, *, timeout: float = 0.0) -> None:
    """Run a command that must succeed for the number to count, when there is one."""
    if command:
        print(f"{what}: {command}", flush=True)
        run(command, timeout=timeout)


def _adopt_orphans() -> None:
    """Make descendants whose parent ends our children, so that we see them (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)


def leave_nothing_when_stopped() -> None:
    """Unwind when asked to stop: what is measured has a session of its own and would go on."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


@dataclass
class _Stopping:
    """Whether we were asked to stop while that had to wait."""

    is_held: bool = False
    asked: int = 0  # a signal's number

    def release(self) -> None:
        self.is_held = False
        if self.asked:
            sys.exit(128 + self.asked)


_stopping = _Stopping()


def _stop(number: int, _frame: object) -> None:
    if not _stopping.is_held:
        sys.exit(128 + number)
    _stopping.asked = number


@contextlib.contextmanager
def _limited(group: int, seconds: float, outputs: tuple[int, int]) -> Iterator[list[str]]:
    """Kill the process group when it breaks a limit, and in any case when we end early.

    Yields a list that then holds which limit it broke.
    """
    broken: list[str] = []
    is_over = threading.Event()
    until = time.monotonic() + (seconds or math.inf)

    def watch() -> None:
        while not is_over.wait(max(0.0, min(_GLANCE, until - time.monotonic()))):
            if time.monotonic() >= until:
                broken.append(f"it ran for more than {seconds:g} s")
            elif any(os.fstat(output).st_size > _MOST_OUTPUT for output in outputs):
                broken.append(f"it printed more than {_MOST_OUTPUT >> 20} MB")
            if broken:
                _kill(group)
                break

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield broken
    finally:
        is_over.set()
        watcher.join()
        _kill(group)
        if _is_anything_left(group):
            _kill_children()


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _wait_for_the_rest(group: int) -> str:
    """Wait for what the command left running; after our patience, say what it is."""
    until = time.perf_counter() + _PATIENCE
    while _is_anything_left(group):
        if time.perf_counter() > until:
            return _names_of_children() or "in the background"
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
    """Our children, by looking at everyone: not every kernel has `/proc/self/task/.../children`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = path.read_text(errors="replace").rpartition(")")[2].split()[1]
            if int(parent) == os.getpid():
                found.append(int(path.parent.name))
    return found


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


def _content(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()


def _end_of(file: IO[bytes]) -> bytes:
    file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
    return file.read()


def _ending(exit_code: int) -> str:
    if exit_code < 0:
        return f"was ended by signal {-exit_code}"
    hint = ": there is no such command" if exit_code == 127 else ""
    return f"exited with status {exit_code}{hint}"
