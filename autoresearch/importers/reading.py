"""How the importers read a cell, a line of a table, a line of JSON."""

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from autoresearch.errors import UsageError
from autoresearch.importers.base import Source
from autoresearch.trial import Status

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.ASCII | re.IGNORECASE)
_NOT_FINITE = re.compile(r"[-+]?(nan|inf|infinity)", re.IGNORECASE)
_YEAR_10000 = 253_402_300_800  # in seconds since 1970: what no calendar of ours goes beyond
_MEASURED = (Status.KEEP, Status.DISCARD, Status.GUARD)


def header(source: Source) -> list[str]:
    """The cells of the first line."""
    return [cell.strip() for cell in source.lines[0][1].split("\t")]


def table(source: Source, *, is_open: bool = False) -> Iterator[tuple[int, dict[str, str]]]:
    """Each row's line number and cells by column. Raises ConfigError for a row of another shape.

    With `is_open`, the last column takes whatever comes: the tools that write it let tabs through.
    """
    columns = header(source)
    for number, line in source.lines[1:]:
        cells = line.split("\t", len(columns) - 1 if is_open else -1)
        if len(cells) != len(columns):
            expected = f"{len(columns)} cells ({', '.join(columns)})"
            raise source.unreadable(number, f"expected {expected}, found {len(cells)}")
        yield number, dict(zip(columns, (cell.strip() for cell in cells), strict=True))


def objects(source: Source) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each line's number and JSON object. Raises ConfigError for a line that is none."""
    for number, line in source.lines:
        try:
            content = json.loads(line)
        except (ValueError, RecursionError):
            raise source.unreadable(number, "expected a whole JSON object") from None
        if not isinstance(content, dict):
            raise source.unreadable(number, "expected a JSON object")
        yield number, content


def first_object(source: Source) -> dict[str, Any]:
    """The JSON object in the first line, or an empty one."""
    try:
        content = json.loads(source.lines[0][1])
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def status(source: Source, number: int, word: str, known: Sequence[str]) -> Status:
    """The status that `word` means. Raises ConfigError for one that the format does not have."""
    if word.lower() not in known:
        raise source.unreadable(number, f"the status is {word!r}, not one of {', '.join(known)}")
    return Status(word.lower())


def finite(text: object) -> float | None:
    """The number in a cell or a JSON value, None when it is none that can be compared."""
    if isinstance(text, str) and _NUMBER.fullmatch(text):
        text = float(text)
    if isinstance(text, bool) or not isinstance(text, int | float):
        return None
    try:
        value = float(text)
    except OverflowError:  # an integer of more than 308 digits
        return None
    return value if math.isfinite(value) else None


def judged(
    source: Source, number: int, status: Status, metric: str, cell: object
) -> tuple[Status, float | None, str]:
    """Status, value and reason of a row: only what was measured has a value.

    A crash stored as 0.000000 has none, and nan was never better than anything. Raises ConfigError
    when a row was kept or discarded without a number.
    """
    if status not in _MEASURED:
        return status, None, ""
    value = finite(cell)
    if value is not None:
        return status, value, ""
    shown = "null" if cell is None else str(cell)[:40]
    is_number = isinstance(cell, int | float) and not isinstance(cell, bool)
    if is_number or cell is None or (isinstance(cell, str) and _is_no_value(cell)):
        return Status.INVALID, None, f"{metric} was {shown}, which cannot be compared"
    raise source.unreadable(number, f"{metric} is {shown!r}, not a number, and the row {status}")


def _is_no_value(text: str) -> bool:
    return bool(_NOT_FINITE.fullmatch(text) or _NUMBER.fullmatch(text))  # 1e999 is no value either


def pairs(source: Source, number: int, text: str) -> dict[str, float]:
    """The metrics in a cell `name=number;name=number`; nan and inf are left out."""
    found: dict[str, float] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, equals, value = part.rpartition("=")
        if not equals or not name.strip():
            raise source.unreadable(number, f"expected name=number;name=number, found {part!r}")
        if (read := finite(value.strip())) is not None:
            found[name.strip()] = read
        elif not _is_no_value(value.strip()):
            raise source.unreadable(number, f"{name.strip()} is {value.strip()!r}, not a number")
    return found


def chosen(source: Source, metric: str, names: Iterable[str]) -> str:
    """The metric that was asked for, or the only one there is. Raises UsageError otherwise."""
    there = list(dict.fromkeys(names))
    if metric in there or not there:
        return metric
    listed = ", ".join(there)
    if metric:
        raise UsageError(f"{source.name} has no metric {metric!r}. It has: {listed}.")
    if len(there) > 1:
        raise UsageError(f"{source.name} has several metrics: choose one with --metric: {listed}.")
    return there[0]


def moment(source: Source, number: int, text: str) -> float:
    """Seconds since the epoch of an ISO 8601 time, which is UTC when it does not say; 0 for none.

    Raises ConfigError for anything else.
    """
    if not text:
        return 0.0
    try:
        read = datetime.fromisoformat(text)
        return max(0.0, (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        example = "2026-03-14T09:30:00Z"
        raise source.unreadable(number, f"{text!r} is not a time such as {example}") from None


def milliseconds(source: Source, number: int, value: object) -> float:
    """Seconds since the epoch of a number of milliseconds, 0 for none.

    Raises ConfigError for anything else.
    """
    if value is None:
        return 0.0
    read = finite(value)
    if read is None or not 0 <= read / 1000 < _YEAR_10000:
        raise source.unreadable(number, f"{value!r} is not a time in milliseconds since 1970")
    return read / 1000


def seconds(source: Source, number: int, text: str) -> float:
    """A duration in seconds, 0 for none. Raises ConfigError for anything else."""
    if not text:
        return 0.0
    value = finite(text)
    if value is None or value < 0:
        raise source.unreadable(number, f"{text!r} is not a number of seconds")
    return value
