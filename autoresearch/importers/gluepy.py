"""Gluepy's `experiment_log.tsv`: an agent writes it, with all metrics as `k=v;k=v` in one cell."""

from autoresearch.importers import reading
from autoresearch.importers.base import Row, Source, Table

COLUMNS = [
    "experiment_id",
    "timestamp",
    "run_id",
    "metrics",
    "status",
    "description",
    "commit",
    "duration_seconds",
]


def recognises(source: Source) -> bool:
    """By its header."""
    return reading.header(source) == COLUMNS


def read(source: Source, metric: str) -> Table:
    """All rows. The first that was kept is the run before any change."""
    lines = list(reading.table(source))
    metrics = [reading.pairs(source, number, cells["metrics"]) for number, cells in lines]
    metric = reading.chosen(source, metric, (name for one in metrics for name in one))
    rows = [
        _row(source, number, cells, metric, found)
        for (number, cells), found in zip(lines, metrics, strict=True)
    ]
    return Table(rows=tuple(rows), metric=metric)


def _row(
    source: Source, number: int, cells: dict[str, str], metric: str, metrics: dict[str, float]
) -> Row:
    known = ["keep", "discard", "crash", "timeout"]
    status = reading.status(source, number, cells["status"], known)
    status, value, reason = reading.judged(source, number, status, metric, metrics.get(metric))
    if reason:
        reason = f"there is no usable {metric}"
    return Row(
        status=status,
        value=value,
        description=cells["description"],
        reason=reason,
        commit=cells["commit"],
        metrics=metrics,
        at=reading.moment(source, number, cells["timestamp"]),
        seconds=reading.seconds(source, number, cells["duration_seconds"]),
    )
