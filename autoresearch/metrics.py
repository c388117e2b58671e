"""Text to metrics: the numbers that an evaluator printed.

The grammar is whole lines, `NAME: NUMBER [UNIT]` or `NAME=NUMBER`, optionally after `metric:`.
Numbers are plain ASCII decimals. What looks like a number and is none (`nan`, `inf`, `1_000`,
digits of another script) makes the metric unusable; it is never read as a value.
"""

import json
import math
import re
from dataclasses import dataclass
from itertools import islice

_NAME = r"[A-Za-z_][A-Za-z0-9_./%-]*"
_NUMBER = r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
# Digits only as an exponent: 0x10 and 1m30s are no numbers with a unit.
_UNIT = r"[A-Za-z%µμ°](?:[/*^-]?[A-Za-z%µμ°]|\^-?[0-9]+)*"
_PREFIX = r"^[ \t]*(?:(?i:metric):[ \t]*)?"
_LINE = re.compile(
    rf"{_PREFIX}({_NAME})[ \t]*[:=][ \t]*({_NUMBER})(?:[ \t]*{_UNIT})?[ \t]*$", re.MULTILINE
)
_PLAIN = re.compile(_NUMBER)
_WITH_UNIT = re.compile(rf"({_NUMBER})(?:{_UNIT})?")
# What is meant as a number: it holds a digit of any script, or begins with nan or inf.
_NUMBERLIKE = re.compile(r"^[-+]?(?:nan|inf)|\d", re.IGNORECASE)
_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours, cursor
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # titles, links
)
_MAX_METRICS = 100
_MAX_NAME = 200


@dataclass(frozen=True)
class Reading:
    """What was read: the metric's value or the reason why there is none, and all other numbers."""

    value: float | None
    metrics: dict[str, float]
    reason: str = ""


def read(
    text: str, metric: str, *, pattern: str = "", strict: bool = False, file: str | None = None
) -> Reading:
    """Find `metric` in an evaluator's output.

    `pattern` is a regular expression with one group that finds the number elsewhere; `file` is the
    content of `$AUTORESEARCH_METRICS` (JSON, name to number), which wins over the output. With
    `strict`, two different values of the metric are unusable; otherwise the last one counts.
    """
    text = plain(text)
    numbers = _printed(text)
    if file is not None:
        try:
            named = _from_json(file)
        except ValueError as error:
            return Reading(None, numbers, f"$AUTORESEARCH_METRICS: {error}")
        numbers = _first(named | {k: v for k, v in numbers.items() if k not in named})
        if metric in named:
            numbers[metric] = named[metric]
            return Reading(numbers[metric], numbers)
    found = [m[1] for m in re.finditer(pattern, text, re.MULTILINE)] if pattern else []
    if not pattern:
        found = _values_of(metric, text)
    if not found:
        return Reading(None, numbers, _not_printed(metric, pattern, text))
    for value in found if strict else found[-1:]:
        if value is None or not _PLAIN.fullmatch(value):
            shown = repr(value[:80] if value else value)
            return Reading(None, numbers, f"{metric} was printed as {shown}, not a plain number")
        if not math.isfinite(float(value)):
            return Reading(
                None, numbers, f"{metric} was printed as {value[:80]}, which is infinite"
            )
    if strict and len({float(value) for value in found}) > 1:
        return Reading(None, numbers, f"{metric} was printed with different values")
    numbers[metric] = float(found[-1])
    return Reading(numbers[metric], numbers)


def plain(text: str) -> str:
    """`text` without terminal escapes, with `\\n` as its only line end."""
    return _ESCAPES.sub("", text).replace("\r\n", "\n").replace("\r", "\n")


def _printed(text: str) -> dict[str, float]:
    numbers: dict[str, float] = {}
    for match in _LINE.finditer(text):
        value = float(match[2])
        if math.isfinite(value) and (match[1] in numbers or len(numbers) < _MAX_METRICS):
            numbers[match[1]] = value
    return numbers


def _first(numbers: dict[str, float]) -> dict[str, float]:
    return dict(islice(numbers.items(), _MAX_METRICS))


def _values_of(metric: str, text: str) -> list[str]:
    """What was printed for one metric, numbers and what was meant as numbers, in order."""
    line = re.compile(
        rf"{_PREFIX}{re.escape(metric)}[ \t]*[:=][ \t]*(\S+)(?:[ \t]+{_UNIT})?[ \t]*$",
        re.MULTILINE,
    )
    values = []
    for value in line.findall(text):
        if exact := _WITH_UNIT.fullmatch(value):
            values.append(exact[1])
        elif _NUMBERLIKE.search(value):
            values.append(value)
    return values


def _from_json(text: str) -> dict[str, float]:
    def refuse(constant: str) -> float:
        raise ValueError(f"{constant} is not a number that can be compared")

    try:
        content = json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise ValueError(f"not valid JSON ({error})") from None
    except RecursionError:
        raise ValueError("not valid JSON (nested too deeply)") from None
    if not isinstance(content, dict):
        raise ValueError("must hold one JSON object, name to number")
    return {_checked_name(name): _checked(name, value) for name, value in content.items()}


def _checked_name(name: str) -> str:
    # Names become cells of tables and lines of files: nothing that could break one.
    if not name.isprintable() or len(name) > _MAX_NAME:
        raise ValueError(f"{name[:80]!r} cannot be the name of a metric")
    return name


def _checked(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is {repr(value)[:80]}, not a number")
    try:
        number = float(value)
    except OverflowError:  # an integer of more than 308 digits
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{name} is too large to be a number")
    return number


def _not_printed(metric: str, pattern: str, text: str) -> str:
    if pattern:
        return f"nothing in the output matches the pattern {pattern!r}"
    near = [line.strip() for line in text.splitlines() if metric.lower() in line.lower()]
    if near:
        return (
            f"{metric} was not printed as `{metric}: NUMBER` on a line of its own; "
            f"the nearest line is {near[-1][:80]!r}"
        )
    return f"{metric} was not printed: a line `{metric}: NUMBER` is expected"
