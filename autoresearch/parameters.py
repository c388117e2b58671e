"""Parameters that source text declares by a comment behind a value, in any language.

    LR = 3e-4           # tune: 1e-5..1e-2 log
    #define BLOCK 64    // tune: 8..256 step 8
    CFLAGS = -O2        # tune: {-O1, -O2, -O3}

The value is the last number, or the last choice, before the comment; the name is the identifier
that it is given to. Whole bounds and a whole value make an integer. Every value has one canonical
spelling, so that two points of a search can be compared as text. Pure functions: nothing here
reads or writes a file.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from autoresearch.errors import ConfigError

SYNTAX = "`LR = 3e-4  # tune: 1e-5..1e-2 log` or `OPTIMISER = adam  # tune: {adam, sgd}`"

_UNSIGNED = r"(?:\d+(?:_\d+)*(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?"
_COMMENT = re.compile(r"(?P<opener><!--|/\*+|//+|#+|--+|;+|%+)[ \t]*tune:(?P<spec>.*)")
_CLOSERS = {"/*": "*/", "<!": "-->"}
_RANGE = re.compile(rf"([-+]?{_UNSIGNED})\s*\.\.\s*([-+]?{_UNSIGNED})(.*)")
_LOOKS_DECLARED = re.compile(r"\.\.|\{|^[-+.\d]")
_STEP = re.compile(rf"\bstep[ =]\s*({_UNSIGNED})")
_CHOICE = re.compile(
    r"""\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[^,]*?))\s*(?:,|$)"""
)
# A sign belongs to a number unless it stands right behind an operand: `x=-3`, but not `n-3`.
_LITERAL = re.compile(rf"(?<![\w.])(?P<number>(?:(?<![\w.)\]])-)?{_UNSIGNED})(?P<rest>[\w.]*)")
# What may stand behind the digits and is left alone: a unit (`30s`), C's `0.3f`, Rust's `64_u32`.
_SUFFIX = re.compile(r"[A-Za-z]*|_?[iuf](?:8|16|32|64|128)")
_DEFINED = re.compile(r"#\s*define\s+(\w+)")
_ASSIGNED = re.compile(r"""([A-Za-z_][\w.-]*)["']?\s*[^\w\s]?[=:]""")
_IDENTIFIER = re.compile(r"[A-Za-z_][\w.-]*")


class Kind(StrEnum):
    """What values a parameter can have."""

    INT = "int"
    FLOAT = "float"
    CHOICE = "choice"


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One declared parameter: what it may be, what it is, and where that stands."""

    name: str
    path: str
    line: int  # from 1
    start: int  # of the value in its line, in characters
    end: int
    value: str  # canonical; may be outside the range
    kind: Kind
    low: float = 0
    high: float = 0
    step: float | None = None  # integers always have one
    log: bool = False
    choices: tuple[str, ...] = ()

    @property
    def space(self) -> tuple[object, ...]:
        """What it may be, in which file; not what it is now, nor in which line."""
        numbers = (self.low, self.high, self.step, self.log)
        return (self.name, self.path, self.kind, *numbers, self.choices)


def declared(path: str, text: str) -> list[Parameter]:
    """The parameters that one file declares, in order.

    A name that comes again is counted: `LR`, `LR#2`. Raises ConfigError, with file and line, for
    a declaration that makes no sense.
    """
    if "tune:" not in text:
        return []
    found: list[Parameter] = []
    counts: Counter[str] = Counter()
    for number, line in enumerate(text.split("\n"), start=1):
        parameter = _parse_line(path, number, line)
        if parameter is None:
            continue
        counts[parameter.name] += 1
        if counts[parameter.name] > 1:
            parameter = replace(parameter, name=f"{parameter.name}#{counts[parameter.name]}")
        found.append(parameter)
    return found


def declared_in_all(texts: Mapping[str, str]) -> list[Parameter]:
    """The parameters of several files (path -> text); `path:NAME` where two use the same name."""
    found = [parameter for path in sorted(texts) for parameter in declared(path, texts[path])]
    counts = Counter(parameter.name for parameter in found)
    return [
        replace(parameter, name=f"{parameter.path}:{parameter.name}")
        if counts[parameter.name] > 1
        else parameter
        for parameter in found
    ]


def with_values(text: str, path: str, values: Mapping[str, str]) -> str:
    """`text` with other values (name -> canonical value) in its declarations.

    A value that stays the same keeps its spelling, and nothing else changes.
    """
    lines = text.split("\n")
    for parameter in declared(path, text):
        value = values.get(f"{path}:{parameter.name}", values.get(parameter.name))
        if value is not None and value != parameter.value:
            line = lines[parameter.line - 1]
            lines[parameter.line - 1] = line[: parameter.start] + value + line[parameter.end :]
    return "\n".join(lines)


def spell(parameter: Parameter, value: float) -> str:
    """The canonical spelling of a number for this parameter.

    Floats have six significant digits (twelve on a grid of steps, to stay on it) and a point,
    because `3` is no float in Rust and `1e-05` is text in YAML.
    """
    if parameter.kind == Kind.INT:
        return str(int(value))
    text = f"{value + 0.0:.{12 if parameter.step else 6}g}"
    if parameter.low <= value <= parameter.high:  # then rounding must not leave the range
        inside = min(max(float(text), parameter.low), parameter.high)
        text = text if inside == float(text) else repr(float(inside))
    digits, exponent, power = text.partition("e")
    return (digits if "." in digits else f"{digits}.0") + exponent + power


def reachable(parameter: Parameter, value: str) -> float | str | None:
    """What a value means in the search: a number or a choice. None when it is out of reach."""
    if parameter.kind == Kind.CHOICE:
        return value if value in parameter.choices else None
    try:
        number = int(value) if parameter.kind == Kind.INT else float(value)
    except ValueError:
        return None  # it was declared as something else when it was tried
    if not parameter.low <= number <= parameter.high:
        return None
    if parameter.step:
        steps = (number - parameter.low) / parameter.step
        return number if abs(steps - round(steps)) < 1e-8 else None
    return number


def size(parameter: Parameter) -> int | None:
    """How many values it can have; None when they cannot be counted."""
    if parameter.kind == Kind.CHOICE:
        return len(parameter.choices)
    if parameter.step is None:
        return None
    return math.floor((parameter.high - parameter.low) / parameter.step + 1e-8) + 1


def value_at(parameter: Parameter, index: int) -> str:
    """One of its values, by index from 0. Only for a parameter that has a size."""
    if parameter.kind == Kind.CHOICE:
        return parameter.choices[index]
    return spell(parameter, parameter.low + index * (parameter.step or 1))


def _parse_line(path: str, number: int, line: str) -> Parameter | None:
    comments = list(_COMMENT.finditer(line))
    if not comments:
        return None
    comment = comments[-1]
    opener = comment["opener"][:1] if comment["opener"][0] in "#;%" else comment["opener"][:2]
    spec, code = comment["spec"], line[: comment.start()]
    if opener in _CLOSERS:
        closer = _CLOSERS[opener]
        spec = spec.split(closer)[0]
        inside = rf"{re.escape(opener)}.*?{re.escape(closer)}"
        code = re.sub(inside, lambda match: " " * len(match[0]), code)
    spec = spec.strip()
    if code.lstrip().startswith(opener):
        return None  # the whole line is commented out
    code = re.split(rf"\s{re.escape(opener)}", code, maxsplit=1)[0]  # another comment before ours
    if not _LOOKS_DECLARED.search(spec) and not re.search("[=:]", code):
        return None  # prose: it tells people about such comments, or is a heading
    try:
        if not code.strip():
            raise ValueError("there is no value before the comment, on the same line")
        parse = _parse_choices if spec.startswith("{") else _parse_range
        return parse(path, number, code, spec)
    except ValueError as error:
        raise ConfigError(f"{path}:{number}: `tune: {spec}`: {error}.") from None


def _parse_range(path: str, line: int, code: str, spec: str) -> Parameter:
    match = _RANGE.fullmatch(spec)
    if match is None:
        raise ValueError(f"this is neither a range nor choices; write {SYNTAX}")
    log, step_text = _parse_options(match[3])
    literal = _last_literal(code)
    texts = [match[1], match[2], literal["number"], *([step_text] if step_text else [])]
    is_whole = not any(set(text) & set(".eE") for text in texts)
    low, high, value, *steps = (int(text) if is_whole else float(text) for text in texts)
    step = steps[0] if steps else None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ValueError("the first bound must be below the second")
    if log and low <= 0:
        raise ValueError("log needs bounds above zero")
    if step is not None and not 0 < step <= high - low:
        raise ValueError("the step must be above zero and fit between the bounds")
    parameter = Parameter(
        name=_name(code, literal.start(), line),
        path=path,
        line=line,
        start=literal.start("number"),
        end=literal.end("number"),
        value="",
        kind=Kind.INT if is_whole else Kind.FLOAT,
        low=low,
        high=high,
        step=1 if is_whole and step is None else step,
        log=log,
    )
    return replace(parameter, value=spell(parameter, value))


def _parse_options(text: str) -> tuple[bool, str]:
    """Whether `log` is asked for, and the step as written or nothing."""
    step = _STEP.search(text)
    rest = _STEP.sub("", text, count=1).split()
    if rest not in ([], ["log"]):
        raise ValueError(f"{' '.join(rest)!r} is not an option: there are `log` and `step N`")
    if rest and step:
        raise ValueError("`log` and `step` cannot go together")
    return bool(rest), step[1] if step else ""


def _last_literal(code: str) -> re.Match[str]:
    literals = list(_LITERAL.finditer(code))
    if not literals:
        raise ValueError("there is no number before the comment")
    last = literals[-1]
    is_hexadecimal = last["number"] in ("0", "-0") and last["rest"][:1] in tuple("xXoObB")
    if is_hexadecimal or not _SUFFIX.fullmatch(last["rest"]):
        raise ValueError(f"{last[0]!r}, the last before the comment, is no plain decimal number")
    return last


def _parse_choices(path: str, line: int, code: str, spec: str) -> Parameter:
    if not spec.endswith("}"):
        raise ValueError("the choices need a `}` at their end")
    choices = tuple(
        match["double"] or match["single"] or match["bare"] or ""
        for match in _CHOICE.finditer(spec[1:-1])
        if match[0]
    )
    if "" in choices or len(choices) < 2 or len(set(choices)) < len(choices):
        raise ValueError("there must be two choices or more, all different and none empty")
    # The longest first, so that `sgd` is not found in `sgd-momentum`.
    pattern = "|".join(_whole(choice) for choice in sorted(choices, key=len, reverse=True))
    found = list(re.finditer(pattern, code))
    if not found:
        raise ValueError("the value before the comment is none of the choices")
    last = found[-1]
    return Parameter(
        name=_name(code, last.start(), line),
        path=path,
        line=line,
        start=last.start(),
        end=last.end(),
        value=last[0],
        kind=Kind.CHOICE,
        choices=choices,
    )


def _whole(choice: str) -> str:
    """A pattern for `choice` as a whole word: not `1` in `0.1`, not `O2` in `O25`."""
    before = r"(?<!\w)(?<!\d\.)" if re.match(r"\w", choice) else ""
    after = r"(?!\w)(?!\.\d)" if re.search(r"\w$", choice) else ""
    return before + re.escape(choice) + after


def _name(code: str, value_start: int, line: int) -> str:
    """What the value at `value_start` is given to, as well as any language's text can tell."""
    before = code[:value_start]
    own_part = re.split(r"[({\[,;]", before)[-1]  # `b` in `f(a=1, b=2)`
    match = _DEFINED.search(before) or _ASSIGNED.search(own_part) or _ASSIGNED.search(before)
    if match:
        return match[1]
    identifiers = _IDENTIFIER.findall(before)
    return identifiers[-1] if identifiers else f"line{line}"
