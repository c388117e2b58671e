"""What the running process says about itself, for `status`, `log` and `stop` to read.

One small JSON file beside the journal. It is no lock and no record: a run that was killed leaves
it behind, so it only counts while the process that wrote it is alive.
"""

import json
import os
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

_CLOCK_TOLERANCE = 1.0  # seconds; a process's start is known to about a hundredth


@dataclass(frozen=True, kw_only=True)
class Runner:
    """A run that is going on. Times are seconds since the epoch."""

    pid: int
    pid_started: float  # psutil's create_time: a pid alone may have been given to another process
    started_at: float
    detached: bool = False
    trial: int | None = None
    phase: str = "idle"  # proposing | mending | checking | measuring | waiting for the machine
    phase_started_at: float = 0.0
    limit_seconds: float | None = None  # how long the phase may take

    def at(self, trial: int, phase: str, limit_seconds: float | None = None) -> "Runner":
        """This run, at the beginning of another phase."""
        return replace(
            self,
            trial=trial,
            phase=phase,
            phase_started_at=time.time(),
            limit_seconds=limit_seconds,
        )


def read(path: Path) -> Runner | None:
    """The run that is going on; None when there is none, or its process is dead."""
    try:
        runner = Runner(**json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None  # not there, half written by a machine that lost power, or not ours
    return runner if _is_alive(runner) else None


def write(path: Path, runner: Runner) -> None:
    """Replace the file in one step, so that a reader sees the old or the new one."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    fresh.write_text(json.dumps(asdict(runner)) + "\n", encoding="utf-8")
    fresh.replace(path)


def _is_alive(runner: Runner) -> bool:
    import psutil  # slow to import, and only needed when a run left its file

    try:
        process = psutil.Process(runner.pid)
        is_same = abs(process.create_time() - runner.pid_started) <= _CLOCK_TOLERANCE
        return bool(is_same and process.status() != psutil.STATUS_ZOMBIE)
    except (psutil.Error, ValueError, TypeError):
        return False
