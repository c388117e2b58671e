"""`autoresearch compare`: the metrics of trials side by side."""

from pathlib import Path

from autoresearch.commands.selection import find_trial, select
from autoresearch.dashboard import numbers, plain
from autoresearch.dashboard.json_format import dumps
from autoresearch.dashboard.safe_text import one_line
from autoresearch.errors import UsageError
from autoresearch.goal import Goal
from autoresearch.trial import Trial


def compare(path: Path, experiment: str | None, trials: list[str], as_json: bool) -> int:
    """Print each trial's metrics against those of the first."""
    if len(trials) < 2:
        raise UsageError("Name at least two trials, as in `autoresearch compare baseline best`.")
    selection = select(path, experiment)
    reference, *others = [find_trial(selection, word) for word in trials]
    if as_json:
        pairs = {str(other.number): _differences(reference, other) for other in others}
        print(dumps(pairs if len(others) > 1 else _differences(reference, others[0])), end="")
        return 0
    for line in _table(selection.config.evaluate.goal, reference, others):
        print(line)
    if any(other.epoch != reference.epoch for other in others):
        print("The evaluation was changed between these trials: their numbers cannot be compared.")
    return 0


def _differences(old: Trial, new: Trial) -> dict[str, dict[str, float | None]]:
    found: dict[str, dict[str, float | None]] = {}
    for name in _names([old, new]):
        first, second = old.metrics.get(name), new.metrics.get(name)
        difference = None if first is None or second is None else second - first
        found[name] = {"old": first, "new": second, "diff": difference}
    return found


def _table(goal: Goal, reference: Trial, others: list[Trial]) -> list[str]:
    titles = ["NAME", _title(reference)]
    for other in others:
        titles += [_title(other), "CHANGE"]
    rows = []
    for name in _names([reference, *others], first=goal.metric):
        first = reference.metrics.get(name)
        values = numbers.column([first, *(other.metrics.get(name) for other in others)])
        row = [one_line(name), values[0]]
        for text, other in zip(values[1:], others, strict=True):
            value = other.metrics.get(name) if other.epoch == reference.epoch else None
            row += [text, _change(goal, name, first, value)]
        rows.append(row)
    cells = plain.align(titles, rows, numeric=set(titles[1:]))
    return ["  ".join(row).rstrip() for row in cells]


def _change(goal: Goal, name: str, first: float | None, second: float | None) -> str:
    """In percent: in words for the metric that has a direction, with its sign for others."""
    if first is None or second is None:
        return numbers.NONE
    if name == goal.metric:
        gain = goal.gain_percent(first, second)
        if gain is None:
            return numbers.NONE
        word = "better" if gain > 0 else "worse" if gain < 0 else "same"
        return word if word == "same" else f"{numbers.percent(abs(gain)).lstrip('+')} {word}"
    return numbers.percent((second - first) / abs(first) * 100) if first else numbers.NONE


def _names(trials: list[Trial], first: str = "") -> list[str]:
    """The names of all metrics, in the order in which they were printed, `first` before all."""
    names = dict.fromkeys(name for trial in trials for name in trial.metrics)
    return sorted(names, key=lambda name: name != first)


def _title(trial: Trial) -> str:
    return "BASELINE" if trial.number == 0 else f"#{trial.number}"
