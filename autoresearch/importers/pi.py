"""pi-autoresearch's `autoresearch.jsonl` (later `.auto/log.jsonl`): config, run and hook lines.

Each config line begins a segment with a baseline of its own.
"""

from typing import Any

from autoresearch.importers import reading
from autoresearch.importers.base import Row, Source, Table
from autoresearch.trial import Status

_STATUS = {
    "keep": Status.KEEP,
    "discard": Status.DISCARD,
    "crash": Status.CRASH,
    "checks_failed": Status.CHECK,
}


def recognises(source: Source) -> bool:
    """By its first object."""
    first = reading.first_object(source)
    return first.get("type") == "config" or ({"run", "status", "metric"} <= first.keys())


def read(source: Source, metric: str) -> Table:
    """All runs; metric and direction are those of the last config."""
    name, direction, goal, segment = metric, "", "", -1
    rows: list[Row] = []
    for number, content in reading.objects(source):
        if content.get("type") == "config":
            name, direction = _measure(source, number, content)
            goal = str(content.get("name") or "")
            segment += 1
        elif "run" in content:
            rows.append(_row(source, number, content, name or "the metric", max(0, segment)))
        elif "type" not in content:
            raise source.unreadable(number, "expected a config, a run or a hook")
    return Table(rows=tuple(rows), metric=name, direction=direction, goal=goal)


def _measure(source: Source, number: int, config: dict[str, Any]) -> tuple[str, str]:
    name, direction = config.get("metricName") or "metric", config.get("bestDirection") or "lower"
    if not isinstance(name, str):
        raise source.unreadable(number, f"metricName is {name!r}, not a name")
    if direction not in ("lower", "higher"):
        raise source.unreadable(number, f"bestDirection is {direction!r}, not lower or higher")
    return name, direction


def _row(source: Source, number: int, content: dict[str, Any], metric: str, segment: int) -> Row:
    word = str(content.get("status"))
    if word not in _STATUS:
        raise source.unreadable(number, f"the status is {word!r}, not one of {', '.join(_STATUS)}")
    cell = content.get("metric")
    status, value, reason = reading.judged(source, number, _STATUS[word], metric, cell)
    if status == Status.CHECK:
        known = reading.finite(cell)
        reason = "a check failed" + (f" ({metric} was {known:g})" if known else "")
    others = content.get("metrics") or {}
    if not isinstance(others, dict):
        raise source.unreadable(number, "metrics is not an object of numbers")
    numbers = {str(name): reading.finite(one) for name, one in others.items()}
    return Row(
        status=status,
        value=value,
        description=str(content.get("description") or ""),
        reason=reason,
        commit=str(content.get("commit") or ""),
        metrics=({} if value is None else {metric: value})
        | {name: one for name, one in numbers.items() if one is not None},
        segment=segment,
        at=reading.milliseconds(source, number, content.get("timestamp")),
    )
