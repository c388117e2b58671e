"""Aligned text for pipes and files: one row a line, no colour, no wrapping."""

from collections.abc import Sequence

from autoresearch.dashboard import numbers
from autoresearch.dashboard.report import ExperimentReport, counted, describe
from autoresearch.dashboard.safe_text import one_line, shorten, width

TRIAL_TITLES = ("TRIAL", "COMMIT", "METRIC", "CHANGE", "STATUS", "TIME", "DESCRIPTION")
DASHBOARD_TITLES = (
    "DOMAIN", "EXPERIMENT", "METRIC", "RUNS", "KEPT", "BEST", "CHANGE", "STATUS",
)  # fmt: skip
_NUMBERS = frozenset({"TRIAL", "CHANGE", "TIME", "RUNS", "KEPT", "BEST"})
_GAP = "  "
_NARROWEST = 8
_LONGEST = 200  # columns of a description


def experiment(report: ExperimentReport) -> str:
    """What the experiment is and has come to, then a row for each trial that is shown."""
    lines = [*header(report), ""]
    if report.trials:
        cells = align(TRIAL_TITLES, trial_rows(report), numeric={"METRIC"})
        lines += [_GAP.join(row).rstrip() for row in cells]
    lines += footer(report)
    return "\n".join(lines) + "\n"


def dashboard(reports: Sequence[ExperimentReport]) -> str:
    """A row for each experiment."""
    cells = align(DASHBOARD_TITLES, dashboard_rows(reports))
    return "".join(_GAP.join(row).rstrip() + "\n" for row in cells)


def header(report: ExperimentReport) -> list[str]:
    """The lines above the trials."""
    lines = [f"{report.place}/{report.name} ({report.activity}{_cost(report)})"]
    if report.goal:
        lines.append(f"  Goal    {one_line(report.goal)}")
    lines += [
        f"  Target  {one_line(', '.join(report.target)) or numbers.NONE}",
        f"  Metric  {one_line(report.metric) or numbers.NONE}, {report.direction}",
        f"  Branch  {report.branch}",
        "",
        counted(report),
    ]
    if report.baseline_value is not None:
        lines.append(progress(report))
    return lines


def progress(report: ExperimentReport) -> str:
    """From where to where the metric went."""
    first, last = numbers.column((report.baseline_value, report.best_value))
    if not report.best_trial:
        return f"Baseline {first}, nothing better yet"
    change = numbers.percent(report.change_percent)
    gain = "" if report.change_percent is None else f" ({change})"
    idea = f": {shorten(one_line(report.best_idea), _LONGEST)}" if report.best_idea else ""
    return f"Baseline {first} -> Best {last}{gain}, trial {report.best_trial}{idea}"


def footer(report: ExperimentReport) -> list[str]:
    """What to know about the rows: how many are not shown, which cannot be compared."""
    lines = []
    if not report.rows:
        lines.append(f"No trials yet. {report.next_step}")
    elif len(report.trials) < report.rows:
        shown = f"{len(report.trials)} of {report.rows} rows are shown"
        lines += ["", f"{shown}: -n 0 shows all, --status keep what was kept."]
    if any(trial.epoch < report.epoch for trial in report.trials):
        lines.append(
            "Rows without a change were measured before the evaluation was changed: "
            "their numbers cannot be compared."
        )
    return lines


def trial_rows(report: ExperimentReport) -> list[tuple[str, ...]]:
    """The cells of each trial, in the order of `TRIAL_TITLES`."""
    metrics = numbers.column([trial.value for trial in report.trials])
    return [
        (
            str(trial.number),
            trial.commit[:7] or numbers.NONE,
            metric,
            numbers.percent(report.changes.get(trial.number)),
            str(trial.status),
            numbers.duration(trial.seconds or None),
            shorten(one_line(describe(trial)), _LONGEST),
        )
        for trial, metric in zip(report.trials, metrics, strict=True)
    ]


def dashboard_rows(reports: Sequence[ExperimentReport]) -> list[tuple[str, ...]]:
    """The cells of each experiment, in the order of `DASHBOARD_TITLES`."""
    return [
        (
            one_line(report.place),
            one_line(report.name),
            one_line(report.metric) or numbers.NONE,
            str(report.runs),
            str(report.kept),
            numbers.number(report.best_value),
            numbers.percent(report.change_percent),
            f"error: {one_line(report.problem)}" if report.problem else report.activity,
        )
        for report in reports
    ]


def align(
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numeric: set[str] | None = None,
    fit: int | None = None,
    flexible: str = "",
) -> list[list[str]]:
    """Titles and rows with every cell padded to its column, numbers to the right.

    With `fit`, the column `flexible` is shortened so that a row takes at most that many columns.
    """
    right = _NUMBERS | (numeric or set())
    table = [list(titles), *(list(row) for row in rows)]
    widths = [max(width(row[place]) for row in table) for place in range(len(titles))]
    if fit is not None:
        place = titles.index(flexible)
        excess = sum(widths) + len(_GAP) * (len(widths) - 1) - fit
        widths[place] = max(_NARROWEST, widths[place] - max(0, excess))
    return [
        [
            _pad(shorten(cell, columns), columns, to_the_right=title in right)
            for cell, columns, title in zip(row, widths, titles, strict=True)
        ]
        for row in table
    ]


def _pad(text: str, columns: int, *, to_the_right: bool) -> str:
    space = " " * (columns - width(text))
    return space + text if to_the_right else text + space


def _cost(report: ExperimentReport) -> str:
    return f", {numbers.cost(report.cost_usd)}" if report.cost_usd else ""
