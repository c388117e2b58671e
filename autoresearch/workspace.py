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

from autoresearch.errors import ConfigError, GitError
from autoresearch.paths import Patterns
from autoresearch.store import Store, is_behind_link

MAX_FILE_BYTES = 50_000_000
_NONE = Patterns([])
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
        self._own_root()
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
        self._store.lay_out(self.root, self._index, commit)
        self._store.clean(self.root, self._index, exceptions)
        remove_unseen(self.root, exceptions)

    def _own_root(self) -> None:
        """Have a directory: a candidate can remove it, or leave a symlink to another in its place.

        Laying out and cleaning what such a symlink leads to would lose all that is in it.
        """
        if self.root.is_symlink() or (self.root.exists() and not self.root.is_dir()):
            self.root.unlink()
        self.root.mkdir(parents=True, exist_ok=True)
        mode = stat.S_IMODE(self.root.stat().st_mode)
        if mode & stat.S_IRWXU != stat.S_IRWXU:
            self.root.chmod(mode | stat.S_IRWXU)

    @property
    def exists(self) -> bool:
        """Whether it was ever laid out: the cache may have been deleted."""
        return self.root.is_dir() and self._index.exists()

    def snapshot(self, rules: Rules, parent: str = "") -> Snapshot:
        """Store what was done to the tree since it was laid out, or since the last snapshot.

        With `parent`, an index that a power cut spoilt is made again from that commit.
        """
        self._own_root()
        links = Patterns(self._links)
        try:
            return take_snapshot(self._store, self.root, self._index, rules, links=links)
        except GitError:
            if not parent:
                raise
            self._index.unlink(missing_ok=True)
            self._store.read_tree(self._index, parent)
            return take_snapshot(self._store, self.root, self._index, rules, links=links)

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
            place = self.root / path.rstrip("/")
            if not place.is_symlink():
                raise ConfigError(
                    f"`prepare` replaced {path}, which `link` names: take it out of one of the two."
                )
            place.unlink()
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
    store: Store,
    work_tree: Path,
    index: Path,
    rules: Rules,
    skipped: Collection[str] = (),
    links: Patterns = _NONE,
) -> Snapshot:
    """Store how `work_tree` differs from `index`, inside the target.

    Touched frozen files are stored too: such a snapshot is evidence and is never measured. What
    lies at or below `links` is left out, whatever the tree's own `.gitignore` says about it.
    """
    changed, dropped, frozen, problems = [], [], [], []
    for path in store.changed_paths(work_tree, index):
        plain = path.rstrip("/")
        is_ours = path.startswith(".autoresearch/") and work_tree == store.repository.root
        if is_ours or path in skipped or links.match(plain):
            continue
        if rules.frozen.match(plain):
            frozen.append(plain)
        elif not rules.target.match(plain):
            dropped.append(plain)
        elif problem := _problem(work_tree, path) or _in_the_way(work_tree, plain, links):
            problems.append(problem)
        else:
            changed.append(plain)
    storable = [path for path in frozen if not _problem(work_tree, path)]
    for path, reason in _stage(store, work_tree, index, [*changed, *storable]).items():
        problems.append(f"{path} cannot be stored ({reason})")
        changed = [one for one in changed if one != path]
    return Snapshot(
        tree=store.write_tree(index),
        changed=tuple(changed),
        dropped=tuple(dropped),
        frozen_touched=tuple(frozen),
        invalid="; ".join(problems),
    )


def _stage(store: Store, work_tree: Path, index: Path, paths: Sequence[str]) -> dict[str, str]:
    """Take these paths into the index; returns those that git refuses, each with the reason."""
    if not paths:
        return {}
    try:
        store.stage(work_tree, index, paths)
    except GitError:
        pass
    else:
        return {}
    refused = {}
    for path in paths:
        try:
            store.stage(work_tree, index, [path])
        except GitError as error:
            refused[path] = str(error).splitlines()[-1]
    return refused


def _in_the_way(root: Path, path: str, links: Patterns) -> str:
    """Why a folder could not be linked any more, "" when nothing hinders it."""
    below = [link for link in links.patterns if link.startswith(f"{path}/")]
    place = root / path
    is_folder = place.is_dir() and not place.is_symlink()
    if not below or is_folder or not (place.exists() or place.is_symlink()):
        return ""
    return f"{path} stands in the way of {below[0]}, which is linked"


def _problem(root: Path, path: str) -> str:
    """Why the file at `path` cannot be part of a candidate, "" when it can."""
    if path.endswith("/"):
        return f"{path} is a git repository of its own"
    full = root / path
    try:
        if is_behind_link(root, path):
            return ""  # deleted
        status = full.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return ""  # deleted
    except PermissionError:
        return f"{path} cannot be read"
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


def remove_unseen(root: Path, exceptions: Sequence[str]) -> None:
    """Remove what git neither tracks nor cleans: every `.git` in `root`, pipes, sockets."""
    skipped = {str(root / path.rstrip("/")) for path in exceptions}
    queue = [str(root)]
    while queue:
        with os.scandir(queue.pop()) as entries:
            for entry in entries:
                if entry.path in skipped:
                    continue
                is_directory = entry.is_dir(follow_symlinks=False)
                if is_directory and entry.name == ".git":
                    shutil.rmtree(entry.path)
                elif is_directory:
                    queue.append(entry.path)
                elif entry.name == ".git" or not (
                    entry.is_file(follow_symlinks=False) or entry.is_symlink()
                ):
                    Path(entry.path).unlink()


def make_removable(root: Path) -> None:
    """Give us back the permissions to remove everything below `root`."""
    for directory, folders, _ in os.walk(root):
        for name in [".", *folders]:
            path = Path(directory, name)
            if not path.is_symlink():
                path.chmod(stat.S_IMODE(path.stat().st_mode) | stat.S_IRWXU)
