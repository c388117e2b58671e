"""What setup writes: `config.toml` and `program.md`, from the domain's templates."""

import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jinja2
import tomli_w

from autoresearch import catalog
from autoresearch.config import Config, validate
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
    metric: str = ""
    direction: str | float = ""
    pattern: str = ""
    time_budget: str | float = ""
    constraints: str = ""
    proposer: str = ""
    propose: str = ""
    probe: bool = True


def domain_defaults(domain: str) -> dict[str, Any]:
    """What the domain's template assumes; a domain of the user's own is like `custom`."""
    return tomllib.loads((_domain_folder(domain) / "domain.toml").read_text("utf-8"))


def config_text(answers: Answers) -> str:
    """The text of `config.toml`: comments from the template, values through tomli-w."""
    environment = _environment()
    environment.filters["toml"] = _toml_value
    return environment.from_string(
        catalog.find("templates/config.toml.jinja").read_text("utf-8")
    ).render(asdict(answers))


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
    experiment.directory.mkdir(parents=True)
    write_gitignore(experiment)
    experiment.config_path.write_text(config, encoding="utf-8")
    experiment.program_path.write_text(program, encoding="utf-8")


def _domain_folder(domain: str) -> Path:
    folder = catalog.find("templates/domains")
    return folder / domain if (folder / domain).is_dir() else folder / "custom"


def _environment() -> jinja2.Environment:
    return jinja2.Environment(trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True)


def _toml_value(value: object) -> str:
    if isinstance(value, tuple):
        value = list(value)
    return tomli_w.dumps({"x": value}, multiline_strings=False).removeprefix("x = ").strip()
