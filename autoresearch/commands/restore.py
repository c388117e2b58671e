"""`autoresearch restore`: bring any trial back, kept or not, without overwriting work."""

from pathlib import Path

from autoresearch import experiment as places
from autoresearch import git
from autoresearch.checkout import Checkout
from autoresearch.commands.selection import find_trial, select
from autoresearch.errors import ConfigError, UsageError
from autoresearch.experiment import Experiment
from autoresearch.paths import Patterns
from autoresearch.store import Store
from autoresearch.trial import Trial


def restore(
    path: Path,
    experiment: str | None,
    word: str,
    branch: str = "",
    output: Path | None = None,
    files: bool = False,
) -> int:
    """Make a branch of a trial, write its files into a directory, or into the checkout."""
    if sum((bool(branch), output is not None, files)) > 1:
        raise UsageError("Choose one of --branch, --output and --files.")
    selection = select(path, experiment)
    chosen, config = selection.experiment, selection.config
    repository = places.repository_of(chosen, config, path)
    trial = find_trial(selection, word)
    if not trial.commit:
        raise ConfigError(f"Trial {trial.number} has no files: nothing was proposed.")
    store = Store(places.cache_directory(chosen, repository) / "git", repository)
    if store.resolve(trial.commit) is None:
        raise ConfigError(
            f"The commit {trial.commit[:12]} of trial {trial.number} is not in {repository.root}: "
            "it was imported from elsewhere, its ref was deleted, or this is another clone."
        )
    if output is not None:
        _write_directory(store, trial, output)
    elif files:
        checkout = Checkout(chosen, store, git.find_repository(path))
        base = checkout.base(otherwise=selection.state.baseline or checkout.head)
        _write_files(checkout, store, base, trial, Patterns(config.target))
    else:
        _make_branch(chosen, store, trial, branch)
    return 0


def _make_branch(experiment: Experiment, store: Store, trial: Trial, name: str) -> None:
    name = name or f"{experiment.branch}-{trial.number}"
    ref = f"refs/heads/{name}"
    if not git.is_valid_ref(ref) or name.startswith("-") or name == "HEAD":
        raise UsageError(f"{name!r} cannot be the name of a branch.")
    if not store.move_ref(ref, trial.commit, None):
        if store.resolve(ref) == trial.commit:
            print(f"The branch {name} is trial {trial.number} already.")
            return
        raise ConfigError(f"The branch {name} exists already: choose another with --branch.")
    print(f"Trial {trial.number} is the branch {name}. Look at it: git checkout {name}")


def _write_directory(store: Store, trial: Trial, directory: Path) -> None:
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise ConfigError(f"{directory} is not empty: nothing was written.")
    directory.mkdir(parents=True, exist_ok=True)
    index = store.directory / "restore.index"
    store.lay_out(directory.absolute(), index, trial.commit)
    index.unlink(missing_ok=True)
    print(f"The files of trial {trial.number} are in {directory}")


def _write_files(
    checkout: Checkout, store: Store, base: str, trial: Trial, target: Patterns
) -> None:
    """Into the checkout: the target's files of the trial, only where no work is lost."""
    there = {entry.path for commit in (base, trial.commit) for entry in store.files(commit)}
    paths = sorted(checkout.differing(trial.commit, filter(target.match, there)))
    # What is committed, or was put there by `try`, is not lost.
    edited = checkout.differing(base, paths) & checkout.differing(checkout.head, paths)
    if edited:
        raise ConfigError(
            f"{', '.join(sorted(edited))} would be overwritten: commit or put away your changes, "
            "or use --branch or --output."
        )
    checkout.write(trial.commit, paths)
    print(f"Wrote {', '.join(paths) or 'nothing: the files are the same'}")
