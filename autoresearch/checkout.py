"""A checkout that a person or an agent edits: read it as a candidate, put it back, sync it.

The only file that writes into the user's checkout, and only files inside the target, at the
user's word (`try`, `restore --files`).
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from autoresearch import git
from autoresearch.errors import ConfigError
from autoresearch.experiment import Experiment
from autoresearch.store import Change, Store
from autoresearch.workspace import Rules, Snapshot, take_snapshot

_MARKERS = (b"<<<<<<< ", b">>>>>>> ")


@dataclass(frozen=True)
class Merged:
    """What syncing did."""

    written: tuple[str, ...]
    conflicts: tuple[str, ...]


class Checkout:
    """One checkout, and the commit that it was last put at."""

    def __init__(self, experiment: Experiment, store: Store, repository: git.Repository) -> None:
        self._record = experiment.checkouts_path
        self._store = store
        self._repository = repository
        self.root = repository.root
        self._index = store.directory / "checkout.index"

    @property
    def head(self) -> str:
        """The commit that is checked out."""
        return git.head_commit(self._repository)

    def base(self, otherwise: str) -> str:
        """The commit that this checkout was last put at."""
        return self._bases().get(str(self.root), otherwise)

    def set_base(self, commit: str) -> None:
        """Remember that this checkout stands at `commit`."""
        bases = {**self._bases(), str(self.root): commit}
        fresh = self._record.with_name(f"{self._record.name}.new")
        fresh.write_text(json.dumps(bases, indent=1) + "\n")
        fresh.replace(self._record)

    def snapshot(self, base: str, rules: Rules) -> Snapshot:
        """Store the checkout's difference from `base` inside the target.

        What a sparse checkout leaves out counts as unchanged. Frozen files outside the target are
        the user's own business here: they are named as dropped, and measured as in the baseline.
        """
        self._store.read_tree(self._index, base)
        self._store.refresh(self.root, self._index)
        skipped = git.skipped_paths(self._repository)
        snapshot = take_snapshot(self._store, self.root, self._index, rules, skipped)
        outside = tuple(path for path in snapshot.frozen_touched if not rules.target.match(path))
        if not outside:
            return snapshot
        self._put_in_index(base, outside)
        return Snapshot(
            tree=self._store.write_tree(self._index),
            changed=snapshot.changed,
            dropped=(*snapshot.dropped, *outside),
            frozen_touched=tuple(p for p in snapshot.frozen_touched if p not in outside),
            invalid=snapshot.invalid,
        )

    def put_back(self, base: str, stored: str, paths: Sequence[str]) -> tuple[str, ...]:
        """Make these files as in `base` again; returns those that were left alone.

        A file that is no longer as in `stored`, because somebody went on editing it, is left.
        """
        edited = self.differing(stored, paths)
        self.write(base, [path for path in paths if path not in edited])
        return tuple(sorted(edited))

    def merge(self, base: str, incumbent: str, rules: Rules) -> Merged:
        """Bring the difference from `base` to `incumbent` into the target's files.

        Conflicts are left in the files for the editor, between markers.
        """
        written, conflicts = [], []
        for change in self._store.changes(base, incumbent):
            if not rules.target.match(change.path):
                continue
            if self.differing(base, [change.path]):
                if not self.differing(incumbent, [change.path]):
                    continue
                if self._merge_file(base, incumbent, change):
                    written.append(change.path)
                else:
                    conflicts.append(change.path)
            else:
                self.write(incumbent, [change.path])
                written.append(change.path)
        return Merged(tuple(written), tuple(conflicts))

    def conflicted(self, paths: Iterable[str]) -> list[str]:
        """The files that still hold the markers of a conflict."""
        found = []
        for path in paths:
            file = self.root / path
            if file.is_file() and not file.is_symlink():
                lines = file.read_bytes().splitlines()
                if all(any(line.startswith(marker) for line in lines) for marker in _MARKERS):
                    found.append(path)
        return found

    def write(self, commit: str, paths: Sequence[str]) -> None:
        """Make these files as in `commit`. The caller knows that no work is lost by it."""
        self._store.read_tree(self._index, commit)
        there = {entry.path for entry in self._store.files(commit)}
        for path in paths:  # first, because a folder may have to make way for a file
            if path not in there:
                self._remove(path)
        self._store.check_out(self.root, self._index, [path for path in paths if path in there])

    def _remove(self, path: str) -> None:
        """Remove a file, and the folders that it leaves empty."""
        file = self.root / path
        if not file.parent.resolve().is_relative_to(self.root.resolve()):
            raise ConfigError(f"{path} leads out of the checkout: it was left as it is.")
        file.unlink(missing_ok=True)
        for folder in file.relative_to(self.root).parents:
            if folder == Path() or any((self.root / folder).iterdir()):
                return
            (self.root / folder).rmdir()

    def differing(self, commit: str, paths: Iterable[str]) -> set[str]:
        """Those of `paths` that are not as in `commit`."""
        self._store.read_tree(self._index, commit)
        self._store.refresh(self.root, self._index)
        changed = set(self._store.changed_paths(self.root, self._index))
        files = [entry.path for entry in self._store.files(commit)]
        there = {*files, *(str(folder) for path in files for folder in PurePosixPath(path).parents)}
        # What git ignores is not listed as changed, nor is a folder that stands in the way.
        return {
            path
            for path in paths
            if path in changed or (path not in there and os.path.lexists(self.root / path))
        }

    def _merge_file(self, base: str, incumbent: str, change: Change) -> bool:
        """Three-way merge of one file; False when a person has to look at it."""
        file = self.root / change.path
        before = self._store.read_file(base, change.path)
        theirs = self._store.read_file(incumbent, change.path)
        if before is None or theirs is None or not file.is_file() or file.is_symlink():
            return False  # added, deleted or replaced on one side: nothing to merge line by line
        with tempfile.TemporaryDirectory() as folder:
            ours_copy, before_copy, theirs_copy = (Path(folder, name) for name in "abc")
            shutil.copyfile(file, ours_copy)
            before_copy.write_bytes(before)
            theirs_copy.write_bytes(theirs)
            is_clean = self._store.merge_file(ours_copy, before_copy, theirs_copy)
            file.write_bytes(ours_copy.read_bytes())
        return is_clean

    def _put_in_index(self, commit: str, paths: Sequence[str]) -> None:
        entries = [entry for entry in self._store.files(commit) if entry.path in set(paths)]
        there = {entry.path for entry in entries}
        self._store.set_entries(self._index, entries, [p for p in paths if p not in there])

    def _bases(self) -> dict[str, str]:
        if not self._record.exists():
            return {}
        bases: dict[str, str] = json.loads(self._record.read_text())
        return bases
