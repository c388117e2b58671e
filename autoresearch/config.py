"""An experiment's config: `config.toml` <-> a validated model.

Every key is a decision of the user. Unknown keys are errors that name the nearest one, and keys of
features that this version does not have are refused by name, so that nobody relies on a
protection that is not there.
"""

import hashlib
import json
import math
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from autoresearch.errors import ConfigError
from autoresearch.goal import Goal

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*([smhd])", re.ASCII)
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.ASCII | re.IGNORECASE)

# Keys that DESIGN.md names and that come with later versions.
_NOT_YET = {
    ("evaluate", "pass_env"): "until there is a sandbox, commands get the whole environment",
    ("evaluate", "score"): "separated scoring is not part of this version",
    ("evaluate", "run"): "separated scoring is not part of this version",
    ("evaluate", "holdout"): "a hold-out is not part of this version",
    ("guards",): "guards are not part of this version: use a check that exits non-zero",
    ("sandbox",): "the sandbox is not part of this version: every row says isolation `none`",
    ("hooks",): "hooks are not part of this version",
}

# What pydantic says in Python's words.
_IN_WORDS = {
    "tuple_type": 'must be a list, such as ["a", "b"]',
    "model_type": "must be a table",
    "string_type": "must be text in quotes",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
}


def parse_duration(value: object) -> float:
    """Seconds in `"90s"`, `"5m"`, `"1h30m"`; a bare number is minutes. `""` and 0: no limit.

    Raises ValueError for anything that is not a finite number, zero or above.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("must be a duration such as 90s, 5m or 1h30m")
    if isinstance(value, str):
        text = value.strip()
        if text == "":
            return 0.0
        if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
            return _finite(float(text) * 60)
        parts = list(_PART.finditer(text))
        if not parts or "".join(part.group() for part in parts) != text:
            raise ValueError(f"{value!r} is not a duration such as 90s, 5m or 1h30m")
        return _finite(sum(float(part[1]) * _UNITS[part[2]] for part in parts))
    return _finite(_float(value) * 60)


def _finite(seconds: float) -> float:
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError("must be a duration: not negative, not infinite")
    return seconds


def _float(number: float) -> float:
    try:
        return float(number)
    except OverflowError:  # an integer of more than 308 digits
        return math.inf


def _direction(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be lower, higher, or a number to get close to")
    if isinstance(value, str) and value.strip() in ("lower", "higher"):
        return value.strip()
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, int | float) and math.isfinite(_float(value)):
        return float(value)
    raise ValueError("must be lower, higher, or a number to get close to")


def _no_nul(value: object) -> object:
    if isinstance(value, str) and "\0" in value:
        raise ValueError("must not hold a NUL character")
    return value


def _relative(value: object) -> object:
    if not isinstance(value, str):
        return value
    if value.startswith("/") or ".." in value.split("/"):
        raise ValueError("must be a path inside the repository, without ..")
    while value.startswith("./"):  # git names paths without it
        value = value.removeprefix("./").lstrip("/") or "."
    return _no_nul(value)


def _not_empty(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty: write . for the whole repository")
    return value


def _one_group(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groups
    except re.error as error:
        raise ValueError(f"is not a regular expression: {error}") from error
    if pattern and groups != 1:
        raise ValueError("must have exactly one group: the number")
    return pattern


def _optional_number(value: object) -> object:
    return None if value == "" else value


Text = Annotated[str, BeforeValidator(_no_nul)]
Flag = Annotated[bool, Field(strict=True)]
Number = Annotated[float, Field(strict=True)]
RepositoryPath = Annotated[str, BeforeValidator(_relative)]
Paths = tuple[Annotated[RepositoryPath, AfterValidator(_not_empty)], ...]
Limit = Annotated[float, BeforeValidator(parse_duration)]
Duration = Annotated[Limit, Field(gt=0)]
Direction = Annotated[str | float, BeforeValidator(_direction)]
Count = Annotated[int, Field(ge=0, strict=True)]
OptionValue = Flag | Annotated[int, Field(strict=True)] | Number | Text | list[Text]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Evaluate(_Table):
    """`[evaluate]`: how a candidate is measured."""

    command: Text = ""
    metric: Text = ""
    direction: Direction = "lower"
    pattern: Annotated[Text, AfterValidator(_one_group)] = ""
    time_budget: Duration = 300.0
    stop_after: Annotated[Number, Field(ge=1.0)] = 2.5
    prepare: Text = ""
    network: Flag = False
    strict_metric: Flag = False
    probe: Flag = True
    options: dict[str, OptionValue] = {}  # what a ready-made evaluator is told

    @property
    def hard_limit(self) -> float:
        """Seconds after which an evaluation is stopped."""
        return self.time_budget * self.stop_after

    @property
    def goal(self) -> Goal:
        """The metric and its direction."""
        return Goal(self.metric, self.direction)

    @property
    def option_texts(self) -> list[str]:
        """The texts among the options: commands and files that a ready-made evaluator is told."""
        found: list[str] = []
        for value in self.options.values():
            found += value if isinstance(value, list) else [value] if isinstance(value, str) else []
        return found


class Check(_Table):
    """`[[checks]]`: a command that must pass before anything is measured."""

    command: Annotated[Text, Field(min_length=1)]


class Judge(_Table):
    """`[judge]`: when a candidate is kept."""

    rule: Literal["greedy"] = "greedy"


class ProposerConfig(_Table):
    """`[proposer]`: what changes the code."""

    use: Text = "manual"
    command: Text = ""
    model: Text = ""
    time_limit: Duration = 900.0
    fix_attempts: Count = 1


class Limits(_Table):
    """`[limits]`: when a loop ends. Zero or empty: no limit."""

    max_experiments: Count = 0
    max_time: Limit = 0.0
    max_cost_usd: Annotated[Number, Field(ge=0)] = 0.0
    patience: Count = 0
    until: Annotated[Number | None, BeforeValidator(_optional_number)] = None


class Config(_Table):
    """All that an experiment's user decided."""

    goal: Text = ""
    repo: Text = ""  # user scope only: the repository
    directory: RepositoryPath = ""  # where commands run, relative to the repository's root
    target: Paths = ()
    frozen: Paths = ()
    link: Paths = ()
    keep: Paths = ()
    share_machine: Flag = False
    evaluate: Evaluate = Evaluate()
    checks: tuple[Check, ...] = ()
    judge: Judge = Judge()
    proposer: ProposerConfig = ProposerConfig()
    limits: Limits = Limits()

    def missing(self) -> list[str]:
        """The keys that must be filled in before anything can run."""
        required: list[tuple[str, object]] = [
            ("target", self.target),
            ("evaluate.command", self.evaluate.command.strip()),
            ("evaluate.metric", self.evaluate.metric.strip()),
        ]
        options = self.evaluate.options.items()
        required += [(f"evaluate.options.{name}", value != "") for name, value in options]
        return [name for name, value in required if not value]

    def measuring(self) -> dict[str, Any]:
        """The part that decides whether two numbers can be compared: it defines an epoch."""
        return {
            "evaluate": self.evaluate.model_dump(exclude={"probe", "network"}),
            "checks": [check.command for check in self.checks],
            "directory": self.directory,
            "frozen": sorted(self.frozen),
            "link": sorted(self.link),
        }


def digest(content: dict[str, Any]) -> str:
    """A short fingerprint of what `measuring` returned, and of what the caller added to it."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def load(path: Path) -> Config:
    """Read and validate one config file. Raises ConfigError with the file and the key."""
    try:
        content = path.read_bytes().decode("utf-8-sig")  # some editors write a mark first
    except FileNotFoundError:
        raise ConfigError(f"There is no {path}. `autoresearch setup` makes one.") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text. Save it as UTF-8.") from None
    try:
        table = tomllib.loads(content)
    except ValueError as error:  # TOMLDecodeError, and an integer of thousands of digits
        raise ConfigError(f"{path} is not valid TOML: {error}.") from None
    return validate(table, str(path))


def validate(table: dict[str, Any], source: str) -> Config:
    """The config in `table`. Raises ConfigError; `source` says where it came from."""
    _refuse_later_features(table, source)
    try:
        return Config.model_validate(table)
    except ValidationError as error:
        raise ConfigError(f"{source}: {_explain(error)}") from None


def _refuse_later_features(table: dict[str, Any], source: str) -> None:
    for key, reason in _NOT_YET.items():
        place: Any = table
        for part in key:
            place = place.get(part) if isinstance(place, dict) else None
        if place is not None:
            raise ConfigError(f"{source}: `{'.'.join(key)}` cannot be used yet: {reason}.")


def _explain(error: ValidationError) -> str:
    problems = error.errors()
    # A misspelt key first: it often explains why another one is missing.
    problem = next((p for p in problems if p["type"] == "extra_forbidden"), problems[0])
    location = [str(part) for part in problem["loc"]]
    key, given = ".".join(location), problem["input"]
    if problem["type"] == "extra_forbidden":
        import difflib  # only for this, and every command would wait for it

        near = difflib.get_close_matches(location[-1], _known_keys(location[:-1]), n=1, cutoff=0.4)
        hint = f" Did you mean `{near[0]}`?" if near else ""
        return f"there is no key `{key}`.{hint}"
    if (key, problem["type"]) == ("judge.rule", "literal_error"):
        return f"`judge.rule` must be greedy, not {given!r}: the others come later."
    if problem["type"] == "missing":
        return f"`{key}` is missing."
    text = _IN_WORDS.get(problem["type"]) or re.sub("^(Value error, |Input )", "", problem["msg"])
    return f"`{key}` {text[0].lower()}{text[1:]} (it is {repr(given)[:100]})."


def _known_keys(table: list[str]) -> list[str]:
    model: type[BaseModel] = Config
    for part in table:
        if part.isdigit():
            continue
        annotation = model.model_fields[part].annotation
        inner = getattr(annotation, "__args__", (annotation,))[0]
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return list(model.model_fields)
