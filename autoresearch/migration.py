"""Experiments of the first `autoresearch` scripts: `config.cfg` and a four-column `results.tsv`.

The folder becomes one of ours where it stands. The journal comes last but one: once it is there,
the record is ours and is never written from the originals again, even when `config.toml` is lost.
"""

import re
import shutil
import tempfile
from pathlib import Path

import filelock

from autoresearch import git, importers, importing, scaffold
from autoresearch.errors import ConfigError, Locked
from autoresearch.experiment import Experiment, write_gitignore
from autoresearch.importers import Table
from autoresearch.journal import sync_directory
from autoresearch.scaffold import Answers

_ASIDE = ".migration-"
_NUMBER = r"([-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)"


def migrate(experiment: Experiment, start: Path) -> str:
    """Migrate one folder; returns a sentence about it.

    The originals stay: `config.cfg` as it is, the rows as `results.tsv.original`. One in the home
    directory becomes about the repository around `start`, since the scripts were always used in
    it. Raises ConfigError when the folder cannot be read or written, Locked while another process
    migrates.
    """
    try:
        with filelock.FileLock(experiment.lock_path).acquire(timeout=10):
            if experiment.config_path.exists():
                return f"{experiment.id} was migrated meanwhile."
            is_project = experiment.scope == "project"
            return _migrate(experiment, _repository(experiment.directory if is_project else start))
    except filelock.Timeout:
        raise Locked(f"{experiment.id} is being migrated by another process: try again.") from None
    except OSError as error:
        raise ConfigError(
            f"{experiment.id} is of the first scripts, and cannot be migrated: "
            f"{error.filename or experiment.directory}: {error.strerror}."
        ) from None


def _migrate(experiment: Experiment, repository: git.Repository | None) -> str:
    folder = experiment.directory
    for left in folder.glob(f"{_ASIDE}*"):  # by a migration that was killed
        shutil.rmtree(left)
    answers = _answers(folder / "config.cfg")
    if repository and experiment.scope == "user":
        answers.repo = str(repository.root)
    config = scaffold.config_text(answers)
    scaffold.parse(config, str(folder / "config.cfg"))
    original = folder / "results.tsv.original"
    written = original if original.exists() else folder / "results.tsv"
    has_record = experiment.files.journal.exists()
    table = None if has_record else _table(written, answers)
    with tempfile.TemporaryDirectory(prefix=_ASIDE, dir=folder) as aside:
        draft = Experiment(experiment.domain, experiment.name, experiment.scope, Path(aside))
        draft.config_path.write_text(config, encoding="utf-8")
        if table is not None:
            importing.write(draft.files, table, written, repository)
            if not original.exists():
                shutil.copy2(written, draft.directory / original.name)
                (draft.directory / original.name).rename(original)
            draft.files.summary.replace(experiment.files.summary)
            draft.files.results.replace(experiment.files.results)
            draft.files.journal.replace(experiment.files.journal)
        if not experiment.program_path.exists():
            program = scaffold.program_text(experiment, answers)
            experiment.program_path.write_text(program, encoding="utf-8")
        if table is not None and repository is not None:
            importing.keep_commits(experiment, repository)
        write_gitignore(experiment)
        sync_directory(folder)
        draft.config_path.replace(experiment.config_path)
    if has_record:
        return f"Made config.toml of {experiment.id} from config.cfg: its record was there already."
    rows = "no rows" if table is None else f"{len(table.rows)} rows"
    kept = f" It is about {answers.repo}." if answers.repo else ""
    kept += "" if table is None else f" Its rows as they were: {original.name}."
    return f"Migrated {experiment.id}, with {rows}, to config.toml; config.cfg is kept.{kept}"


def _answers(path: Path) -> Answers:
    try:
        lines = path.read_bytes().decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text. Save it as UTF-8.") from None
    pairs = (line.partition(":") for line in lines if ":" in line)
    given = {key.strip(): value.strip() for key, _, value in pairs}
    metric = given.get("metric") or "metric"
    budget = given.get("time_budget_minutes") or "5"
    if not budget.isascii() or not budget.isdigit():
        raise ConfigError(f"{path}: time_budget_minutes must be a whole number, not {budget!r}.")
    return Answers(
        goal=f"make {metric} better",
        target=(given["target"],) if given.get("target") else (),
        command=given.get("evaluate_cmd") or "python evaluate.py",
        metric=metric,
        direction=given.get("metric_direction") or "lower",
        pattern=_pattern(given.get("metric_grep", "^metric:"), metric),
        time_budget=f"{budget}m",
        proposer="manual",
    )


def _pattern(grep: str, metric: str) -> str:
    """What finds the number that the scripts' `metric_grep` found: behind the line's last colon."""
    begin = grep.lstrip("^")
    if begin == f"{metric}:":
        return ""
    return rf"^[ \t]*{re.escape(begin)}(?:.*:)?[ \t]*{_NUMBER}[ \t]*$"


def _table(path: Path, answers: Answers) -> Table | None:
    """The rows, None when there are none yet."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    if len(data.decode("utf-8", "replace").split("\n", 1)[-1].strip()) == 0:
        return None  # only the header
    return importers.read(data, str(path), answers.metric, answers.direction)


def _repository(place: Path) -> git.Repository | None:
    try:
        return git.find_repository(place)
    except ConfigError:
        return None
