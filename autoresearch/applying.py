"""Bring what an experiment found onto commits of the user's own: file by file, three ways.

Nothing here writes into the checkout. It makes trees, and says what stands in the way of them.
Files below `.autoresearch/` are the experiment's own business and are never brought.
"""

import os
import re
import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from autoresearch import git
from autoresearch.errors import ConfigError
from autoresearch.experiment import FOLDER, Experiment
from autoresearch.journal import Journal
from autoresearch.records import EpochOpened
from autoresearch.state import fold
from autoresearch.store import Change, Entry, Store, is_behind_link
from autoresearch.trial import Trial

_FILES = ("100644", "100755")
# By these lines a later `apply` knows what a branch holds already, in clones too. A message may be
# indented by `git merge --squash`, or hold several such blocks after commits were joined.
_TRAILERS = re.compile(
    r"^[ \t]*Autoresearch-Experiment: (?P<experiment>\S+)\n"
    r"[ \t]*Autoresearch-Trial: (?P<trial>\d{1,9})$"
    r"(?:\n[ \t]*Autoresearch-Since: (?P<since>\d{1,9})$)?",
    re.MULTILINE,
)
_REVERTED = re.compile(r"This reverts commit ([0-9a-f]{40,64})")


@dataclass(frozen=True)
class Past:
    """What the record of an experiment says about its commits."""

    experiment: str
    trials: Mapping[int, Trial]
    baselines: tuple[str, ...]  # of all epochs; trial 0 may have been imported


@dataclass(frozen=True)
class Step:
    """A trial, and the commit whose difference to the step before it brings."""

    trial: Trial
    commit: str


@dataclass(frozen=True)
class Way:
    """From what the user's HEAD holds of an experiment to the trial that is wanted."""

    base: str
    since: int  # the trial that HEAD holds, 0 when it is the baseline
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Room:
    """What the checkout holds at the paths that are to be written."""

    blocked: tuple[str, ...]  # uncommitted work
    alike: tuple[str, ...]  # not committed, and already as it is to be


def trailers(experiment: str, trial: int, since: int) -> str:
    """The last lines of a commit message: which trial it brings on top of which."""
    lines = [f"Autoresearch-Experiment: {experiment}", f"Autoresearch-Trial: {trial}"]
    if since:
        lines.append(f"Autoresearch-Since: {since}")
    return "\n".join(lines)


def read_past(experiment: Experiment) -> Past:
    """Read it from the journal."""
    records = [line.record for line in Journal(experiment.files.journal).read()]
    baselines = [record.baseline for record in records if isinstance(record, EpochOpened)]
    trials = fold(records, keep_all=True).trials
    return Past(experiment.id, trials, tuple(filter(None, dict.fromkeys(baselines))))


def find_way(store: Store, past: Past, trial: Trial, wanted: str, head: str) -> Way:
    """The trials between what `head` holds and the commit `wanted` of `trial`.

    Raises ConfigError when the commits are not in this repository.
    """
    line = _lineage(store, past, wanted, trial)
    origin = line[0]
    if wanted == trial.parent:
        return Way(origin, 0, ())  # it changed nothing itself
    by_commit = {one.commit: one for one in past.trials.values() if one.commit != one.parent}
    history = store.messages(head, origin)
    holding = {commit for commit, _ in history}
    for number in _claimed(history, past):
        commit = past.trials[number].commit
        if store.resolve(commit) == commit:
            holding |= {commit, *(one for one, _ in store.first_parents(commit, origin))}
    at = max((place for place, commit in enumerate(line) if commit in holding), default=0)
    passed = [by_commit[commit].number for commit in line[1 : at + 1] if commit in by_commit]
    steps = [Step(by_commit[commit], commit) for commit in line[at + 1 :] if commit in by_commit]
    if at + 1 < len(line):  # an epoch may have put frozen files of the last trial back
        steps[-1:] = [Step(steps[-1].trial if steps else trial, wanted)]
    return Way(line[at], passed[-1] if passed else 0, tuple(steps))


def merge(store: Store, base: str, ours: str, theirs: str) -> tuple[str, list[str]]:
    """The tree of `ours` with what changed from `base` to `theirs`, and the files in conflict."""
    before = {entry.path: entry for entry in store.files(base)}
    there = {entry.path: entry for entry in store.files(ours)}
    result, conflicts = dict(there), []
    for change in changes(store, base, theirs):
        path = change.path
        old, mine = before.get(path), there.get(path)
        new = Entry(path, change.mode, change.object_id) if change.mode else None
        if mine not in (old, new):
            new = _merge_file(store, (base, ours, theirs), old, mine, new)
            if new is None:
                conflicts.append(path)
                continue
        result.pop(path, None)
        if new is not None:
            result[path] = new
    added = [path for path in result if path not in there]
    conflicts += _clashes(added, result)
    if conflicts:
        return ours, sorted(set(conflicts))
    index = store.directory / "apply.index"
    store.read_tree(index, ours)
    put = [entry for path, entry in result.items() if there.get(path) != entry]
    store.set_entries(index, put, [path for path in there if path not in result])
    return store.write_tree(index), []


def changes(store: Store, old: str, new: str) -> list[Change]:
    """What differs between two trees, without the experiment's own files."""
    found = store.changes(old, new)
    return [change for change in found if not change.path.startswith(f"{FOLDER}/")]


def find_room(store: Store, checkout: git.Repository, head: str, tree: str) -> Room:
    """What is not committed in `checkout` at the paths that differ between `head` and `tree`."""
    tracked = {entry.path for entry in store.files(head)}
    staged, unstaged = git.staged_changes(checkout), git.unstaged_paths(checkout)
    blocked, doubtful = [], []
    for change in store.changes(head, tree):
        path = change.path
        if path in staged and staged[path] != (change.mode, change.object_id):
            blocked.append(path)
        elif path in unstaged:
            doubtful.append(change)
        elif path not in tracked and path not in staged:
            in_the_way = _untracked(checkout.root, path, tracked)
            if in_the_way == [path]:
                doubtful.append(change)
            else:
                blocked += in_the_way
    other = _unlike(store, checkout.root, doubtful)
    alike = [change.path for change in doubtful if change.path not in other]
    return Room(tuple(sorted({*blocked, *other})), tuple(alike))


def _lineage(store: Store, past: Past, wanted: str, trial: Trial) -> list[str]:
    """The commits from the baseline to the one wanted."""
    known = [one for one in past.baselines if store.resolve(one) == one]
    if not known or store.resolve(wanted) != wanted:
        raise ConfigError(
            f"The files of trial {trial.number} are not in {store.repository.root}: its history "
            "was imported, its ref was deleted, or this is another clone."
        )
    for origin in known:
        line = store.first_parents(wanted, origin)
        if wanted == origin or (line and line[0][1] == origin):
            return [origin, *(commit for commit, _ in line)]
    raise ConfigError(
        f"Trial {trial.number} was not made from a baseline of this experiment: its history was "
        f"imported. `autoresearch restore {trial.number}` makes it a branch."
    )


def _claimed(history: Sequence[tuple[str, str]], past: Past) -> list[int]:
    """The trials that commits of `history`, newest first, brought and nobody took back.

    A commit may bring only what came after another trial. Picked alone onto another branch it
    proves nothing: then that trial is missing there.
    """
    trials, commits = past.trials, {commit for commit, _ in history}
    since: dict[int, int] = {}
    reverted: set[str] = set()
    for commit, message in history:
        if commit in reverted:
            continue
        reverted |= set(_REVERTED.findall(message))
        for found in _TRAILERS.finditer(message):
            if found["experiment"] == past.experiment and int(found["trial"]) in trials:
                since.setdefault(int(found["trial"]), int(found["since"] or 0))

    def is_whole(number: int) -> bool:
        while number in since and since[number] < number and trials[number].commit not in commits:
            number = since[number]
        return number == 0 or (number in trials and trials[number].commit in commits)

    return [number for number in since if is_whole(number)]


def _merge_file(
    store: Store,
    trees: tuple[str, str, str],
    old: Entry | None,
    mine: Entry | None,
    new: Entry | None,
) -> Entry | None:
    """One file that both sides changed, None when a person has to decide."""
    if old is None or mine is None or new is None:
        return None
    if any(entry.mode not in _FILES for entry in (old, mine, new)):
        return None
    mode = new.mode if new.mode != old.mode else mine.mode
    if old.object_id in (mine.object_id, new.object_id) or mine.object_id == new.object_id:
        content = mine if new.object_id == old.object_id else new
        return Entry(new.path, mode, content.object_id)
    with tempfile.TemporaryDirectory() as folder:
        base_copy, ours_copy, theirs_copy = (Path(folder, name) for name in "abc")
        for copy, tree in zip((base_copy, ours_copy, theirs_copy), trees, strict=True):
            copy.write_bytes(store.read_file(tree, new.path) or b"")
        if not store.merge_file(ours_copy, base_copy, theirs_copy):
            return None
        return Entry(new.path, mode, store.store_file(ours_copy))


def _clashes(added: Sequence[str], files: Collection[str]) -> list[str]:
    """Added files that would have to be folders too, or lie below another file."""
    if not added:
        return []
    folders = {str(folder) for path in files for folder in PurePosixPath(path).parents}
    return [
        path
        for path in added
        if path in folders or any(str(folder) in files for folder in PurePosixPath(path).parents)
    ]


def _untracked(root: Path, path: str, tracked: Collection[str]) -> list[str]:
    """What git does not know and what would have to go for `path` to be written."""
    for folder in list(PurePosixPath(path).parents)[-2::-1]:  # from the top, without "."
        place = root / folder
        if os.path.lexists(place) and (place.is_symlink() or not place.is_dir()):
            return [] if str(folder) in tracked else [str(folder)]
    place = root / path
    if place.is_dir() and not place.is_symlink():
        inside = (file for file in place.rglob("*") if file.is_symlink() or not file.is_dir())
        names = (str(file.relative_to(root)) for file in inside)
        return [name for name in names if name not in tracked]
    return [path] if os.path.lexists(place) else []


def _unlike(store: Store, root: Path, wanted: Iterable[Change]) -> set[str]:
    """The paths whose file is not as it is to be."""
    index = store.directory / "room.index"
    index.unlink(missing_ok=True)
    entries = [Entry(one.path, one.mode, one.object_id) for one in wanted if one.mode]
    store.set_entries(index, entries, removed=[])
    other = {one.path for one in wanted if is_behind_link(root, one.path)}
    other |= {one.path for one in wanted if not one.mode and os.path.lexists(root / one.path)}
    return other | store.modified_paths(root, index)
