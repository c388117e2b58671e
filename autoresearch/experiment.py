"""Where experiments are, and where one experiment keeps what.

An experiment is `<root>/.autoresearch/<domain>/<name>/`, where root is a repository (project
scope) or the home directory (user scope, whose config names its repository).
"""

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from autoresearch import config as configs
from autoresearch import git
from autoresearch.config import Config
from autoresearch.errors import ConfigError, UsageError
from autoresearch.history import Files

FOLDER = ".autoresearch"
_CONFIG = "config.toml"
_OLD_CONFIG = "config.cfg"  # of the first scripts: migrated as soon as a command finds it
_OLD_IGNORED = "**/run.*.log"  # stands in the `.gitignore` of the first scripts
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*", re.ASCII)
_IGNORED = """\
# What a run writes, and what a proposer must not see. The config, program and evaluator beside it
# can be committed and shared.
journal.jsonl*
results.tsv*
summary.json*
checkouts.json*
runner.json*
run.log
lock
trials/
private/
"""


@dataclass(frozen=True)
class Experiment:
    """One experiment's place."""

    domain: str
    name: str
    scope: str  # project | user
    directory: Path

    @property
    def id(self) -> str:
        """`<domain>/<name>`."""
        return f"{self.domain}/{self.name}"

    @property
    def config_path(self) -> Path:
        """What the user decided."""
        return self.directory / _CONFIG

    @property
    def program_path(self) -> Path:
        """What the human tells the proposer."""
        return self.directory / "program.md"

    @property
    def files(self) -> Files:
        """The record."""
        return Files(
            journal=self.directory / "journal.jsonl",
            results=self.directory / "results.tsv",
            summary=self.directory / "summary.json",
        )

    @property
    def lock_path(self) -> Path:
        """Held by the one process that may write."""
        return self.directory / "lock"

    @property
    def runner_path(self) -> Path:
        """What the running process says about itself, for `status` and `stop`."""
        return self.directory / "runner.json"

    @property
    def checkouts_path(self) -> Path:
        """The commit that each checkout was last put at, for `try`."""
        return self.directory / "checkouts.json"

    def trial_directory(self, number: int) -> Path:
        """Logs, briefing and artifacts of one trial."""
        return self.directory / "trials" / str(number)

    @property
    def branch(self) -> str:
        """The branch, as a person types it."""
        return f"autoresearch/{self.id}"

    @property
    def branch_ref(self) -> str:
        """The ref of the incumbent."""
        return f"refs/heads/{self.branch}"

    @property
    def refs(self) -> str:
        """Where the refs of baseline and candidates are, ending in `/`."""
        return f"refs/autoresearch/{self.id}/"

    def candidate_ref(self, number: int, attempt: int = 0) -> str:
        """The ref of one candidate; a mended one gets its own."""
        return f"{self.refs}t/{number}" + (f"-fix{attempt}" if attempt else "")

    @property
    def own_files(self) -> list[Path]:
        """The experiment's own evaluator: what stands in its folder and is called `evaluate…`."""
        return sorted(path for path in self.directory.glob("evaluate*") if path.is_file())

    @property
    def private_directory(self) -> Path:
        """What the evaluator gets to see and no tree holds: the cases that decide, for example."""
        return self.directory / "private"

    @property
    def private_files(self) -> list[Path]:
        """The files in the private directory."""
        return sorted(path for path in self.private_directory.glob("*") if path.is_file())

    def load_config(self) -> Config:
        """The config as it is on disk now."""
        return configs.load(self.config_path)


def check_name(kind: str, value: str) -> str:
    """`value` as a part of `<domain>/<name>`. Raises UsageError when it cannot be one."""
    if not _SLUG.fullmatch(value) or value.endswith(".lock") or len(value) > 64:
        raise UsageError(
            f"{value!r} cannot be a {kind}: use letters, digits, `-`, `_` and `.`, "
            "beginning with a letter or digit."
        )
    return value


def place(domain: str, name: str, scope: str, repository_root: Path) -> Experiment:
    """The experiment of that name, whether it exists or not."""
    root = repository_root if scope == "project" else Path.home()
    check_name("domain", domain)
    check_name("name", name)
    return Experiment(domain, name, scope, root / FOLDER / domain / name)


def write_gitignore(experiment: Experiment) -> None:
    """Keep the record out of git."""
    path = experiment.directory.parent.parent / ".gitignore"
    if not path.exists():
        path.write_text(_IGNORED)
    elif _OLD_IGNORED in (there := path.read_text()) and "journal.jsonl" not in there:
        path.write_text(f"{there.rstrip()}\n{_IGNORED}")


def discover(start: Path) -> list[Experiment]:
    """All experiments that can be seen from `start`: the repository's, then the user's.

    A linked worktree sees those of the main checkout too: they are about the same branches. Where
    both have one of a name, because its config is committed, the one with a record counts.
    """
    git.require()
    try:
        repository = git.find_repository(start)
        roots = list(dict.fromkeys([repository.root, repository.main_root]))
    except ConfigError:
        roots = []
    found: dict[str, Experiment] = {}
    for one in (one for root in roots for one in _below(root, "project")):
        if one.id not in found or not found[one.id].files.journal.exists():
            found[one.id] = one
    users = [] if Path.home() in roots else _below(Path.home(), "user")
    return [*found.values(), *users]


def _below(root: Path, scope: str) -> list[Experiment]:
    found = {
        config.parent
        for name in (_CONFIG, _OLD_CONFIG)
        for config in (root / FOLDER).glob(f"*/*/{name}")
    }
    return [Experiment(one.parent.name, one.name, scope, one) for one in sorted(found)]


def find(start: Path, wanted: str | None) -> tuple[Experiment, str]:
    """The experiment that `wanted` names (`D/N` or `user:D/N`), or the obvious one.

    Returns it with a sentence to say aloud when it was chosen and not named. Raises ConfigError
    when there is none or no obvious one.
    """
    return choose(discover(start), wanted)


def choose(experiments: list[Experiment], wanted: str | None) -> tuple[Experiment, str]:
    """The one of `experiments` that `find` means."""
    if wanted:
        return _named(experiments, wanted), ""
    if not experiments:
        raise ConfigError("There is no experiment here. `autoresearch setup` makes one.")
    if len(experiments) == 1:
        return experiments[0], ""
    active = [experiment for experiment in experiments if experiment.files.journal.exists()]
    if active:
        last = max(active, key=lambda experiment: experiment.files.journal.stat().st_mtime)
        return last, f"Using {last.id}, the last active of {len(experiments)} experiments."
    raise ConfigError(f"Which experiment? Name one with -e: {_listed(experiments)}.")


def repository_of(experiment: Experiment, config: Config, start: Path) -> git.Repository:
    """The repository that an experiment is about."""
    if experiment.scope == "project":
        return git.find_repository(experiment.directory.parents[2])
    if not config.repo:
        raise ConfigError(f"{experiment.config_path}: `repo` must name the repository.")
    return git.find_repository(Path(config.repo).expanduser())


def cache_root() -> Path:
    """Where trees and our git directories are: `$AUTORESEARCH_CACHE` or the user's cache."""
    if chosen := os.environ.get("AUTORESEARCH_CACHE"):
        return Path(chosen).expanduser().absolute()
    import platformdirs  # only for this, and every command would wait for it

    return platformdirs.user_cache_path("autoresearch")


def cache_directory(experiment: Experiment, repository: git.Repository) -> Path:
    """The cache of one experiment on one repository."""
    identity = f"{experiment.directory}\0{repository.common_dir}".encode("utf-8", "surrogateescape")
    short = hashlib.sha256(identity).hexdigest()[:12]
    return cache_root() / f"{experiment.domain}-{experiment.name}-{short}"


def _named(experiments: list[Experiment], wanted: str) -> Experiment:
    scope, _, identity = wanted.rpartition(":")
    if identity.count("/") != 1 or scope not in ("", "user", "project"):
        raise UsageError(f"{wanted!r} is not an experiment: write domain/name or user:domain/name.")
    same = [
        experiment
        for experiment in experiments
        if experiment.id == identity and scope in ("", experiment.scope)
    ]
    if not same:
        there = _listed(experiments) if experiments else "none; `autoresearch setup` makes one"
        raise ConfigError(f"There is no experiment {wanted}. There is: {there}.")
    if len(same) > 1:
        raise ConfigError(
            f"{identity} exists in this repository and in your home directory: "
            f"write project:{identity} or user:{identity}."
        )
    return same[0]


def _listed(experiments: list[Experiment]) -> str:
    return ", ".join(
        experiment.id if experiment.scope == "project" else f"user:{experiment.id}"
        for experiment in experiments
    )
