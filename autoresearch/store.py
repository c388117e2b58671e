"""Plumbing on trees, commits and refs: a git directory of our own over the user's objects.

Explicit `--git-dir` and `--work-tree`, private index files and an environment built from nothing
(`-c` flags alone would not stop a candidate's filters). Refs go into the user's ref store, with
hooks off.
"""

import os
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from autoresearch import git, git_directory
from autoresearch.errors import GitError

GITLINK = "160000"
_LOCK_PATIENCE = 2.0  # seconds
# For the calls that write refs into the user's repository: none of its hooks may run.
_HARDENED = (
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.fsmonitor=false",
    "-c", "core.fsync=committed,reference",
    "-c", "gc.auto=0",
    "-c", "maintenance.auto=false",
)  # fmt: skip
_IDENTITY = {
    "GIT_AUTHOR_NAME": "autoresearch",
    "GIT_AUTHOR_EMAIL": "autoresearch@localhost",
    "GIT_COMMITTER_NAME": "autoresearch",
    "GIT_COMMITTER_EMAIL": "autoresearch@localhost",
}


@dataclass(frozen=True)
class Entry:
    """One file of a tree."""

    path: str
    mode: str
    object_id: str


@dataclass(frozen=True)
class Change:
    """One file that differs between a tree and another tree or a work tree."""

    path: str
    mode: str = ""  # of the new side, "" when it is not there
    object_id: str = ""


class Store:
    """Plumbing on a git directory of our own, over the user's objects and refs.

    The directory holds indexes and config only; it can be deleted and is made again.
    """

    def __init__(self, directory: Path, repository: git.Repository) -> None:
        self.directory = directory
        self.repository = repository
        if not (directory / "HEAD").exists():
            git_directory.make(directory, repository)
        git_directory.copy_if_present(repository.common_dir / "shallow", directory / "shallow")

    def hide(self, paths: Iterable[str]) -> None:
        """Never list these paths as changes, whatever a `.gitignore` says: linked folders."""
        git_directory.hide(self.directory, self.repository, paths)

    @cached_property
    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(Path.home()),  # the repository's own config may include ~/something
            "LC_ALL": "C",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_OBJECT_DIRECTORY": str(self.repository.objects),
            **_IDENTITY,
        }

    def _work(
        self,
        *arguments: str,
        index: Path | None = None,
        work_tree: Path | None = None,
        stdin: bytes | None = None,
        accept: tuple[int, ...] = (0,),
    ) -> subprocess.CompletedProcess[bytes]:
        command = ["git", f"--git-dir={self.directory}"]
        if work_tree is not None:
            command.append(f"--work-tree={work_tree}")
        environment = self._environment
        if index is not None:
            environment = {**environment, "GIT_INDEX_FILE": str(index)}
        return git.run([*command, *arguments], environment, work_tree, stdin, accept)

    def _refs(
        self, *arguments: str, stdin: bytes | None = None, accept: tuple[int, ...] = (0,)
    ) -> subprocess.CompletedProcess[bytes]:
        command = ["git", *_HARDENED, f"--git-dir={self.repository.common_dir}", *arguments]
        return git.run(command, self._environment, None, stdin, accept)

    # Work trees

    def lay_out(self, work_tree: Path, index: Path, tree: str) -> None:
        """Make the tracked files of `work_tree` exactly those of `tree`."""
        self._work("read-tree", "--reset", "-u", tree, index=index, work_tree=work_tree)

    def clean(self, work_tree: Path, index: Path, keep: Sequence[str] = ()) -> None:
        """Remove everything that the index does not hold, ignored files and repositories too."""
        exceptions = [f"--exclude=/{git_directory.escaped(path.rstrip('/'))}" for path in keep]
        self._work("clean", "-q", "-ffdx", *exceptions, index=index, work_tree=work_tree)

    def changed_paths(self, work_tree: Path, index: Path) -> list[str]:
        """What differs from the index: changed, deleted, and new files that are not ignored.

        A nested repository is named with a `/` at its end.
        """
        raw = self._work(
            "ls-files", "-z", "-m", "-d", "-o", "--exclude-standard",
            index=index, work_tree=work_tree,
        ).stdout  # fmt: skip
        return sorted({os.fsdecode(path) for path in raw.split(b"\0") if path})

    def refresh(self, work_tree: Path, index: Path) -> None:
        """Note in the index which files are unchanged, so that the next look is quick."""
        self._work(
            "update-index", "-q", "--refresh", index=index, work_tree=work_tree, accept=(0, 1)
        )

    def untracked_paths(self, work_tree: Path, index: Path) -> list[str]:
        """Everything that the index does not hold; whole directories end in `/`."""
        raw = self._work(
            "ls-files", "-z", "-o", "--directory", "--no-empty-directory",
            index=index, work_tree=work_tree,
        ).stdout  # fmt: skip
        return [os.fsdecode(path) for path in raw.split(b"\0") if path]

    def stage(self, work_tree: Path, index: Path, paths: Iterable[str]) -> None:
        """Take these paths into the index as they are in `work_tree` now."""
        paths = set(paths)
        # A folder above them became a symlink: they are gone, and git refuses to look there.
        gone = {path for path in paths if is_behind_link(work_tree, path)}
        if gone:
            self.set_entries(index, [], removed=sorted(gone))
        self._work(
            "update-index", "-z", "--add", "--remove", "--replace", "--stdin",
            index=index, work_tree=work_tree, stdin=_nul_joined(sorted(paths - gone)),
        )  # fmt: skip

    def check_out(self, work_tree: Path, index: Path, paths: Iterable[str]) -> None:
        """Write these paths of the index into `work_tree`, over what is there."""
        self._work(
            "checkout-index", "-q", "-f", "-z", "--stdin",
            index=index, work_tree=work_tree, stdin=_nul_joined(paths),
        )  # fmt: skip

    def modified_paths(self, work_tree: Path, index: Path) -> set[str]:
        """The paths of the index that are changed or gone in `work_tree`."""
        raw = self._work("ls-files", "-z", "-m", "-d", index=index, work_tree=work_tree).stdout
        return {os.fsdecode(path) for path in raw.split(b"\0") if path}

    # Trees and commits

    def read_tree(self, index: Path, tree: str) -> None:
        """Fill an index from `tree`, without a work tree."""
        self._work("read-tree", tree, index=index)

    def write_tree(self, index: Path) -> str:
        """Store the index as a tree."""
        return _line(self._work("write-tree", index=index))

    def set_entries(self, index: Path, entries: Iterable[Entry], removed: Iterable[str]) -> None:
        """Put entries into an index and take others out."""
        zero = "0" * (64 if self.repository.object_format == "sha256" else 40)
        lines = [f"{e.mode} {e.object_id}\t".encode() + os.fsencode(e.path) for e in entries]
        lines += [f"0 {zero}\t".encode() + os.fsencode(path) for path in removed]
        stdin = b"".join(line + b"\0" for line in lines)
        self._work("update-index", "-z", "--index-info", index=index, stdin=stdin)

    def commit(self, tree: str, parents: Sequence[str], message: str) -> str:
        """Store a commit of `tree`."""
        arguments = [part for parent in parents for part in ("-p", parent)]
        stdin = os.fsencode(message.replace("\0", " ") + "\n")
        return _line(self._work("commit-tree", *arguments, tree, stdin=stdin))

    def tree_of(self, commit: str) -> str:
        """The tree of a commit. Raises GitError when the commit is not there."""
        return _line(self._work("rev-parse", "-q", "--verify", f"{commit}^{{tree}}"))

    def files(self, tree: str) -> list[Entry]:
        """All files of a tree."""
        raw = self._work("ls-tree", "-r", "-z", "--full-tree", tree).stdout
        entries = []
        for line in raw.split(b"\0"):
            if line:
                head, path = line.split(b"\t", 1)
                mode, _, object_id = head.split()
                entries.append(Entry(os.fsdecode(path), mode.decode(), object_id.decode()))
        return entries

    def changes(self, old: str, new: str) -> list[Change]:
        """The files that differ between two trees or commits."""
        raw = self._work("diff-tree", "-r", "-z", "--raw", "--no-renames", old, new).stdout
        fields = raw.split(b"\0")
        found = []
        for head, path in zip(fields[::2], fields[1::2], strict=False):
            _, mode, _, object_id, status = head.decode().split()
            gone = status == "D"
            found.append(Change(os.fsdecode(path), "" if gone else mode, "" if gone else object_id))
        return found

    def diff(self, old: str, new: str) -> str:
        """The difference between two trees or commits, for reading. Nothing external runs."""
        raw = self._work(
            "diff-tree", "-r", "-p", "--no-ext-diff", "--no-textconv", "--no-color", old, new
        ).stdout
        return raw.decode("utf-8", "backslashreplace")

    def patch(self, old: str, new: str) -> bytes:
        """The difference between two trees or commits, for `git apply`: every byte is in it."""
        return self._work(
            "diff-tree", "-r", "-p", "--binary", "--full-index", "--no-renames", "--no-ext-diff",
            "--no-textconv", "--no-color", old, new,
        ).stdout  # fmt: skip

    def first_parents(self, commit: str, since: str) -> list[tuple[str, str]]:
        """The commits from `since` to `commit` along first parents, oldest first, with parent."""
        raw = self._work(
            "rev-list", "--first-parent", "--parents", "--reverse", commit, f"^{since}"
        ).stdout
        words = [line.split() for line in raw.decode().splitlines()]
        return [(line[0], line[1] if len(line) > 1 else "") for line in words]

    def messages(self, commit: str, since: str) -> list[tuple[str, str]]:
        """The commits that `commit` holds and `since` does not, children first, with message."""
        raw = self._work(
            "log", "-z", "--topo-order", "--format=%H%n%B", commit, f"^{since}"
        ).stdout.decode("utf-8", "replace")
        entries = (entry.partition("\n") for entry in raw.split("\0") if entry)
        return [(commit, message) for commit, _, message in entries]

    def read_file(self, commit: str, path: str) -> bytes | None:
        """A file's bytes in a commit, None when it is not there."""
        answer = self._work("cat-file", "blob", f"{commit}:{path}", accept=(0, 128))
        return answer.stdout if answer.returncode == 0 else None

    def store_file(self, path: Path) -> str:
        """Store a file's bytes as they are; returns the object id."""
        return _line(self._work("hash-object", "-w", "--no-filters", "--", str(path)))

    def merge_file(self, ours: Path, base: Path, theirs: Path) -> bool:
        """Merge what changed from `base` to `theirs` into `ours`; False on conflicts.

        Files that are not text conflict (status 255).
        """
        answer = self._work(
            "merge-file", "-q", "-L", "yours", "-L", "before", "-L", "incumbent",
            str(ours), str(base), str(theirs), accept=(*range(128), 255),
        )  # fmt: skip
        return answer.returncode == 0

    def filtered_paths(self, paths: Sequence[str]) -> dict[str, str]:
        """Which of these files of the checkout a git filter rewrites (LFS and the like)."""
        raw = self._work(
            "check-attr", "-z", "--stdin", "filter",
            work_tree=self.repository.root, stdin=_nul_joined(paths),
        ).stdout  # fmt: skip
        fields = [os.fsdecode(field) for field in raw.split(b"\0")]
        triples = zip(fields[::3], fields[1::3], fields[2::3], strict=False)
        return {path: value for path, _, value in triples if value not in ("unspecified", "unset")}

    # Refs

    def resolve(self, ref: str) -> str | None:
        """The commit that a ref of the user's repository points at."""
        answer = self._refs("rev-parse", "-q", "--verify", f"{ref}^{{commit}}", accept=(0, 1, 128))
        return _line(answer) if answer.returncode == 0 else None

    def set_ref(self, ref: str, commit: str) -> None:
        """Point one of our refs at a commit, durably."""
        self._refs("update-ref", ref, commit)
        self._sync_ref(ref)

    def set_refs(self, commits: Mapping[str, str]) -> None:
        """Point many of our refs, ref -> commit, at once."""
        commands = "".join(f"update {ref} {commit}\n" for ref, commit in commits.items())
        if commands:
            self._refs("update-ref", "--stdin", stdin=commands.encode())

    def move_ref(self, ref: str, commit: str, expected: str | None) -> bool:
        """Compare-and-swap: False when the ref does not stand at `expected` (None: not there)."""
        zero = "0" * (64 if self.repository.object_format == "sha256" else 40)
        answer = self._refs(
            "update-ref", "-m", "autoresearch", ref, commit, expected or zero, accept=(0, 1, 128)
        )
        if answer.returncode != 0:
            if self.resolve(ref) != expected:
                return False
            raise GitError(f"git could not move {ref}: {os.fsdecode(answer.stderr).strip()}")
        self._sync_ref(ref)
        return True

    def delete_refs(self, prefix: str) -> None:
        """Delete all refs below `prefix`, which ends in `/`, or the one ref of that name."""
        listed = self._refs("for-each-ref", "--format=%(refname)", prefix).stdout
        commands = b"".join(b"delete " + ref + b"\n" for ref in listed.splitlines())
        if commands:
            self._refs("update-ref", "--stdin", stdin=commands)

    def pack_refs(self) -> None:
        """Store our loose refs in one file. It changes no ref's value."""
        self._packing.touch()
        ours = self._refs("pack-refs", "--include=refs/autoresearch/*", accept=(0, 1, 128, 129))
        if ours.returncode == 129:  # git before 2.42 can only pack all
            self._refs("pack-refs", "--all", accept=(0, 1, 128))
        self._packing.unlink()

    def clear_stale_locks(self, refs: str, branch_ref: str) -> None:
        """Remove the locks that git processes of a killed run left on our index and ref files.

        A process that still works gets a few seconds to finish. The caller holds the experiment's
        lock, so nobody else writes these files.
        """
        ours = self.repository.common_dir / branch_ref
        locks = [
            *self.directory.glob("*.lock"),
            *(self.repository.common_dir / refs).rglob("*.lock"),
            *([lock] if (lock := ours.with_name(f"{ours.name}.lock")).exists() else []),
        ]
        if self._packing.exists():  # we were packing: the lock on the packed refs is ours
            locks.append(self.repository.common_dir / "packed-refs.lock")
            self._packing.unlink()
        until = time.monotonic() + _LOCK_PATIENCE
        while any(lock.exists() for lock in locks) and time.monotonic() < until:
            time.sleep(0.05)
        for lock in locks:
            lock.unlink(missing_ok=True)

    @property
    def _packing(self) -> Path:
        return self.directory / "packing"

    def _sync_ref(self, ref: str) -> None:
        # A power cut can lose the renamed ref file although its content was synced.
        directory = (self.repository.common_dir / ref).parent
        if directory.is_dir():
            descriptor = os.open(directory, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _line(answer: subprocess.CompletedProcess[bytes]) -> str:
    return answer.stdout.decode().strip()


def _nul_joined(paths: Iterable[str]) -> bytes:
    return b"".join(os.fsencode(path) + b"\0" for path in paths)


def is_behind_link(root: Path, path: str) -> bool:
    """Whether a folder above `path` is a symlink by now: to git, such a file is gone."""
    return any((root / folder).is_symlink() for folder in PurePosixPath(path).parents)
