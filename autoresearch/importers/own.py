"""Our own `results.tsv`, from another machine or after its journal was lost."""

from autoresearch.importers import reading
from autoresearch.importers.base import Row, Source, Table
from autoresearch.results import COLUMNS
from autoresearch.trial import Status


def recognises(source: Source) -> bool:
    """By its header."""
    return reading.header(source) == list(COLUMNS)


def read(source: Source, metric: str) -> Table:
    """All rows, under their own numbers. The file does not say which is better."""
    lines = list(reading.table(source))
    metrics = [reading.pairs(source, number, cells["metrics"]) for number, cells in lines]
    metric = reading.chosen(source, metric, (name for one in metrics for name in one))
    seen: set[int] = set()
    rows = []
    for (number, cells), found in zip(lines, metrics, strict=True):
        row = _row(source, number, cells, metric, found)
        if row.number in seen:
            raise source.unreadable(number, f"there is a trial {row.number} above already")
        seen.add(row.number or 0)
        rows.append(row)
    return Table(rows=tuple(rows), metric=metric)


def _row(
    source: Source, number: int, cells: dict[str, str], metric: str, metrics: dict[str, float]
) -> Row:
    if not (cells["trial"].isascii() and cells["trial"].isdigit() and len(cells["trial"]) < 10):
        raise source.unreadable(number, f"{cells['trial']!r} is not the number of a trial")
    status = reading.status(source, number, cells["status"], list(Status))
    # The column has six decimals, the metrics have all there are.
    cell = metrics.get(metric, cells["metric"])
    status, value, reason = reading.judged(source, number, status, metric, cell)
    cost = reading.finite(cells["cost_usd"])
    if cells["cost_usd"] and cost is None:
        raise source.unreadable(number, f"{cells['cost_usd']!r} is not a cost in USD")
    return Row(
        status=status,
        value=value,
        description=cells["description"],
        reason=reason,
        commit=cells["commit"],
        parent=cells["parent"],
        metrics=metrics if value is None else {metric: value} | metrics,
        number=int(cells["trial"]),
        at=reading.moment(source, number, cells["timestamp"]),
        seconds=reading.seconds(source, number, cells["duration_seconds"]),
        cost_usd=cost,
        proposer=cells["proposer"],
        isolation=cells["isolation"],
    )
