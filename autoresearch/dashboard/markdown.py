"""Markdown for a report or a pull request. Nothing from a trial is read as markup."""

import re
from collections.abc import Sequence

from autoresearch.dashboard import numbers
from autoresearch.dashboard.report import ExperimentReport, counted, describe
from autoresearch.dashboard.safe_text import one_line

# Backslashes and all that begins code, emphasis, links, images, HTML or a new cell.
_MARKUP = re.compile(r"[\\`*\[\]<>|~]|(?<![^\W_])_|_(?![^\W_])")


def experiment(report: ExperimentReport) -> str:
    """A title, what the experiment has come to, and a table of the trials that are shown."""
    lines = [
        f"# {_text(report.id)}",
        "",
        *([f"**Goal:** {_text(report.goal)}", ""] if report.goal else []),
        f"**Target:** {_text(', '.join(report.target))}",
        "",
        f"**Metric:** {_text(report.metric)} ({report.direction})",
        "",
        f"**Experiments:** {counted(report)}",
        "",
        f"**Progress:** {_progress(report)}",
        "",
        *_table(("Trial", "Commit", "Metric", "Status", "Description"), _trials(report)),
    ]
    return "\n".join(lines) + "\n"


def dashboard(reports: Sequence[ExperimentReport]) -> str:
    """A table with a row for each experiment."""
    titles = ("Domain", "Experiment", "Metric", "Runs", "Kept", "Best", "Change", "Status")
    rows = [
        (
            _text(report.place),
            _text(report.name),
            _text(report.metric),
            str(report.runs),
            str(report.kept),
            numbers.number(report.best_value),
            numbers.percent(report.change_percent),
            f"error: {_text(report.problem)}" if report.problem else report.activity,
        )
        for report in reports
    ]
    return "\n".join(["# Experiments", "", *_table(titles, rows)]) + "\n"


def _trials(report: ExperimentReport) -> list[tuple[str, ...]]:
    return [
        (
            str(trial.number),
            trial.commit[:7] or numbers.NONE,
            numbers.number(trial.value),
            str(trial.status),
            _text(describe(trial)),
        )
        for trial in report.trials
    ]


def _progress(report: ExperimentReport) -> str:
    if report.baseline_value is None:
        return "not measured yet"
    first, best = numbers.number(report.baseline_value), numbers.number(report.best_value)
    change = report.change_percent
    return f"{first} → {best}" + ("" if change is None else f" ({numbers.percent(change)})")


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [titles, ["---"] * len(titles), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]


def _text(text: str) -> str:
    return _MARKUP.sub(r"\\\g<0>", one_line(text))
