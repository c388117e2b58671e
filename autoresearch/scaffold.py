"""What setup writes: `config.toml` and `program.md`, from the domain's templates."""

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jinja2
import tomli_w

from autoresearch import catalog
from autoresearch.config import Config, validate
from autoresearch.evaluators import Evaluator, Value
from autoresearch.experiment import Experiment, write_gitignore


@dataclass(kw_only=True)
class Answers:
    """What the user decided, on the command line or when asked. Empty: not yet."""

    goal: str = ""
    target: tuple[str, ...] = ()
    frozen: tuple[str, ...] = ()
    link: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    directory: str = ""
    repo: str = ""
    command: str = ""
    evaluator: str = ""
    evaluator_options: tuple[str, ...] = ()  # as typed: K=V
    network: bool = False
    metric: str = ""
    direction: str | float = ""
    pattern: str = ""
    time_budget: str | float = ""
    constraints: str = ""
    proposer: str = ""
    propose: str = ""
    patience: int = 0
    max_cost_usd: float = 0
    probe: bool = True


def domain_defaults(domain: str) -> dict[str, Any]:
    """What the domain's template assumes; a domain of the user's own is like `custom`."""
    return tomllib.loads((_domain_folder(domain) / "domain.toml").read_text("utf-8"))


@dataclass(frozen=True)
class _OptionLine:
    """One line of `[evaluate.options]`: commented out while the option has its default."""

    name: str
    value: Value
    help: str
    is_set: bool
    is_needed: bool


def config_text(
    answers: Answers, evaluator: Evaluator | None = None, values: Mapping[str, Value] | None = None
) -> str:
    """The text of `config.toml`: comments from the template, values through tomli-w.

    `values` is what a ready-made `evaluator` is told.
    """
    environment = _environment()
    environment.filters["toml"] = _toml_value
    template = environment.from_string(
        catalog.find("templates/config.toml.jinja").read_text("utf-8")
    )
    lines = _option_lines(evaluator, values or {}) if evaluator else []
    guards = evaluator.guards if evaluator else ()
    return template.render(asdict(answers), option_lines=lines, guards=guards)


def program_text(experiment: Experiment, answers: Answers) -> str:
    """The text of `program.md`."""
    template = (_domain_folder(experiment.domain) / "program.md.jinja").read_text("utf-8")
    targets = "\n".join(f"- `{pattern}`" for pattern in answers.target)
    return (
        _environment()
        .from_string(template)
        .render(asdict(answers), title=experiment.id, target_list=targets or "- (see config.toml)")
    )


def parse(text: str, source: str) -> Config:
    """The config in `text`. Raises ConfigError for answers that make no config."""
    return validate(tomllib.loads(text), source)


def write(experiment: Experiment, config: str, program: str) -> None:
    """Make the experiment's folder."""
    experiment.directory.mkdir(parents=True, exist_ok=True)
    write_gitignore(experiment)
    experiment.config_path.write_text(config, encoding="utf-8")
    experiment.program_path.write_text(program, encoding="utf-8")


def _option_lines(evaluator: Evaluator, values: Mapping[str, Value]) -> list[_OptionLine]:
    missing = {option.name for option in evaluator.missing(values)}
    return [
        _OptionLine(
            name=option.name,
            value=values.get(option.name, option.default),
            help=option.help,
            is_set=option.name in values or option.name in missing,
            is_needed=option.name in missing,
        )
        for option in evaluator.options
    ]


def _domain_folder(domain: str) -> Path:
    folder = catalog.find("templates/domains")
    return folder / domain if (folder / domain).is_dir() else folder / "custom"


def _environment() -> jinja2.Environment:
    return jinja2.Environment(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)


def _toml_value(value: object) -> str:
    if isinstance(value, tuple):
        value = list(value)
    return tomli_w.dumps({"x": value}, multiline_strings=False).removeprefix("x = ").strip()
