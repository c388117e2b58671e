"""Run commands so that nothing outlives them: the owner's side of `lifeguard.py`."""

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoresearch.errors import Protected

LOG_BYTES = 4 << 20
GRACE = 2.0
_LIFEGUARD = Path(__file__).with_name("lifeguard.py")


@dataclass(frozen=True, kw_only=True)
class Command:
    """A shell command with its place and limits. Times are seconds."""

    command: str
    directory: Path
    environment: Mapping[str, str]
    log: Path
    seconds: float
    grace: float = GRACE
    log_bytes: int = LOG_BYTES


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a command ended. Nothing of it is running any more."""

    status: str  # exited | timeout | cancelled | lost | error
    exit_code: int | None = None  # negative: ended by that signal
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mb: float | None = None  # of the largest process
    gpu_mb: float | None = None
    leftovers: int = 0
    output_bytes: int = 0
    dropped_bytes: int = 0
    error: str = ""


class Execution(Future[Outcome]):
    """A command that runs. `cancel` ends it; the result is then `cancelled`."""

    def __init__(self, cancel: Callable[[], None]) -> None:
        super().__init__()
        self._cancel = cancel

    def cancel(self) -> bool:
        """End the command. The future is done when nothing of it is left."""
        self._cancel()
        return not self.done()


class _Pending:
    """What one lifeguard has still to answer. Once it is gone, all that is added is lost."""

    def __init__(self) -> None:
        self._executions: dict[int, Execution] = {}
        self.is_lost = False
        self._lock = threading.Lock()

    def __contains__(self, identity: int) -> bool:
        return identity in self._executions

    def add(self, identity: int, execution: Execution) -> None:
        with self._lock:
            if not self.is_lost:
                self._executions[identity] = execution
                return
        execution.set_result(Outcome(status="lost"))

    def finish(self, identity: int, outcome: Outcome) -> None:
        with self._lock:
            execution = self._executions.pop(identity, None)
        if execution is not None:
            execution.set_result(outcome)

    def give_up(self) -> None:
        with self._lock:
            self.is_lost = True
            left = list(self._executions.values())
            self._executions.clear()
        for execution in left:
            execution.set_result(Outcome(status="lost"))


class Supervisor:
    """Commands run below one long-lived process that ends them when this one goes away."""

    def __init__(self, lock: Path) -> None:
        self._lock = lock
        self._process: subprocess.Popen[bytes] | None = None
        self._pending = _Pending()  # of this process: another one gets another
        self._sending = threading.Lock()
        self._count = 0
        self._has_gpu = shutil.which("nvidia-smi") is not None

    def start(self, command: Command) -> Execution:
        """Start a command."""
        process = self._started()
        self._count += 1
        identity = self._count
        execution = Execution(lambda: self._cancel(identity))
        self._pending.add(identity, execution)
        self._send(
            process,
            {
                "op": "run",
                "id": identity,
                "command": command.command,
                "directory": str(command.directory),
                "environment": dict(command.environment),
                "log": str(command.log),
                "seconds": command.seconds,
                "grace": command.grace,
                "log_bytes": command.log_bytes,
                "gpu": self._has_gpu,
            },
        )
        return execution

    def _cancel(self, identity: int) -> None:
        if self._process is not None and identity in self._pending:
            self._send(self._process, {"op": "cancel", "id": identity})

    def close(self) -> None:
        """End everything that still runs, and return when it is gone."""
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # it was killed with a request unread
                process.stdin.close()
            process.wait()

    def _started(self) -> subprocess.Popen[bytes]:
        process = self._process
        if process is None or self._pending.is_lost or process.poll() is not None:
            self._process = process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_LIFEGUARD), str(self._lock)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for us; we decide what ends
            )
            self._pending = _Pending()
            arguments = [process, self._pending]
            threading.Thread(target=_read_replies, args=arguments, daemon=True).start()
        return process

    def _send(self, process: subprocess.Popen[bytes], request: dict[str, Any]) -> None:
        assert process.stdin is not None
        line = json.dumps(request).encode() + b"\n"
        with self._sending:
            try:
                process.stdin.write(line)
                process.stdin.flush()
            except BrokenPipeError:
                self._pending.give_up()


def _read_replies(process: subprocess.Popen[bytes], pending: _Pending) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        reply = json.loads(line)
        pending.finish(reply.pop("id"), Outcome(**reply))
    pending.give_up()


def wait(future: Future[Outcome], is_stopping: Callable[[], bool]) -> Outcome:
    """The outcome of a running command; ends it early once `is_stopping`.

    Looking instead of being called keeps signal handlers trivial.
    """
    while True:
        try:
            return future.result(timeout=0.1)
        except TimeoutError:
            if is_stopping():
                future.cancel()
                return future.result()


def wait_for_earlier(lock: Path, seconds: float = 30.0) -> None:
    """Wait until an earlier owner's commands are gone. Raises Protected when they stay.

    A killed owner's lifeguard needs a moment to end what it watches; until then the trees are
    still written to.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        until = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > until:
                    raise Protected(
                        f"Commands of an earlier run are still going on (lock {lock}). "
                        "End them, then run again."
                    ) from None
                time.sleep(0.05)
    finally:
        os.close(descriptor)
