"""The plain format on a terminal: rows cut to its width, with icons and colour.

Everything is printed as `rich.text.Text`, never as markup: an idea may hold `[red]`.
"""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from autoresearch.dashboard import plain
from autoresearch.dashboard.report import ExperimentReport
from autoresearch.dashboard.safe_text import one_line, shorten
from autoresearch.trial import FAILED, Status

_STATUS = plain.TRIAL_TITLES.index("STATUS")
_CHANGE = plain.TRIAL_TITLES.index("CHANGE")
_ACTIVITY = plain.DASHBOARD_TITLES.index("STATUS")
_GAIN = plain.DASHBOARD_TITLES.index("CHANGE")
_COLOURED_ROWS = 200  # beyond it, colouring takes longer than anybody wants to wait
_ACTIVITY_STYLES = {"active": "green", "paused": "yellow", "idle": "dim", "error": "red"}


def experiment(report: ExperimentReport) -> str:
    """What the experiment is and has come to, then a row for each trial that is shown."""
    console = Console(highlight=False)
    with console.capture() as capture:
        for place, line in enumerate(plain.header(report)):
            style = "bold" if place == 0 or line == plain.progress(report) else ""
            _print(console, Text(shorten(line, console.width), style))
        _print(console, Text())
        if report.trials:
            _print_trials(console, report)
        for line in plain.footer(report):
            console.print(Text(line, "dim"))
    return capture.get()


def dashboard(reports: Sequence[ExperimentReport]) -> str:
    """A row for each experiment, and in full what is wrong with those that cannot be read."""
    console = Console(highlight=False)
    rows = [
        (*row[:_ACTIVITY], report.activity)
        for row, report in zip(plain.dashboard_rows(reports), reports, strict=True)
    ]
    titles = plain.DASHBOARD_TITLES
    cells = plain.align(titles, rows, fit=console.width, flexible="EXPERIMENT")
    with console.capture() as capture:
        _print(console, _row(cells[0], {}, "bold"))
        for row, report in zip(cells[1:], reports, strict=True):
            gain = "green" if (report.change_percent or 0) > 0 else ""
            styles = {_ACTIVITY: _ACTIVITY_STYLES.get(report.activity, ""), _GAIN: gain}
            _print(console, _row(row, styles))
        for report in reports:
            if report.problem:
                console.print(Text(f"! {report.id}: {one_line(report.problem)}", "red"))
    return capture.get()


def _print_trials(console: Console, report: ExperimentReport) -> None:
    rows = [
        (*row[:_STATUS], f"{_icon(trial.status)} {row[_STATUS]}", *row[_STATUS + 1 :])
        for row, trial in zip(plain.trial_rows(report), report.trials, strict=True)
    ]
    cells = plain.align(
        plain.TRIAL_TITLES, rows, numeric={"METRIC"}, fit=console.width, flexible="DESCRIPTION"
    )
    _print(console, _row(cells[0], {}, "bold"))
    if len(rows) > _COLOURED_ROWS:
        console.out("\n".join("  ".join(row).rstrip() for row in cells[1:]), highlight=False)
        return
    for row, trial in zip(cells[1:], report.trials, strict=True):
        style = _style(trial.status)
        _print(console, _row(row, {_STATUS: style, _CHANGE: style}))


def _row(cells: Sequence[str], styles: dict[int, str], style: str = "") -> Text:
    text = Text(style=style)
    for place, cell in enumerate(cells):
        text.append(cell, styles.get(place, ""))
        if place < len(cells) - 1:
            text.append("  ")
    return text


def _print(console: Console, text: Text) -> None:
    """Print one line that never becomes two."""
    text.rstrip()
    console.print(text, no_wrap=True, overflow="ellipsis")


def _icon(status: Status | None) -> str:
    return "+" if status == Status.KEEP else "!" if _is_failure(status) else "-"


def _style(status: Status | None) -> str:
    if status == Status.KEEP:
        return "green"
    if _is_failure(status):
        return "red"
    return "dim" if status == Status.DISCARD else "yellow"


def _is_failure(status: Status | None) -> bool:
    return status in FAILED or status == Status.TAMPERED
