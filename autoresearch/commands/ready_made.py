"""Choosing a ready-made evaluator for `setup`: by name, at a question, or the domain's own."""

import json
import os
import posixpath
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import typer

from autoresearch import detect, evaluators, git
from autoresearch.dashboard import plain
from autoresearch.errors import ConfigError, UsageError
from autoresearch.evaluators import INSTALLED, Evaluator, Value
from autoresearch.experiment import FOLDER, Experiment
from autoresearch.scaffold import Answers

_GLOB = frozenset("*?[")


@dataclass(frozen=True)
class Choice:
    """An evaluator, and what it is told."""

    evaluator: Evaluator
    values: Mapping[str, Value]

    @property
    def is_complete(self) -> bool:
        """Whether it can run: no option that it needs is missing."""
        return not self.evaluator.missing(self.values)


def list_evaluators(*, as_json: bool) -> int:
    """Print all ready-made evaluators, a line each."""
    known = evaluators.ready_made()
    if as_json:
        print(json.dumps([_fields(one) for one in known], indent=2))
        return 0
    titles = ["NAME", "METRIC", "DIRECTION", "COST", "WHAT IT MEASURES"]
    rows = [[one.name, one.metric, one.direction, one.cost, one.summary] for one in known]
    _print_table(titles, rows)
    print("\nFor example:  autoresearch setup --evaluator benchmark_speed \\")
    print("                --evaluator-option command='./bench' --target 'src/**'")
    print("All options:  autoresearch setup --evaluator NAME --list-evaluators")
    return 0


def describe(name: str, *, as_json: bool) -> int:
    """Print one evaluator and its options."""
    one = evaluators.find(name)
    if as_json:
        print(json.dumps(_fields(one), indent=2))
        return 0
    print(f"{one.name}: {one.summary}")
    print(f"metric {one.metric}, {one.direction} is better; cost: {one.cost}")
    rows = [[option.name, _default(option), option.help] for option in one.options]
    _print_table(["OPTION", "DEFAULT", "WHAT IT IS"], rows)
    return 0


def choose(
    answers: Answers,
    defaults: Mapping[str, Any],
    repository: git.Repository,
    files: Sequence[str],
    *,
    is_asking: bool,
    take_suggestions: bool,
) -> tuple[Answers, Choice | None]:
    """What measures, and the answers that follow from it: an evaluator, or None for a command.

    Without a name or a command, `defaults` (the domain's) may suggest an evaluator.
    """
    if answers.evaluator and answers.command:
        raise UsageError("--eval and --evaluator exclude each other: one of them measures.")
    is_named = bool(answers.evaluator)
    if not is_named and not answers.command:
        found = [*detect.evaluation_commands(files), ""][0] if is_asking or take_suggestions else ""
        likely = found or _suggested(answers, str(defaults.get("evaluator", "")))
        if is_asking:
            question = "Command that prints the number, or the name of a ready-made evaluator"
            likely = str(typer.prompt(question, default=likely or None))
        if any(likely == one.name for one in evaluators.ready_made()):
            answers = replace(answers, evaluator=likely)
        else:
            answers = replace(answers, command=likely)
    if not answers.evaluator:
        if answers.evaluator_options:
            raise UsageError("--evaluator-option needs --evaluator NAME.")
        return answers, None
    evaluator = evaluators.find(answers.evaluator)
    values = evaluator.read(answers.evaluator_options)
    if evaluator.target and evaluator.target not in values:
        values |= _improved(evaluator, answers, repository)
    for option in evaluator.missing(values) if is_asking else []:
        values[option.name] = option.read([typer.prompt(f"{option.name} ({option.help})")])
    choice = Choice(evaluator, values)
    if is_named:
        _refuse_incomplete(choice)
    if choice.is_complete and (problem := evaluator.problem(values)):
        raise UsageError(f"{evaluator.name}: {problem}.")
    return _answers_of(choice, answers, repository), choice


def cost(choice: Choice | None, repository: git.Repository, *, is_needed: bool) -> str:
    """What one evaluation will cost, in words, "" where it costs nothing.

    Raises ConfigError when the evaluator cannot work here, unless it is not needed now.
    """
    if choice is None or not choice.is_complete:
        return ""
    try:
        return choice.evaluator.estimate(repository.root / repository.prefix, choice.values)
    except ConfigError:
        if is_needed:
            raise
        return ""


def command_of(experiment: Experiment, directory: str) -> str:
    """The command that runs the installed evaluator, from the directory where commands run."""
    place = f"{FOLDER}/{experiment.id}/{INSTALLED}"
    return f"{detect.python()} {os.path.relpath(place, directory or '.')}"


def what_trees_need(choice: Choice) -> list[str]:
    """The options that may name files; not those of files that should not be seen whole."""
    return [
        str(value)
        for option, value in choice.values.items()
        if option not in choice.evaluator.private
    ]


def readable_by_the_proposer(
    choice: Choice, repository: git.Repository, held: Collection[str], links: Collection[str]
) -> list[str]:
    """Why what should be hidden from the proposer is not, in sentences.

    `held` are the files that the baseline will hold, `links` what every tree shows besides.
    """
    found = []
    for name in filter(None, (str(choice.values.get(o, "")) for o in choice.evaluator.private)):
        path = posixpath.normpath(posixpath.join(repository.prefix, name))
        reading = f"a proposer can read all of {name}"
        if path in held:
            found.append(
                f"The baseline holds {name}, so {reading}. To hide a part, have git ignore it "
                f"(`git rm --cached {name}` where it is committed) and set up again."
            )
        elif link := next((one for one in links if _is_below(path, one)), None):
            found.append(f"{link} is linked into every tree, so {reading}: move it elsewhere.")
    return found


def _suggested(answers: Answers, name: str) -> str:
    """The domain's evaluator, unless the user named a metric that it does not print."""
    return name if name and answers.metric in ("", evaluators.find(name).metric) else ""


def _improved(
    evaluator: Evaluator, answers: Answers, repository: git.Repository
) -> dict[str, Value]:
    """What the evaluator looks at, when the target is one file: that file."""
    path = answers.target[0] if len(answers.target) == 1 else ""
    if not path or _GLOB & set(path) or not path.startswith(repository.prefix):
        return {}
    return {evaluator.target: path.removeprefix(repository.prefix)}


def _refuse_incomplete(choice: Choice) -> None:
    if missing := choice.evaluator.missing(choice.values):
        name = choice.evaluator.name
        needed = " ".join(f"--evaluator-option {option.name}=…" for option in missing)
        raise UsageError(
            f"{name} needs {needed} ({missing[0].help}). "
            f"`autoresearch setup --evaluator {name} --list-evaluators` shows all its options."
        )


def _answers_of(choice: Choice, answers: Answers, repository: git.Repository) -> Answers:
    """The answers that follow from an evaluator and its options."""
    evaluator, values = choice.evaluator, choice.values
    done = replace(answers, evaluator=evaluator.name, network=evaluator.network)
    done.metric = done.metric or evaluator.metric
    if done.direction == "":
        done.direction = evaluator.direction
    improved = str(values.get(evaluator.target, ""))
    if improved and not done.target:
        done.target = (repository.prefix + improved,)
    return done


def _print_table(titles: list[str], rows: list[list[str]]) -> None:
    """One line a row; on a terminal the last column wraps within itself."""
    if not sys.stdout.isatty():
        for row in plain.align(titles, rows, numeric=set()):
            print("  ".join(row).rstrip())
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*titles, box=None, padding=(0, 2, 0, 0), header_style="bold")
    for row in rows:
        table.add_row(*row)
    Console(markup=False, highlight=False).print(table)


def _is_below(path: str, folder: str) -> bool:
    return f"{path}/".startswith(f"{folder.rstrip('/')}/")


def _fields(one: Evaluator) -> dict[str, object]:
    return {
        "name": one.name,
        "summary": one.summary,
        "metric": one.metric,
        "direction": one.direction,
        "cost": one.cost,
        "network": one.network,
        "options": {
            option.name: {
                "default": option.default,
                "help": option.help,
                "required": option.is_required,
            }
            for option in one.options
        },
    }


def _default(option: evaluators.Option) -> str:
    if option.is_required:
        return "(needed)"
    return str(option.default).lower() if isinstance(option.default, bool) else str(option.default)
