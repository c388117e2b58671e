"""karpathy/autoresearch: `commit val_bpb memory_gb status description`.

The second column's title is the metric; columns between it and `status` are other numbers. A
crash is stored as 0.000000, which with lower is better would be the best of all.
"""

from autoresearch.importers import reading
from autoresearch.importers.base import Row, Source, Table


def recognises(source: Source) -> bool:
    """By its header."""
    columns = reading.header(source)
    is_alike = columns[0] == "commit" and columns[-2:] == ["status", "description"]
    return is_alike and len(columns) >= 4


def read(source: Source, metric: str) -> Table:
    """All rows. The first is the unmodified code; its commit may be the word `baseline`."""
    names = reading.header(source)[1:-2]
    metric = reading.chosen(source, metric, names if metric else names[:1])
    rows = [
        _row(source, number, cells, metric, names)
        for number, cells in reading.table(source, is_open=True)
    ]
    return Table(rows=tuple(rows), metric=metric)


def _row(source: Source, number: int, cells: dict[str, str], metric: str, names: list[str]) -> Row:
    status = reading.status(source, number, cells["status"], ["keep", "discard", "crash"])
    status, value, reason = reading.judged(source, number, status, metric, cells[metric])
    numbers = {name: reading.finite(cells[name]) for name in names}
    return Row(
        status=status,
        value=value,
        description=cells["description"],
        reason=reason,
        commit=cells["commit"],
        metrics={} if value is None else {k: v for k, v in numbers.items() if v is not None},
    )
