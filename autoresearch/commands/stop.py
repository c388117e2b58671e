"""`autoresearch stop`: end a run that is going on."""

import os
import signal
import time
from pathlib import Path

from autoresearch import runner
from autoresearch.commands.selection import discover, find
from autoresearch.errors import Protected
from autoresearch.experiment import Experiment

PATIENCE = 30.0  # seconds for the trial in flight to be put back and recorded


def stop(path: Path, experiment: str | None) -> int:
    """Ask the run to end, and wait until it has. Raises Protected when it does not."""
    chosen = _running(path) if experiment is None else find(path, experiment)[0]
    going = runner.read(chosen.runner_path) if chosen else None
    if chosen is None or going is None:
        print("No run is going on.")
        return 0
    os.kill(going.pid, signal.SIGTERM)
    until = time.monotonic() + PATIENCE
    while runner.read(chosen.runner_path) is not None:
        if time.monotonic() > until:
            raise Protected(f"Process {going.pid} was asked to end, and has not yet.")
        time.sleep(0.05)
    print(f"{chosen.id} was stopped; the trial in flight was put back and recorded.")
    return 0


def _running(path: Path) -> Experiment | None:
    going = (one for one in discover(path) if runner.read(one.runner_path) is not None)
    return next(going, None)
