"""`autoresearch show`: all that is known about one trial."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autoresearch.commands.changes import Changes, print_diff
from autoresearch.commands.selection import Selection, find_trial, select
from autoresearch.dashboard import numbers, plain
from autoresearch.dashboard.json_format import dumps, trial_content
from autoresearch.dashboard.safe_text import one_line, visible
from autoresearch.errors import GitError
from autoresearch.evaluation import tail
from autoresearch.records import IMPORTED
from autoresearch.trial import Run, Trial

_DIFF_LINES = 60
_LOG_LINES = 20


@dataclass(frozen=True)
class _Details:
    """What the journal does not hold itself."""

    files: list[str]
    diff: str
    problem: str  # why there is no diff
    proposer_log: Path | None
    log: Path | None  # of the last run, or of the check that failed


def show(path: Path, experiment: str | None, number: str, as_json: bool) -> int:
    """Print one trial: what was tried, what came of it, and how to bring it back."""
    selection = select(path, experiment)
    trial = find_trial(selection, number)
    details = _details(selection, path, trial)
    if as_json:
        print(dumps(_content(selection, trial, details)), end="")
    else:
        _print(selection, trial, details)
    return 0


def _details(selection: Selection, path: Path, trial: Trial) -> _Details:
    files: list[str] = []
    diff = problem = ""
    if trial.number > 0 and trial.commit:
        try:
            changes = Changes(selection, path)
            files = changes.files(trial.parent, trial.commit)
            diff = changes.diff(trial.parent, trial.commit)
        except GitError as error:
            problem = str(error)  # the rest is still worth seeing
    directory = selection.experiment.trial_directory(trial.number)
    return _Details(
        files=files,
        diff=diff,
        problem=problem,
        proposer_log=_last(directory, "proposer*.log"),
        log=_evaluator_log(selection, trial) or _last(directory, "check-*.log"),
    )


def _evaluator_log(selection: Selection, trial: Trial) -> Path | None:
    if not trial.runs or not trial.runs[-1].log:
        return None
    path = selection.experiment.directory / trial.runs[-1].log
    return path if path.is_file() else None


def _last(directory: Path, pattern: str) -> Path | None:
    found = [path for path in directory.glob(pattern) if path.is_file()]
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


def _restore(selection: Selection, trial: Trial) -> str:
    return f"autoresearch restore {trial.number} -e {selection.label}"


def _content(selection: Selection, trial: Trial, details: _Details) -> dict[str, Any]:
    goal = selection.config.evaluate.goal
    baseline = selection.state.baseline_value
    is_comparable = trial.number > 0 and trial.epoch == selection.state.epoch
    change = None
    if is_comparable and baseline is not None and trial.value is not None:
        change = goal.gain_percent(baseline, trial.value)
    return {
        "experiment": selection.experiment.id,
        "metric": goal.metric,
        "incumbent_value": trial.numbers.get("incumbent"),
        **trial_content(trial, change),
        "files": details.files,
        "diff": details.diff,
        "diff_problem": details.problem or None,
        "proposer_log": str(details.proposer_log) if details.proposer_log else None,
        "evaluator_log": str(details.log) if details.log else None,
        "restore": _restore(selection, trial) if trial.commit else None,
    }


def _print(selection: Selection, trial: Trial, details: _Details) -> None:
    print(f"Trial {trial.number} of {selection.experiment.id}: {trial.status or trial.phase}")
    facts = _facts(selection, trial)
    for name, text in facts:
        print(f"  {name:<10}  {one_line(text)}")
    _print_table("Metrics", _metric_rows(trial))
    _print_table("Runs", _run_rows(trial))
    if details.files:
        print("\nChanged files")
        for file in details.files:
            print(f"  {one_line(file)}")
    _print_diff(selection, trial, details)
    _print_logs(details)
    if trial.commit and not details.problem:
        print(f"\nBring it back: {_restore(selection, trial)}")


def _facts(selection: Selection, trial: Trial) -> list[tuple[str, str]]:
    goal = selection.config.evaluate.goal
    facts = [
        ("Idea", trial.idea),
        ("Reason", trial.reason),
        (goal.metric, _value(selection, trial)),
        ("Proposer", trial.proposer),
        ("Cost", "" if trial.cost_usd is None else numbers.cost(trial.cost_usd)),
        ("Parameters", ", ".join(f"{name}={value}" for name, value in trial.parameters.items())),
        ("Started", numbers.moment(trial.started_at) if trial.started_at else ""),
        ("Took", numbers.duration(trial.seconds) if trial.seconds else ""),
        ("Commit", trial.commit[:12]),
        ("Parent", trial.parent[:12]),
        ("Isolation", trial.isolation),
        ("Left out", f"{', '.join(trial.dropped)} (not in the target)" if trial.dropped else ""),
    ]
    return [(name, text) for name, text in facts if text]


def _value(selection: Selection, trial: Trial) -> str:
    """The metric, against what the trial had to beat."""
    incumbent = trial.numbers.get("incumbent")
    if trial.value is None or incumbent is None:
        return "" if trial.value is None else numbers.number(trial.value)
    value, before = numbers.column((trial.value, incumbent))
    gain = selection.config.evaluate.goal.gain_percent(incumbent, trial.value)
    percent = "" if gain is None else f" ({numbers.percent(gain)})"
    return f"{value}, the best then was {before}{percent}"


def _metric_rows(trial: Trial) -> list[list[str]]:
    if len(trial.metrics) < 2:
        return []  # the one metric is among the facts
    return [
        ["NAME", "VALUE"],
        *([one_line(name), numbers.number(value)] for name, value in trial.metrics.items()),
    ]


def _run_rows(trial: Trial) -> list[list[str]]:
    runs = [run for run in trial.runs if run.engine != IMPORTED]  # of those little is known
    if not runs:
        return []
    titles = ["RUN", "TREE", "SEED", "STATUS", "TIME", "CPU", "MEMORY", "REASON"]
    return [titles, *(_run_row(run) for run in runs)]


def _run_row(run: Run) -> list[str]:
    return [
        str(run.index),
        run.role,
        str(run.seed),
        run.status,
        numbers.duration(run.seconds),
        numbers.duration(run.cpu_seconds),
        numbers.NONE if run.peak_mb is None else f"{run.peak_mb:.0f} MB",
        one_line(run.reason),
    ]


def _print_table(title: str, rows: list[list[str]]) -> None:
    if rows:
        print(f"\n{title}")
        right = {"RUN", "SEED", "TIME", "CPU", "MEMORY", "VALUE"}
        for row in plain.align(rows[0], rows[1:], numeric=right):
            print(f"  {'  '.join(row)}".rstrip())


def _print_diff(selection: Selection, trial: Trial, details: _Details) -> None:
    if details.problem:
        print(f"\nNo diff: {details.problem}")
    lines = details.diff.splitlines(keepends=True)
    if lines:
        print()
        print_diff("".join(lines[:_DIFF_LINES]))
    if len(lines) > _DIFF_LINES:
        rest = len(lines) - _DIFF_LINES
        print(f"… {rest} more lines: autoresearch diff {trial.number} -e {selection.label}")


def _print_logs(details: _Details) -> None:
    if details.proposer_log:
        print(f"\nProposer's log: {details.proposer_log}")
    if details.log:
        print(f"\nEnd of {details.log}")
        for line in tail(details.log, lines=_LOG_LINES).splitlines():
            print(f"  {visible(line)}")
