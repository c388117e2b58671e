"""An experiment's config: `config.toml` <-> a validated model.

Every key is a decision of the user. Unknown keys are errors that name the nearest one, and keys of
features that this version does not have are refused by name, so that nobody relies on a
protection that is not there.
"""

import difflib
import hashlib
import json
import math
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from autoresearch.errors import ConfigError
from autoresearch.goal import Goal

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*([smhd])", re.ASCII)

# Keys that DESIGN.md names and that come with later versions.
_NOT_YET = {
    ("evaluate", "pass_env"): "until there is a sandbox, commands get the whole environment",
    ("evaluate", "options"): "ready-made evaluators are not part of this version",
    ("evaluate", "score"): "separated scoring is not part of this version",
    ("evaluate", "run"): "separated scoring is not part of this version",
    ("evaluate", "holdout"): "a hold-out is not part of this version",
    ("guards",): "guards are not part of this version: use a check that exits non-zero",
    ("sandbox",): "the sandbox is not part of this version: every row says isolation `none`",
    ("hooks",): "hooks are not part of this version",
}


def parse_duration(value: object) -> float:
    """Seconds in `"90s"`, `"5m"`, `"1h30m"`; a bare number is minutes. `""` is 0: no limit.

    Raises ValueError for anything that is not a finite number above zero.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("must be a duration such as 90s, 5m or 1h30m")
    if isinstance(value, str):
        text = value.strip()
        if text == "":
            return 0.0
        if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
            return _positive(float(text) * 60)
        parts = list(_PART.finditer(text))
        if not parts or "".join(part.group() for part in parts) != text:
            raise ValueError(f"{value!r} is not a duration such as 90s, 5m or 1h30m")
        return _positive(sum(float(part[1]) * _UNITS[part[2]] for part in parts))
    return _positive(float(value) * 60)


def _positive(seconds: float) -> float:
    if not math.isfinite(seconds) or seconds <= 0:
        raise ValueError("must be a duration above zero")
    return seconds


def _direction(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be lower, higher, or a number to get close to")
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    if isinstance(value, str):
        text = value.strip()
        if text in ("lower", "higher"):
            return text
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        if math.isfinite(number):
            return number
    raise ValueError("must be lower, higher, or a number to get close to")


def _no_nul(value: object) -> object:
    if isinstance(value, str) and "\0" in value:
        raise ValueError("must not hold a NUL character")
    return value


def _relative(value: object) -> object:
    if isinstance(value, str) and (value.startswith("/") or ".." in value.split("/")):
        raise ValueError(f"{value!r} must be a path inside the repository, without ..")
    return _no_nul(value)


def _optional_number(value: object) -> object:
    return None if value == "" else value


Text = Annotated[str, BeforeValidator(_no_nul)]
RepositoryPath = Annotated[str, BeforeValidator(_relative)]
Duration = Annotated[float, BeforeValidator(parse_duration)]
Direction = Annotated[str | float, BeforeValidator(_direction)]
Count = Annotated[int, Field(ge=0, strict=True)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Evaluate(_Table):
    """`[evaluate]`: how a candidate is measured."""

    command: Text = ""
    metric: Text = ""
    direction: Direction = "lower"
    pattern: Text = ""
    time_budget: Duration = 300.0
    stop_after: Annotated[float, Field(ge=1.0)] = 2.5
    prepare: Text = ""
    network: bool = False
    strict_metric: bool = False
    probe: bool = True

    @property
    def hard_limit(self) -> float:
        """Seconds after which an evaluation is stopped."""
        return self.time_budget * self.stop_after

    @property
    def goal(self) -> Goal:
        """The metric and its direction."""
        return Goal(self.metric, self.direction)

    @model_validator(mode="after")
    def _pattern_has_one_group(self) -> "Evaluate":
        if self.pattern:
            try:
                groups = re.compile(self.pattern).groups
            except re.error as error:
                raise ValueError(f"pattern is not a regular expression: {error}") from error
            if groups != 1:
                raise ValueError("pattern must have exactly one group: the number")
        return self


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
    max_time: Duration = 0.0
    max_cost_usd: Annotated[float, Field(ge=0)] = 0.0
    patience: Count = 0
    until: Annotated[float | None, BeforeValidator(_optional_number)] = None


class Config(_Table):
    """All that an experiment's user decided."""

    goal: Text = ""
    repo: Text = ""  # user scope only: the repository
    directory: RepositoryPath = ""  # where commands run, relative to the repository's root
    target: tuple[RepositoryPath, ...] = ()
    frozen: tuple[RepositoryPath, ...] = ()
    link: tuple[RepositoryPath, ...] = ()
    keep: tuple[RepositoryPath, ...] = ()
    share_machine: bool = False
    evaluate: Evaluate = Evaluate()
    checks: tuple[Check, ...] = ()
    judge: Judge = Judge()
    proposer: ProposerConfig = ProposerConfig()
    limits: Limits = Limits()

    def missing(self) -> list[str]:
        """The keys that must be filled in before anything can run."""
        return [
            name
            for name, value in (
                ("target", self.target),
                ("evaluate.command", self.evaluate.command.strip()),
                ("evaluate.metric", self.evaluate.metric.strip()),
            )
            if not value
        ]

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
        content = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        raise ConfigError(f"There is no {path}. `autoresearch setup` makes one.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text. Save it as UTF-8.") from None
    try:
        table = tomllib.loads(content)
    except tomllib.TOMLDecodeError as error:
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
    problem = error.errors()[0]
    location = [str(part) for part in problem["loc"] if part != "float"]
    key = ".".join(location)
    if problem["type"] == "extra_forbidden":
        near = difflib.get_close_matches(location[-1], _known_keys(location[:-1]), n=1, cutoff=0.4)
        hint = f" Did you mean `{near[0]}`?" if near else ""
        return f"there is no key `{key}`.{hint}"
    if (key, problem["type"]) == ("judge.rule", "literal_error"):
        return f"`judge.rule` must be greedy, not {problem['input']!r}: the others come later."
    text = problem["msg"].removeprefix("Value error, ")
    return f"`{key}` {text[0].lower()}{text[1:]} (it is {problem['input']!r})."


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
