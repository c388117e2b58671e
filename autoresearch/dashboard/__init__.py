"""What experiments look like to people and programs: one file a format.

Each format is a module with `experiment(report)` and `dashboard(reports)`, and is imported only
when it is wanted: a piped `autoresearch log` loads no terminal library.
"""

from collections.abc import Sequence
from importlib import import_module
from typing import Protocol, cast

from autoresearch.dashboard.report import ExperimentReport

_MODULES = {
    "terminal": "autoresearch.dashboard.terminal",
    "plain": "autoresearch.dashboard.plain",
    "csv": "autoresearch.dashboard.csv_format",
    "markdown": "autoresearch.dashboard.markdown",
    "json": "autoresearch.dashboard.json_format",
}
FORMATS = ("terminal", "csv", "markdown", "json")


class Renderer(Protocol):
    """The shape that every format's module has. The text ends with a line end."""

    def experiment(self, report: ExperimentReport) -> str:
        """One experiment with its trials."""
        ...

    def dashboard(self, reports: Sequence[ExperimentReport]) -> str:
        """Several experiments, one row each."""
        ...


def renderer(format: str, *, to_terminal: bool) -> Renderer:
    """The module of a format of `FORMATS`; `terminal` is plain text unless it goes to one."""
    name = "plain" if format == "terminal" and not to_terminal else format
    return cast(Renderer, import_module(_MODULES[name]))
