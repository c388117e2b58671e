"""The only file that runs git.

Two kinds of calls. *Asking* the user's repository runs plain git in the user's own environment and
only reads. *Working* goes through a `Store`: plumbing commands, an environment built from nothing,
a git directory of our own (so that no hook, filter, attribute driver or config that a candidate
can write is ever in force) on top of the user's object store and refs.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from autoresearch.errors import ConfigError, GitError, Protected

GITLINK = "160000"
_LOCK_PATIENCE = 2.0  # seconds

# What must carry over from the user's settings, so that trees look as they do in the checkout.
_CARRIED = (
    "core.autocrlf",
    "core.eol",
    "core.filemode",
    "core.symlinks",
    "core.ignorecase",
    "core.precomposeunicode",
)
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
class Repository:
    """The user's repository and checkout, as found from a directory in it."""

    root: Path
    git_dir: Path
    common_dir: Path
    object_format: str
    prefix: str  # the directory it was found from, relative to the root, "" or ending in "/"

    @property
    def objects(self) -> Path:
        """Where its objects are stored."""
        return self.common_dir / "objects"


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


def find_repository(directory: Path) -> Repository:
    """The repository around `directory`. Raises ConfigError when there is none that can be used."""
    if shutil.which("git") is None:
        raise ConfigError("git is not installed, or not on PATH. autoresearch needs it.")
    if not directory.is_dir():
        raise ConfigError(f"There is no directory {directory}.")
    answer = _ask_raw(directory, "rev-parse", "--is-bare-repository", "--is-inside-git-dir")
    if answer.returncode != 0:
        message = os.fsdecode(answer.stderr).strip()
        if "dubious ownership" in message:
            raise ConfigError(f"git refuses this repository: {message}")
        raise ConfigError(
            f"{directory} is not in a git repository. Go to your project, or make one: "
            "`git init`, `git add -A`, `git commit -m start`."
        )
    is_bare, is_inside = os.fsdecode(answer.stdout).split()
    if is_bare == "true":
        raise ConfigError(f"{directory} is a bare repository. autoresearch needs a checkout.")
    if is_inside == "true":
        raise ConfigError(f"{directory} is inside a .git directory. Go to the checkout itself.")
    # Separate calls, because a path may hold a newline.
    return Repository(
        root=Path(_ask(directory, "rev-parse", "--show-toplevel")),
        git_dir=Path(_ask(directory, "rev-parse", "--absolute-git-dir")),
        common_dir=Path(_ask(directory, "rev-parse", "--path-format=absolute", "--git-common-dir")),
        object_format=_ask(directory, "rev-parse", "--show-object-format"),
        prefix=_ask(directory, "rev-parse", "--show-prefix"),
    )


def head_commit(repository: Repository) -> str:
    """The commit that is checked out. Raises ConfigError when there is none yet."""
    answer = _ask_raw(repository.root, "rev-parse", "-q", "--verify", "HEAD^{commit}")
    if answer.returncode != 0:
        raise ConfigError(
            f"{repository.root} has no commits yet. Make one: `git add -A`, `git commit -m start`."
        )
    return os.fsdecode(answer.stdout).strip()


def initialise(directory: Path) -> None:
    """Make `directory` a repository and commit what is in it. Only at the user's word."""
    _ask(directory, "init", "-q")
    _ask(directory, "add", "-A")
    identity = [] if _ask_raw(directory, "config", "user.email").returncode == 0 else [
        "-c", "user.name=autoresearch", "-c", "user.email=autoresearch@localhost",
    ]  # fmt: skip
    _ask(directory, *identity, "commit", "-q", "--allow-empty", "-m", "Start")


def uncommitted_paths(repository: Repository) -> list[str]:
    """Tracked paths with uncommitted changes, and untracked paths that are not ignored."""
    raw = _ask_raw(repository.root, "status", "--porcelain=v1", "-z", "--no-renames").stdout
    paths = [os.fsdecode(entry[3:]) for entry in raw.split(b"\0") if entry]
    return [path for path in paths if not path.startswith(".autoresearch/")]


def tracked_paths(repository: Repository) -> list[str]:
    """The paths in the index of the checkout."""
    raw = _ask_raw(repository.root, "ls-files", "-z").stdout
    return [os.fsdecode(path) for path in raw.split(b"\0") if path]


def ref_exists(repository: Repository, ref: str) -> bool:
    """Whether the user's repository has this ref."""
    return _ask_raw(repository.root, "rev-parse", "-q", "--verify", ref).returncode == 0


def ignored_paths(repository: Repository) -> list[str]:
    """Ignored paths of the checkout; a directory that is ignored whole ends in `/`."""
    raw = _ask_raw(
        repository.root, "ls-files", "-z", "-o", "-i", "--exclude-standard", "--directory"
    ).stdout
    return [os.fsdecode(path) for path in raw.split(b"\0") if path]


def is_ignored(repository: Repository, path: str) -> bool:
    """Whether git ignores `path` (relative to the root)."""
    return _ask_raw(repository.root, "check-ignore", "-q", "--", path).returncode == 0


def skipped_paths(repository: Repository) -> set[str]:
    """Paths that a sparse checkout leaves out: they count as unchanged."""
    raw = _ask_raw(repository.root, "ls-files", "-z", "-t").stdout
    return {os.fsdecode(entry[2:]) for entry in raw.split(b"\0") if entry.startswith(b"S ")}


def branch_checkouts(repository: Repository, branch_ref: str) -> list[Path]:
    """The checkouts (main and linked) that have `branch_ref` checked out."""
    raw = _ask_raw(repository.root, "worktree", "list", "--porcelain", "-z").stdout
    if not raw:  # git before 2.36 has no -z here
        raw = _ask_raw(repository.root, "worktree", "list", "--porcelain").stdout
        raw = raw.replace(b"\n", b"\0")
    found, current = [], Path()
    for field in raw.split(b"\0"):
        if field.startswith(b"worktree "):
            current = Path(os.fsdecode(field[9:]))
        elif field == b"branch " + os.fsencode(branch_ref):
            found.append(current)
    return found


def missing_promised_blobs(repository: Repository) -> bool:
    """Whether this is a partial clone that lacks files of HEAD."""
    promisor = _ask_raw(repository.root, "config", "--get-regexp", r"^remote\..*\.promisor$")
    if promisor.returncode != 0:
        return False
    listed = _ask_raw(
        repository.root, "rev-list", "--objects", "--missing=print", "--no-walk", "HEAD"
    ).stdout
    return any(line.startswith(b"?") for line in listed.splitlines())


class Store:
    """Plumbing on a git directory of our own, over the user's objects and refs.

    The directory holds indexes and config only; it can be deleted and is made again.
    """

    def __init__(self, directory: Path, repository: Repository) -> None:
        self.directory = directory
        self.repository = repository
        if not (directory / "HEAD").exists():
            self._create()
        _copy_if_present(repository.common_dir / "shallow", directory / "shallow")

    def _create(self) -> None:
        """Build the directory beside its place and rename it, so that it is whole or not there."""
        root = self.repository.root
        draft = self.directory.with_name(f"{self.directory.name}.new")
        shutil.rmtree(draft, ignore_errors=True)
        for folder in ("refs", "objects", "info"):
            (draft / folder).mkdir(parents=True)
        (draft / "HEAD").write_text("ref: refs/heads/none\n")
        lines = ["[core]", "\tbare = false", "\tfsync = committed,reference", "[gc]", "\tauto = 0"]
        if self.repository.object_format == "sha256":
            lines += ["[core]", "\trepositoryformatversion = 1"]
            lines += ["[extensions]", "\tobjectformat = sha256"]
        lines.append("[core]")
        for key in _CARRIED:
            answer = _ask_raw(root, "config", "--get", key)
            if answer.returncode == 0:
                lines.append(
                    f"\t{key.removeprefix('core.')} = {os.fsdecode(answer.stdout).strip()}"
                )
        home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "git"
        for key, default in (
            ("excludesFile", home / "ignore"),
            ("attributesFile", home / "attributes"),
        ):
            answer = _ask_raw(root, "config", "--type=path", "--get", f"core.{key}")
            source = Path(os.fsdecode(answer.stdout).rstrip("\n")) if answer.stdout else default
            if _copy_if_present(source, draft / "info" / key):
                lines.append(f'\t{key} = "{_quoted(self.directory / "info" / key)}"')
        (draft / "config").write_text("\n".join(lines) + "\n")
        _copy_if_present(self.repository.common_dir / "info/attributes", draft / "info/attributes")
        _copy_if_present(self.repository.common_dir / "info/exclude", draft / "info/exclude")
        draft.rename(self.directory)

    def hide(self, paths: Iterable[str]) -> None:
        """Never list these paths as changes, whatever a `.gitignore` says: linked folders."""
        user_rules = self.repository.common_dir / "info/exclude"
        own = "".join(f"/{_escaped(path.rstrip('/'))}\n" for path in paths)
        text = user_rules.read_text(errors="surrogateescape") if user_rules.exists() else ""
        rules = self.directory / "info" / "exclude"
        content = f"{text}\n{own}"
        if not rules.exists() or rules.read_text(errors="surrogateescape") != content:
            rules.write_text(content, errors="surrogateescape")

    @cached_property
    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", os.defpath),
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
        return _run([*command, *arguments], environment, work_tree, stdin, accept)

    def _refs(
        self, *arguments: str, stdin: bytes | None = None, accept: tuple[int, ...] = (0,)
    ) -> subprocess.CompletedProcess[bytes]:
        command = ["git", *_HARDENED, f"--git-dir={self.repository.common_dir}", *arguments]
        return _run(command, self._environment, None, stdin, accept)

    # Work trees

    def lay_out(self, work_tree: Path, index: Path, tree: str) -> None:
        """Make the tracked files of `work_tree` exactly those of `tree`."""
        self._work("read-tree", "--reset", "-u", tree, index=index, work_tree=work_tree)

    def clean(self, work_tree: Path, index: Path, keep: Sequence[str] = ()) -> None:
        """Remove everything that the index does not hold, ignored files and repositories too."""
        exceptions = [f"--exclude=/{_escaped(path.rstrip('/'))}" for path in keep]
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
            "ls-files", "-z", "-o", "--directory", index=index, work_tree=work_tree
        ).stdout
        return [os.fsdecode(path) for path in raw.split(b"\0") if path]

    def stage(self, work_tree: Path, index: Path, paths: Iterable[str]) -> None:
        """Take these paths into the index as they are in `work_tree` now."""
        self._work(
            "update-index", "-z", "--add", "--remove", "--replace", "--stdin",
            index=index, work_tree=work_tree, stdin=_nul_joined(paths),
        )  # fmt: skip

    def check_out(self, work_tree: Path, index: Path, paths: Iterable[str]) -> None:
        """Write these paths of the index into `work_tree`, over what is there."""
        self._work(
            "checkout-index", "-q", "-f", "-z", "--stdin",
            index=index, work_tree=work_tree, stdin=_nul_joined(paths),
        )  # fmt: skip

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

    def read_file(self, commit: str, path: str) -> bytes | None:
        """A file's bytes in a commit, None when it is not there."""
        answer = self._work("cat-file", "blob", f"{commit}:{path}", accept=(0, 128))
        return answer.stdout if answer.returncode == 0 else None

    def store_file(self, path: Path) -> str:
        """Store a file's bytes as they are; returns the object id."""
        return _line(self._work("hash-object", "-w", "--no-filters", "--", str(path)))

    def merge_file(self, ours: Path, base: Path, theirs: Path) -> bool:
        """Merge what changed from `base` to `theirs` into `ours`; False on conflicts."""
        answer = self._work(
            "merge-file", "-q", "-L", "yours", "-L", "before", "-L", "incumbent",
            str(ours), str(base), str(theirs), accept=tuple(range(128)),
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


def is_valid_ref(ref: str) -> bool:
    """Whether git accepts this ref name."""
    return subprocess.run(["git", "check-ref-format", ref], check=False).returncode == 0


def _ask_raw(directory: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    # GIT_DIR and friends are set when we are called from a git hook: they would win over -C.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    environment |= {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    return subprocess.run(
        ["git", "-C", str(directory), *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        process_group=0,
    )


def _ask(directory: Path, *arguments: str) -> str:
    answer = _ask_raw(directory, *arguments)
    if answer.returncode != 0:
        message = os.fsdecode(answer.stderr).strip()
        raise GitError(f"git {arguments[0]} failed in {directory}: {message}")
    return os.fsdecode(answer.stdout).removesuffix("\n")


def _run(
    command: list[str],
    environment: dict[str, str],
    directory: Path | None,
    stdin: bytes | None,
    accept: tuple[int, ...],
) -> subprocess.CompletedProcess[bytes]:
    answer = subprocess.run(
        command,
        env=environment,
        cwd=directory,
        input=b"" if stdin is None else stdin,
        capture_output=True,
        check=False,
        process_group=0,  # Ctrl-C is for us; git finishes what it was doing
    )
    if answer.returncode not in accept:
        message = os.fsdecode(answer.stderr).strip()
        name = next(word for word in command[1:] if not word.startswith("-") and "=" not in word)
        if "No space left on device" in message:
            raise Protected("The disk is full. Free some space, then run again: nothing is lost.")
        raise GitError(f"git {name} failed: {message or answer.returncode}")
    return answer


def _line(answer: subprocess.CompletedProcess[bytes]) -> str:
    return answer.stdout.decode().strip()


def _nul_joined(paths: Iterable[str]) -> bytes:
    return b"".join(os.fsencode(path) + b"\0" for path in paths)


def _escaped(path: str) -> str:
    """`path` as an ignore pattern that means just this path."""
    return "".join("\\" + c if c in "\\*?[!# " else c for c in path)


def _quoted(path: Path) -> str:
    return str(path).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _copy_if_present(source: Path, destination: Path) -> bool:
    if not source.is_file():
        return False
    shutil.copyfile(source, destination)
    return True
