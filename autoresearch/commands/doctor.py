"""`autoresearch doctor`: is the record whole, and if not, mend it."""

from pathlib import Path

from autoresearch import history, runner
from autoresearch.commands.selection import discover, find, label
from autoresearch.errors import ConfigError, Locked, Protected
from autoresearch.experiment import Experiment

_DAMAGED = Protected.exit_code


def doctor(path: Path, experiment: str | None, repair: bool) -> int:
    """Check every line of the journals; with `repair`, drop what is damaged and keep a copy.

    Returns 5 when a journal is damaged and was not repaired.
    """
    if experiment:
        chosen, _ = find(path, experiment)
        there = [chosen]
    else:
        there = discover(path)
        if not there:
            raise ConfigError("There is no experiment here. `autoresearch setup` makes one.")
    codes = []
    for one in there:
        codes.append(_check(one))
        # A journal that is whole may belong to a run that is going on: leave it alone, unless it
        # was named, because that also derives results.tsv anew.
        if repair and (codes[-1] == _DAMAGED or experiment):
            _repair(one)
            codes[-1] = 0
    return max(codes)


def _check(experiment: Experiment) -> int:
    try:
        state = history.read_all(experiment.files)
    except Protected as error:
        print(f"{label(experiment)}: {error}")
        return _DAMAGED
    print(f"{label(experiment)}: the journal is whole ({state.trial_count} trials).")
    return 0


def _repair(experiment: Experiment) -> None:
    from filelock import FileLock, Timeout

    lock = FileLock(experiment.lock_path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        other = runner.read(experiment.runner_path)
        who = f"process {other.pid}" if other else "another process"
        raise Locked(
            f"{experiment.id} is being run by {who}: nothing was repaired. "
            f"End it first: autoresearch stop -e {label(experiment)}"
        ) from None
    try:
        dropped, copy = history.repair(experiment.files)
    finally:
        lock.release()
    print(f"{label(experiment)}: results.tsv was written anew from the journal.")
    if copy is None:
        return
    lines = "1 damaged line" if dropped == 1 else f"{dropped} damaged lines"
    print(f"{label(experiment)}: dropped {lines}. The journal as it was: {copy}")
