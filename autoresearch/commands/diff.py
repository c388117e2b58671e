"""`autoresearch diff`: what one trial changed, or how two differ."""

from pathlib import Path

from autoresearch.commands.changes import Changes, print_diff
from autoresearch.commands.selection import Selection, find_trial, select
from autoresearch.errors import UsageError
from autoresearch.trial import Trial


def diff(path: Path, experiment: str | None, a: str, b: str | None) -> int:
    """Print the difference from trial `a` to trial `b`; of `a` to its parent without `b`."""
    selection = select(path, experiment)
    first = find_trial(selection, a)
    if b is not None:
        old, new = _commit(selection, first), _commit(selection, find_trial(selection, b))
    elif first.number == 0:
        raise UsageError(
            "The baseline changed nothing: name what to compare it with, as in "
            "`autoresearch diff baseline best`."
        )
    else:
        old, new = first.parent, _commit(selection, first)
    print_diff(Changes(selection, path).diff(old, new))
    return 0


def _commit(selection: Selection, trial: Trial) -> str:
    state = selection.state
    if trial.number == 0 and trial.epoch < state.epoch and state.baseline:
        return state.baseline  # of the present epoch: trial 0 may have been imported
    if not trial.commit:
        how = trial.status or "not finished"
        raise UsageError(
            f"Trial {trial.number} ({how}) has no commit: there is nothing to compare."
        )
    return trial.commit
