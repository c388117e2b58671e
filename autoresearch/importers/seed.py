"""The first `autoresearch` scripts: `commit metric status description`.

Every failure is a `crash` there, and the description says which.
"""

import re

from autoresearch.importers import reading
from autoresearch.importers.base import Row, Source, Table
from autoresearch.trial import Status

COLUMNS = ["commit", "metric", "status", "description"]
_FAILED = {
    re.compile(r"timeout_\d+s"): Status.TIMEOUT,
    re.compile(r"metric_parse_failed"): Status.INVALID,
}


def recognises(source: Source) -> bool:
    """By its header."""
    return reading.header(source) == COLUMNS


def read(source: Source, metric: str) -> Table:
    """All rows. The file does not say what the metric is called, nor which is better."""
    rows = [
        _row(source, number, cells, metric) for number, cells in reading.table(source, is_open=True)
    ]
    return Table(rows=tuple(rows))


def _row(source: Source, number: int, cells: dict[str, str], metric: str) -> Row:
    text = cells["description"]
    status = reading.status(source, number, cells["status"], ["keep", "discard", "crash"])
    status, value, reason = reading.judged(
        source, number, status, metric or "metric", cells["metric"]
    )
    if status == Status.CRASH:
        status = next((s for pattern, s in _FAILED.items() if pattern.fullmatch(text)), status)
        text, reason = "", text  # the script's own words, not an idea
    return Row(
        status=status,
        value=value,
        description=text,
        reason=reason,
        commit=cells["commit"],
        metrics={} if value is None else {metric: value},
    )
