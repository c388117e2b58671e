"""CSV for spreadsheets and scripts.

The comment lines and the first columns are those of the first `autoresearch` scripts, so that what
reads their exports reads ours. Cells that a spreadsheet would run are disarmed by `results.clean`.
"""

import csv
import io
from collections.abc import Iterable, Sequence

from autoresearch.dashboard.numbers import percent
from autoresearch.dashboard.report import ExperimentReport
from autoresearch.results import clean, timestamp
from autoresearch.trial import Trial

_TRIAL_COLUMNS = (
    "Commit", "Metric", "Status", "Description",
    "Trial", "Timestamp", "Seconds", "Parent", "Proposer", "Cost", "Isolation",
)  # fmt: skip
_DASHBOARD_COLUMNS = (
    "Domain", "Experiment", "Metric", "Runs", "Kept", "Discarded", "Crashed", "Best", "Change",
    "Baseline", "Status",
)  # fmt: skip


def experiment(report: ExperimentReport) -> str:
    """Comment lines, an empty line, then a row for each trial that is shown."""
    best = _number(report.best_value)
    if report.change_percent is not None:
        best += f" ({percent(report.change_percent)})"
    comments: list[tuple[str, str]] = [
        ("# Experiment", clean(report.id)),
        ("# Target", clean(", ".join(report.target))),
        ("# Metric", f"{clean(report.metric)} ({report.direction})"),
        ("# Baseline", _number(report.baseline_value)),
        ("# Best", best),
        ("# Total", str(report.runs)),
        ("# Keep/Discard/Crash", f"{report.kept}/{report.discarded}/{report.failed}"),
    ]
    return _written([*comments, (), _TRIAL_COLUMNS, *(_trial(trial) for trial in report.trials)])


def dashboard(reports: Sequence[ExperimentReport]) -> str:
    """A row for each experiment."""
    return _written([_DASHBOARD_COLUMNS, *(_experiment(report) for report in reports)])


def _trial(trial: Trial) -> tuple[str, ...]:
    return (
        trial.commit[:7] or "-",
        _number(trial.value) or "N/A",
        str(trial.status),
        clean(trial.idea or trial.reason),
        str(trial.number),
        timestamp(trial.finished_at),
        f"{trial.seconds:.3f}",
        trial.parent[:7] or "-",
        clean(trial.proposer),
        "" if trial.cost_usd is None else f"{trial.cost_usd:.4f}",
        clean(trial.isolation),
    )


def _experiment(report: ExperimentReport) -> tuple[str, ...]:
    change = report.change_percent
    return (
        clean(report.domain),
        clean(report.name),
        clean(report.metric),
        str(report.runs),
        str(report.kept),
        str(report.discarded),
        str(report.failed),
        _number(report.best_value),
        "" if change is None else percent(change),
        _number(report.baseline_value),
        f"error: {clean(report.problem)}" if report.problem else report.activity,
    )


def _number(value: float | None) -> str:
    """`value` for programs: ten significant digits, empty for none."""
    return "" if value is None else f"{value + 0.0:.10g}"  # + 0.0 makes -0.0 a 0


def _written(rows: Iterable[Sequence[str]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()
