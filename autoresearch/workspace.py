"""Trees: lay out a commit in a directory of our own, and store what was done to it.

A tree is laid out by git, never by copying (a copy would follow a candidate's symlink out of the
tree), and reused from trial to trial. It can be deleted at any time.
"""

import hashlib
import os
import shutil
import stat
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autoresearch.errors import GitError
from autoresearch.paths import Patterns
from autoresearch.store import Store

MAX_FILE_BYTES = 50_000_000
# Files that say what a project needs: when one changes, what `prepare` installed is stale.
_MANIFESTS = frozenset(
    [
        "pyproject.toml",
        "setup.py",
        "setup.cfg",
        "requirements.txt",
        "uv.lock",
        "poetry.lock",
        "package.json",
        "package-lock.json",
        "pnpm-lock.yaml",
        "yarn.lock",
        "Cargo.toml",
        "Cargo.lock",
        "go.mod",
        "go.sum",
        "Gemfile",
        "Gemfile.lock",
        "CMakeLists.txt",
        "Makefile",
        "environment.yml",
    ]
)


@dataclass(frozen=True)
class Rules:
    """What a proposer may change, and what it must not."""

    target: Patterns
    frozen: Patterns

    def may_change(self, path: str) -> bool:
        """Whether a change of `path` can be part of a candidate."""
        return self.target.match(path) and not self.frozen.match(path)


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What was done to a tree, stored."""

    tree: str
    changed: tuple[str, ...]
    dropped: tuple[str, ...]  # outside the target
    frozen_touched: tuple[str, ...]
    invalid: str = ""  # why it cannot be a candidate


class Tree:
    """A directory that holds the files of one commit."""

    def __init__(
        self,
        store: Store,
        root: Path,
        *,
        links: Sequence[str] = (),
        keep: Sequence[str] = (),
    ) -> None:
        self.root = root
        self._store = store
        self._index = store.directory / f"{root.name}.index"
        self._prepared_path = store.directory / f"{root.name}.prepared"
        self._links = tuple(links)
        self._keep = tuple(keep)

    def lay_out(self, commit: str) -> None:
        """Hold exactly the files of `commit`, the linked folders, and what is to be kept."""
        self.root.mkdir(parents=True, exist_ok=True)
        # Links are removed and made again: a candidate may have put something else in their place.
        exceptions = [*self._keep, *self._prepared()[1]]
        try:
            self._lay_out(commit, exceptions)
        except GitError:
            # A candidate can take away our own permissions on what it left behind, and a power
            # cut can spoil the index, which git then makes anew.
            make_removable(self.root)
            self._index.unlink(missing_ok=True)
            self._lay_out(commit, exceptions)
        for path in self._links:
            self._link(path)

    def _lay_out(self, commit: str, exceptions: Sequence[str]) -> None:
        self._remove_repository()
        self._store.lay_out(self.root, self._index, commit)
        self._store.clean(self.root, self._index, exceptions)

    def _remove_repository(self) -> None:
        """Git leaves a `.git` at the top alone, whoever made it."""
        stray = self.root / ".git"
        if stray.is_dir() and not stray.is_symlink():
            shutil.rmtree(stray)
        else:
            stray.unlink(missing_ok=True)

    @property
    def exists(self) -> bool:
        """Whether it was ever laid out: the cache may have been deleted."""
        return self.root.is_dir() and self._index.exists()

    def snapshot(self, rules: Rules) -> Snapshot:
        """Store what was done to the tree since it was laid out, or since the last snapshot."""
        return take_snapshot(self._store, self.root, self._index, rules)

    def snapshot_since(self, parent: str, rules: Rules) -> Snapshot:
        """The same, naming all that differs from `parent`, whatever was stored meanwhile."""
        taken = self.snapshot(rules)
        paths = [change.path for change in self._store.changes(parent, taken.tree)]
        stored = [path for path in paths if rules.frozen.match(path)]
        return replace(
            taken,
            changed=tuple(path for path in paths if path not in stored),
            frozen_touched=tuple(dict.fromkeys([*taken.frozen_touched, *stored])),
        )

    def needs_preparing(self, command: str) -> str:
        """The key to pass to `prepared` after running `command`, "" when that is done."""
        entries = self._store.files(self._store.write_tree(self._index))
        parts = [command] + [
            f"{entry.path}\0{entry.object_id}"
            for entry in entries
            if entry.path.rpartition("/")[2] in _MANIFESTS
        ]
        key = hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
        return "" if self._prepared()[0] == key else key

    def prepared(self, key: str) -> None:
        """Note that what lies in the tree now, beside the commit's files, is to stay."""
        for path in self._links:
            (self.root / path.rstrip("/")).unlink(missing_ok=True)
        made = self._store.untracked_paths(self.root, self._index)
        for path in self._links:
            self._link(path)
        self._prepared_path.write_text(
            "\0".join([key, *made]), encoding="utf-8", errors="surrogateescape"
        )

    def unprepare(self) -> None:
        """Forget what `prepare` made: the next `lay_out` removes it."""
        self._prepared_path.unlink(missing_ok=True)

    def _prepared(self) -> tuple[str, list[str]]:
        if not self._prepared_path.exists():
            return "", []
        key, *made = self._prepared_path.read_text("utf-8", "surrogateescape").split("\0")
        return key, made

    def _link(self, path: str) -> None:
        place = self.root / path.rstrip("/")
        if not place.parent.resolve().is_relative_to(self.root.resolve()):
            raise GitError(f"{path} cannot be linked: a directory above it is a symlink.")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(self._store.repository.root / path.rstrip("/"))


def take_snapshot(
    store: Store, work_tree: Path, index: Path, rules: Rules, skipped: Collection[str] = ()
) -> Snapshot:
    """Store how `work_tree` differs from `index`, inside the target.

    Touched frozen files are stored too: such a snapshot is evidence and is never measured.
    """
    changed, dropped, frozen, problems = [], [], [], []
    for path in store.changed_paths(work_tree, index):
        if path in skipped or (
            path.startswith(".autoresearch/") and work_tree == store.repository.root
        ):
            continue
        plain = path.rstrip("/")
        if rules.frozen.match(plain):
            frozen.append(plain)
        elif not rules.target.match(plain):
            dropped.append(plain)
        elif problem := _problem(work_tree, path):
            problems.append(problem)
        else:
            changed.append(plain)
    storable = [path for path in frozen if not _problem(work_tree, path)]
    if changed or storable:
        try:
            store.stage(work_tree, index, [*changed, *storable])
        except GitError as error:  # attributes that make no sense, and the like
            problems.append(f"git cannot store it: {error}")
            changed = []
    return Snapshot(
        tree=store.write_tree(index),
        changed=tuple(changed),
        dropped=tuple(dropped),
        frozen_touched=tuple(frozen),
        invalid="; ".join(problems),
    )


def _problem(root: Path, path: str) -> str:
    """Why the file at `path` cannot be part of a candidate, "" when it can."""
    if path.endswith("/"):
        return f"{path} is a git repository of its own"
    full = root / path
    try:
        status = full.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return ""  # deleted
    if stat.S_ISLNK(status.st_mode):
        goal = os.path.normpath(full.parent / full.readlink())
        inside = os.path.commonpath([goal, root]) == str(root)
        return "" if inside else f"{path} is a symlink that leads out of the repository"
    if stat.S_ISDIR(status.st_mode):
        return ""  # a file that became a directory: what is in it is listed too
    if not stat.S_ISREG(status.st_mode):
        return f"{path} is not a regular file"
    if status.st_size > MAX_FILE_BYTES:
        return f"{path} is {status.st_size / 1e6:.0f} MB, more than {MAX_FILE_BYTES / 1e6:.0f} MB"
    return ""


def make_removable(root: Path) -> None:
    """Give us back the permissions to remove everything below `root`."""
    for directory, folders, _ in os.walk(root):
        for name in [".", *folders]:
            path = Path(directory, name)
            if not path.is_symlink():
                path.chmod(stat.S_IMODE(path.stat().st_mode) | stat.S_IRWXU)
