"""The ready-made evaluators: what each is for, which options it has, and how one is installed.

An evaluator is a script in `evaluators/`. What `setup` must know stands in its header (inline
script metadata, PEP 723, table `[tool.autoresearch]`); its options are those of its own parser.
"""

import argparse
import difflib
import importlib.util
import io
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

from autoresearch import catalog
from autoresearch.errors import ConfigError, UsageError

Value = str | int | float | bool | list[str]

INSTALLED = "evaluate.py"
PRIVATE = "private"  # in the experiment's folder: what only the evaluator gets to see
_HEADER = re.compile(r"^# /// script\n((?:#.*\n)+?)# ///$", re.MULTILINE)
_SHARED = re.compile(r"^(?:import|from) (evaluate_\w+)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option of an evaluator. `default` is what holds when it is not given."""

    name: str
    help: str
    default: Value
    is_required: bool
    _action: argparse.Action

    def read(self, texts: Sequence[str]) -> Value:
        """The value that was typed. Raises UsageError when it cannot be one."""
        if isinstance(self.default, list):
            return list(texts)
        text = texts[-1]
        if isinstance(self.default, bool):
            if text.lower() not in ("true", "false"):
                raise UsageError(f"{self.name} must be true or false, not {text!r}.")
            return text.lower() == "true"
        choices = self._action.choices
        if choices is not None and text not in choices:
            raise UsageError(f"{self.name} must be one of {', '.join(choices)}, not {text!r}.")
        if self._action.type in (int, float):
            try:
                return int(text) if self._action.type is int else float(text)
            except ValueError:
                raise UsageError(f"{self.name} must be a number, not {text!r}.") from None
        return text


@dataclass(frozen=True, kw_only=True)
class Evaluator:
    """A ready-made evaluator."""

    name: str
    path: Path
    summary: str
    metric: str
    direction: str
    goal: str = ""  # what is wanted, where the domain's own words do not fit
    cost: str = "free"
    network: bool = False
    guards: tuple[Mapping[str, str], ...] = ()
    frozen: tuple[str, ...] = ()  # options that name files which a proposer must not change
    private: tuple[str, ...] = ()  # options that name files which it should not see whole
    target: str = ""  # the option that names what is to be improved

    @cached_property
    def options(self) -> tuple[Option, ...]:
        """All options, in the order of its parser."""
        parser: argparse.ArgumentParser = self._module.parser()
        return tuple(
            _option(action)
            for action in parser._actions
            if not isinstance(action, argparse._HelpAction)
        )

    def read(self, given: Sequence[str]) -> dict[str, Value]:
        """The values in `K=V` texts; one that is repeated makes a list, where it can be one.

        Raises UsageError for an unknown name or an impossible value.
        """
        texts: dict[str, list[str]] = {}
        for text in given:
            name, equals, value = text.partition("=")
            if not equals:
                raise UsageError(f"--evaluator-option takes NAME=VALUE, not {text!r}.")
            texts.setdefault(name.strip().replace("-", "_"), []).append(value)
        known = {option.name: option for option in self.options}
        for name in texts:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f" Did you mean {near[0]}?" if near else ""
                raise UsageError(
                    f"{self.name} has no option {name!r}.{hint} It has: {', '.join(known)}."
                )
        return {name: known[name].read(values) for name, values in texts.items()}

    def missing(self, values: Mapping[str, Value]) -> list[Option]:
        """The options without which nothing works, and that have no value yet."""
        return [o for o in self.options if o.is_required and values.get(o.name, "") == ""]

    def problem(self, values: Mapping[str, Value]) -> str:
        """What is wrong with a complete set of options, "" when nothing is."""
        check = getattr(self._module, "problem", None)
        return check(self._namespace(values)) if check else ""

    def install(self, folder: Path) -> None:
        """Copy the script, and the modules that it shares with others, into a folder."""
        shutil.copyfile(self.path, folder / INSTALLED)
        for module in self._shared():
            shutil.copyfile(module, folder / module.name)

    def set_up(self, folder: Path, root: Path, values: Mapping[str, Value]) -> dict[str, Value]:
        """Have the evaluator write its own files into the experiment's folder, where it has any.

        `root` is where commands run in the user's checkout. Returns the values that then hold.
        Raises ConfigError when it cannot work with these.
        """
        hook = getattr(self._module, "set_up", None)
        if hook is None:
            return dict(values)
        with _failing_plainly():
            changed = {**values, **hook(folder, root, self._namespace(values))}
        if (folder / PRIVATE).is_dir():  # whatever the .gitignore above says
            (folder / PRIVATE / ".gitignore").write_text("*\n")
        defaults = {option.name: option.default for option in self.options}
        return {name: value for name, value in changed.items() if value != defaults[name]}

    def estimate(self, root: Path, values: Mapping[str, Value]) -> str:
        """What one evaluation will cost, in words; "" for an evaluator that costs nothing.

        Raises ConfigError when it cannot work here.
        """
        hook = getattr(self._module, "estimate", None)
        with _failing_plainly():
            return hook(self._namespace(values), root) if hook else ""

    def _namespace(self, values: Mapping[str, Value]) -> argparse.Namespace:
        defaults = {option.name: option.default for option in self.options}
        return argparse.Namespace(**{**defaults, **values})

    def _shared(self) -> list[Path]:
        found: dict[str, Path] = {}
        waiting = [self.path]
        while waiting:
            for name in _SHARED.findall(waiting.pop().read_text("utf-8")):
                if name not in found:
                    found[name] = self.path.with_name(f"{name}.py")
                    waiting.append(found[name])
        return list(found.values())

    @cached_property
    def _module(self) -> ModuleType:
        name = f"autoresearch_evaluator_{self.name}"
        spec = importlib.util.spec_from_file_location(name, self.path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # dataclasses look there
        with _importable(self.path.parent):
            spec.loader.exec_module(module)
        return module


def ready_made() -> list[Evaluator]:
    """All evaluators that ship, by name."""
    scripts = sorted(catalog.find("evaluators").glob("*.py"))
    return [_described(path) for path in scripts if not path.name.startswith("evaluate_")]


def find(name: str) -> Evaluator:
    """The evaluator of that name. Raises UsageError naming the nearest one."""
    known = {evaluator.name: evaluator for evaluator in ready_made()}
    if name in known:
        return known[name]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise UsageError(
        f"There is no evaluator {name!r}.{hint} `autoresearch setup --list-evaluators` shows all."
    )


def measuring_options(folder: Path) -> tuple[str, ...]:
    """The options of the evaluator installed in `folder` whose files no proposer may change.

    Empty where it is no ready-made one.
    """
    path = folder / INSTALLED
    text = path.read_text("utf-8", "replace") if path.is_file() else ""
    return tuple(_header(text).get("frozen", ()))


def _header(text: str) -> dict[str, Any]:
    """The table `[tool.autoresearch]` of a script, empty when it has none that can be read."""
    header = _HEADER.search(text)
    content = "\n".join(line[2:] for line in header[1].splitlines()) if header else ""
    try:
        table: dict[str, Any] = tomllib.loads(content).get("tool", {}).get("autoresearch", {})
    except tomllib.TOMLDecodeError:
        return {}
    return table


def _described(path: Path) -> Evaluator:
    text = path.read_text("utf-8")
    table = _header(text)
    table |= {key: tuple(table[key]) for key in ("guards", "frozen", "private") if key in table}
    summary = text.partition('"""')[2].partition("\n")[0].strip().removesuffix('"""')
    return Evaluator(name=path.stem, path=path, summary=summary, **table)


def _option(action: argparse.Action) -> Option:
    default: Value = action.default
    if isinstance(action, argparse._AppendAction):
        default = list(action.default or [])
    elif action.default is None:
        default = ""
    return Option(
        name=action.dest,
        help=action.help or "",
        default=default,
        is_required=action.required,
        _action=action,
    )


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


@contextmanager
def _failing_plainly() -> Iterator[None]:
    """An evaluator that cannot work says why on stderr, and exits: make that one sentence."""
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            yield
    except SystemExit:
        reason = said.getvalue().strip().removeprefix("failed: ")
        raise ConfigError(f"Nothing was set up: {reason}.") from None
