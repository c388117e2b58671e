"""`autoresearch import`: a history that another tool wrote becomes an experiment."""

import math
import shutil
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

from autoresearch import experiment as places
from autoresearch import git, importers, importing, scaffold
from autoresearch.commands.selection import label
from autoresearch.commands.setup_report import shown
from autoresearch.dashboard import numbers
from autoresearch.dashboard.json_format import dumps
from autoresearch.dashboard.report import ExperimentReport, counted
from autoresearch.errors import ConfigError, UsageError
from autoresearch.experiment import Experiment
from autoresearch.importers import Table
from autoresearch.scaffold import Answers
from autoresearch.state import State


def import_(
    path: Path,
    file: Path,
    experiment: str,
    metric: str,
    direction: str,
    scope: str,
    *,
    as_json: bool = False,
) -> int:
    """Make the experiment with the history in `file`; nothing is left behind when that fails."""
    repository = git.find_repository(path)
    made = _place(experiment, scope, repository)
    if made.directory.exists():
        raise ConfigError(f"{made.id} exists already: choose another name with -e.")
    table = importers.read(_content(file), file.name, metric, _direction(direction))
    config = scaffold.config_text(_answers(made, table, repository))
    missing = scaffold.parse(config, "This history").missing()
    state = _write(made, table, config, file, repository)
    rows = Counter(str(row.status) for row in table.rows)
    if as_json:
        fields = {
            "experiment": made.id,
            "file": str(file),
            "format": table.format,
            "rows": len(table.rows),
            "counts": rows,
            "metric": table.metric,
            "direction": table.direction,
            "best": state.incumbent_value,
            "best_trial": None if state.incumbent_value is None else state.incumbent_trial,
            "epochs": state.epoch,
            "directory": str(made.directory),
            "fill_in": missing,
        }
        print(dumps(fields), end="")
        return 0
    by_status = counted(ExperimentReport(domain=made.domain, name=made.name, counts=rows))
    number = "1 row" if len(table.rows) == 1 else f"{len(table.rows)} rows"
    print(
        f"Imported {number} from {file.name} ({table.format}): {by_status.partition(': ')[2]}; "
        f"{_best(state)}."
    )
    print(f"Made {shown(made.directory)}. See it: autoresearch log -e {label(made)}")
    print(f"To go on, fill in {', '.join(missing)} in {shown(made.config_path)}")
    print(
        f"Then: autoresearch run -e {label(made)} measures your code anew first, because imported "
        "numbers were measured elsewhere."
    )
    return 0


def _place(wanted: str, scope: str, repository: git.Repository) -> Experiment:
    prefix, _, identity = wanted.rpartition(":")
    scope = prefix or scope
    if identity.count("/") != 1:
        raise UsageError(f"{wanted!r} names no experiment: write -e domain/name.")
    if scope not in ("project", "user"):
        raise UsageError(f"--scope is project or user, not {scope!r}.")
    domain, name = identity.split("/")
    return places.place(domain, name, scope, repository.root)


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"There is no file {file}.") from None
    except IsADirectoryError:
        raise UsageError(f"{file} is a directory: name the file in it.") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}.") from None


def _direction(text: str) -> str | float:
    if text in ("", "lower", "higher"):
        return text
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(
            f"--direction is lower, higher, or a number to get close to, not {text!r}."
        )
    return number


def _answers(experiment: Experiment, table: Table, repository: git.Repository) -> Answers:
    defaults = scaffold.domain_defaults(experiment.domain)
    return Answers(
        goal=table.goal or defaults["goal"],
        repo=str(repository.root) if experiment.scope == "user" else "",
        metric=table.metric,
        direction=table.direction,
        time_budget=defaults["time_budget"],
        proposer="manual",
    )


def _write(
    experiment: Experiment, table: Table, config: str, file: Path, repository: git.Repository
) -> State:
    """Build the folder aside, then put it in its place whole."""
    root = experiment.directory.parents[1]
    is_new = not root.exists()
    root.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".import-", dir=root))
    try:
        draft = replace(experiment, directory=aside / experiment.domain / experiment.name)
        answers = _answers(experiment, table, repository)
        scaffold.write(draft, config, scaffold.program_text(experiment, answers))
        state = importing.write(draft.files, table, file, repository)
        experiment.directory.parent.mkdir(exist_ok=True)
        try:
            draft.directory.rename(experiment.directory)
        except OSError:  # made meanwhile
            raise ConfigError(f"{experiment.id} cannot be made: is it there by now?") from None
        places.write_gitignore(experiment)
        importing.keep_commits(experiment, repository)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        if is_new and not any(root.iterdir()):
            root.rmdir()
    return state


def _best(state: State) -> str:
    if state.incumbent_value is None:
        return "none has a number"
    return f"best {numbers.number(state.incumbent_value)} (trial {state.incumbent_trial})"
