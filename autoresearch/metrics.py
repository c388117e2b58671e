"""Text to metrics: the numbers that an evaluator printed.

The grammar is whole lines, `NAME: NUMBER [UNIT]` or `NAME=NUMBER`, optionally after `metric:`.
Numbers are plain ASCII decimals. What looks like a number and is none (`nan`, `inf`, `1_000`,
digits of another script) makes the metric unusable; it is never read as a value.
"""

import json
import math
import re
from dataclasses import dataclass

_NAME = r"[A-Za-z_][A-Za-z0-9_./%-]*"
_NUMBER = r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_UNIT = r"[A-Za-z%µ°][A-Za-z0-9%µ°/^*-]*"
_LINE = re.compile(
    rf"^[ \t]*(?:metric:[ \t]*)?({_NAME})[ \t]*[:=][ \t]*({_NUMBER})(?:[ \t]*{_UNIT})?[ \t]*$",
    re.MULTILINE,
)
_PLAIN = re.compile(_NUMBER)
# A value that is meant as a number: it holds a digit of any script, or spells nan or inf.
_NUMBERLIKE = re.compile(r"[-+]?(?:nan|inf(?:inity)?)|[^\s]*\d[^\s]*", re.IGNORECASE)
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
_MAX_METRICS = 100


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
            numbers.update(_from_json(file))
        except ValueError as error:
            return Reading(None, numbers, f"$AUTORESEARCH_METRICS: {error}")
        if metric in json.loads(file):
            return Reading(numbers[metric], numbers)
    found = [m[1] for m in re.finditer(pattern, text, re.MULTILINE)] if pattern else []
    if not pattern:
        found = _values_of(metric, text)
    if not found:
        return Reading(None, numbers, _not_printed(metric, pattern, text))
    for value in found if strict else found[-1:]:
        if value is None or not _PLAIN.fullmatch(value):
            return Reading(None, numbers, f"{metric} was printed as {value!r}, not a plain number")
        if not math.isfinite(float(value)):
            return Reading(None, numbers, f"{metric} was printed as {value}, which is infinite")
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


def _values_of(metric: str, text: str) -> list[str]:
    """What was printed for one metric, numbers and what was meant as numbers, in order."""
    line = re.compile(
        rf"^[ \t]*(?:metric:[ \t]*)?{re.escape(metric)}[ \t]*[:=][ \t]*"
        rf"({_NUMBERLIKE.pattern})(?:[ \t]*{_UNIT})?[ \t]*$",
        re.MULTILINE | re.IGNORECASE,
    )
    name = re.compile(re.escape(metric))
    values = []
    for match in line.finditer(text):
        if not name.search(match[0]):
            continue  # another spelling of the name
        exact = re.fullmatch(rf"({_NUMBER})(?:{_UNIT})?", match[1])
        values.append(exact[1] if exact else match[1])
    return values


def _from_json(text: str) -> dict[str, float]:
    def refuse(constant: str) -> float:
        raise ValueError(f"{constant} is not a number that can be compared")

    try:
        content = json.loads(text, parse_constant=refuse)
    except json.JSONDecodeError as error:
        raise ValueError(f"not valid JSON ({error})") from None
    if not isinstance(content, dict):
        raise ValueError("must hold one JSON object, name to number")
    numbers = {}
    for name, value in content.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"{name} is {value!r}, not a number")
        if not math.isfinite(value):
            raise ValueError(f"{name} is too large to be a number")
        numbers[name] = float(value)
    return numbers


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
