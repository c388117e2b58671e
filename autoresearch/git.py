"""The only file that runs git, and what the user's repository answers.

Asking runs plain git in the user's own environment and only reads. All work goes through a
`Store` (store.py), which runs plumbing in an environment built from nothing. What a user asks for
in the checkout itself (`apply`) is done by their own git, with their identity and settings.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from autoresearch.errors import ConfigError, GitError, Protected

# What `git rev-parse` answers in one call, a line each; the first only says how.
_FACTS = (
    "--path-format=absolute",
    "--show-toplevel",
    "--absolute-git-dir",
    "--git-common-dir",
    "--show-object-format",
    "--show-prefix",
)
# Variables that say who the user is and what they set up, not which repository is meant.
_OF_THE_USER = ("GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_CONFIG_")
# What stands in the git directory while the user is in the middle of something.
_OPERATIONS = {
    "MERGE_HEAD": "merge",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
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
    def main_root(self) -> Path:
        """The main checkout, when this is a linked one that has such; else this one."""
        is_linked = self.git_dir != self.common_dir and self.common_dir.name == ".git"
        return self.common_dir.parent if is_linked else self.root

    @property
    def objects(self) -> Path:
        """Where its objects are stored."""
        return self.common_dir / "objects"


def require() -> None:
    """Raise ConfigError when there is no git."""
    if shutil.which("git") is None:
        raise ConfigError("git is not installed, or not on PATH. autoresearch needs it.")


def find_repository(directory: Path) -> Repository:
    """The repository around `directory`. Raises ConfigError when there is none that can be used."""
    require()
    if not directory.is_dir():
        raise ConfigError(f"There is no directory {directory}.")
    answer = _ask_raw(
        directory, "rev-parse", "--is-bare-repository", "--is-inside-git-dir", *_FACTS
    )
    kind = os.fsdecode(answer.stdout).split("\n")[:2]
    if kind[0] == "true":
        raise ConfigError(f"{directory} is a bare repository. autoresearch needs a checkout.")
    if kind[1:] == ["true"]:
        raise ConfigError(f"{directory} is inside a .git directory. Go to the checkout itself.")
    if answer.returncode != 0:
        message = os.fsdecode(answer.stderr).strip()
        if "dubious ownership" in message:
            raise ConfigError(f"git refuses this repository: {message}")
        raise ConfigError(
            f"{directory} is not in a git repository. Go to your project, or make one: "
            "`git init`, `git add -A`, `git commit -m start`."
        )
    facts = os.fsdecode(answer.stdout).removesuffix("\n").split("\n")[2:]
    if len(facts) != len(_FACTS) - 1:  # a path holds a newline: ask for one at a time
        separately = [["--path-format=absolute", fact] for fact in _FACTS[1:]]
        facts = [_ask(directory, "rev-parse", *fact) for fact in separately]
    root, git_directory, common_directory, object_format, prefix = facts
    return Repository(
        root=Path(root),
        git_dir=Path(git_directory),
        common_dir=Path(common_directory),
        object_format=object_format,
        prefix=prefix,
    )


def head_commit(repository: Repository) -> str:
    """The commit that is checked out. Raises ConfigError when there is none yet."""
    answer = _ask_raw(repository.root, "rev-parse", "-q", "--verify", "HEAD^{commit}")
    if answer.returncode != 0:
        raise ConfigError(
            f"{repository.root} has no commits yet. Make one: `git add -A`, `git commit -m start`."
        )
    return os.fsdecode(answer.stdout).strip()


def head_ref(repository: Repository) -> str:
    """The ref of the branch that is checked out, "" when HEAD is detached."""
    answer = _ask_raw(repository.root, "symbolic-ref", "-q", "HEAD")
    return os.fsdecode(answer.stdout).strip()


def operation_in_progress(repository: Repository) -> str:
    """What the user is in the middle of (`merge`, `rebase`, …), "" for nothing."""
    found = (name for file, name in _OPERATIONS.items() if (repository.git_dir / file).exists())
    return next(found, "")


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


def unstaged_paths(repository: Repository) -> set[str]:
    """Tracked paths whose file is not as in the index."""
    raw = _ask_raw(
        repository.root, "status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=no"
    ).stdout
    entries = [entry for entry in raw.split(b"\0") if entry]
    return {os.fsdecode(entry[3:]) for entry in entries if entry[1:2] != b" "}


def staged_changes(repository: Repository) -> dict[str, tuple[str, str]]:
    """What the index holds other than HEAD: path -> mode and object id, both "" when gone."""
    raw = _ask_raw(
        repository.root, "diff-index", "--cached", "--raw", "-z", "--no-renames", "HEAD"
    ).stdout
    fields = raw.split(b"\0")
    found = {}
    for head, path in zip(fields[::2], fields[1::2], strict=False):
        _, mode, _, object_id, status = head.decode().split()
        found[os.fsdecode(path)] = ("", "") if status == "D" else (mode, object_id)
    return found


def tracked_paths(repository: Repository) -> list[str]:
    """The paths in the index of the checkout."""
    raw = _ask_raw(repository.root, "ls-files", "-z").stdout
    return [os.fsdecode(path) for path in raw.split(b"\0") if path]


def ref_exists(repository: Repository, ref: str) -> bool:
    """Whether the user's repository has this ref."""
    return _ask_raw(repository.root, "rev-parse", "-q", "--verify", ref).returncode == 0


@dataclass(frozen=True)
class Commit:
    """A commit that the user's repository has."""

    id: str
    tree: str
    parent: str  # the first one, "" for a root


def find_commits(repository: Repository, names: Iterable[str]) -> dict[str, Commit]:
    """Those of `names`, full or short hexadecimal ids, that are commits here."""
    names = list(dict.fromkeys(names))
    asked = [f"{name}{part}" for name in names for part in ("^{commit}", "^{tree}", "^")]
    lines = "".join(f"{one}\n" for one in asked).encode()
    answer = _ask_raw(repository.root, "cat-file", "--batch-check=%(objectname)", stdin=lines)
    found = [
        "" if " " in line else line  # `abc1234^{commit} missing`, or ambiguous
        for line in answer.stdout.decode("utf-8", "replace").splitlines()
    ]
    triples = zip(names, found[::3], found[1::3], found[2::3], strict=False)
    # A branch may have a hexadecimal name, and git would take that.
    return {name: Commit(*ids) for name, *ids in triples if ids[0] and ids[0].startswith(name)}


def ignored_paths(repository: Repository) -> list[str]:
    """Ignored paths of the checkout; a directory that is ignored whole ends in `/`."""
    raw = _ask_raw(
        repository.root, "ls-files", "-z", "-o", "-i", "--exclude-standard", "--directory"
    ).stdout
    return [os.fsdecode(path) for path in raw.split(b"\0") if path]


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


def is_valid_ref(ref: str) -> bool:
    """Whether git accepts this ref name."""
    return subprocess.run(["git", "check-ref-format", ref], check=False).returncode == 0


def setting(repository: Repository, key: str, *, is_path: bool = False) -> str:
    """One setting as it is in force in the checkout, "" when it is not set."""
    kind = ["--type=path"] if is_path else []
    answer = _ask_raw(repository.root, "config", *kind, "--get", key)
    return os.fsdecode(answer.stdout).rstrip("\n") if answer.returncode == 0 else ""


def commit_as_user(repository: Repository, tree: str, parent: str, message: str) -> str:
    """Store a commit as the user would: their identity, signed when they sign. No hook runs.

    Raises ConfigError when git does not know who they are.
    """
    for who in ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"):
        known = _as_user(repository, "var", who)
        if known.returncode != 0:
            raise ConfigError(f"Nothing was changed. {os.fsdecode(known.stderr).strip()}")
    signs = _as_user(repository, "config", "--type=bool", "commit.gpgSign").stdout == b"true\n"
    made = _as_user(
        repository, "-c", "i18n.commitEncoding=utf-8", "commit-tree", *(["-S"] if signs else []),
        "-p", parent, tree, stdin=message.encode("utf-8", "backslashreplace"),
    )  # fmt: skip
    if made.returncode != 0:
        raise GitError(
            f"Nothing was changed: git made no commit: {os.fsdecode(made.stderr).strip()}"
        )
    return os.fsdecode(made.stdout).strip()


def change_checkout(repository: Repository, *arguments: str, stdin: bytes = b"") -> None:
    """Run a command of the user's own git that changes their checkout, at their word.

    Raises GitError with what git said.
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
        given.write(stdin)
        given.seek(0)
        process = subprocess.Popen(
            ["git", "-C", str(repository.root), *arguments],
            env=_user_environment(),
            stdin=given,
            stdout=said,
            stderr=said,  # a file: a hook may leave something behind that keeps a pipe open
            process_group=0,
        )
        try:
            process.wait()
        finally:
            process.wait()  # Ctrl-C is for us; git finishes what it was doing
        said.seek(0)
        message = os.fsdecode(said.read()).strip()
    if process.returncode != 0:
        raise GitError(message or f"git ended with status {process.returncode}")
    lines = [line for line in message.splitlines() if not line.startswith("Squash commit --")]
    if lines:  # of a hook
        print("\n".join(lines), file=sys.stderr)


def run(
    command: list[str],
    environment: dict[str, str],
    directory: Path | None,
    stdin: bytes | None,
    accept: tuple[int, ...],
) -> subprocess.CompletedProcess[bytes]:
    """Run a git command in exactly this environment.

    Raises GitError for a status that is not in `accept`, Protected when the disk is full.
    """
    answer = _complete(command, environment, directory, stdin)
    if answer.returncode not in accept:
        message = os.fsdecode(answer.stderr).strip()
        name = next(word for word in command[1:] if not word.startswith("-") and "=" not in word)
        if "No space left on device" in message:
            raise Protected("The disk is full. Free some space, then run again: nothing is lost.")
        raise GitError(f"git {name} failed: {message or answer.returncode}")
    return answer


def _ask_raw(
    directory: Path, *arguments: str, stdin: bytes | None = None
) -> subprocess.CompletedProcess[bytes]:
    # GIT_DIR and friends are set when we are called from a git hook: they would win over -C.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    environment |= {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    return _complete(["git", "-C", str(directory), *arguments], environment, None, stdin)


def _complete(
    command: list[str], environment: dict[str, str], directory: Path | None, stdin: bytes | None
) -> subprocess.CompletedProcess[bytes]:
    while True:
        answer = subprocess.run(
            command,
            env=environment,
            cwd=directory,
            stdin=subprocess.DEVNULL if stdin is None else None,  # a pipe costs a third of a call
            input=stdin,
            capture_output=True,
            check=False,
            process_group=0,  # Ctrl-C is for us; git finishes what it was doing
        )
        # It can hit the new process before that has left our group, and become git: once more.
        if answer.returncode != -signal.SIGINT:
            return answer


def _as_user(
    repository: Repository, *arguments: str, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    # In our process group, because a program that signs may ask for a password at the terminal.
    return subprocess.run(
        ["git", "-C", str(repository.root), *arguments],
        env=_user_environment(),
        input=stdin,
        capture_output=True,
        check=False,
    )


def _user_environment() -> dict[str, str]:
    # Without GIT_DIR and friends, see `_ask_raw`.
    variables = os.environ.items()
    return {k: v for k, v in variables if not k.startswith("GIT_") or k.startswith(_OF_THE_USER)}


def _ask(directory: Path, *arguments: str) -> str:
    answer = _ask_raw(directory, *arguments)
    if answer.returncode != 0:
        message = os.fsdecode(answer.stderr).strip()
        raise GitError(f"git {arguments[0]} failed in {directory}: {message}")
    return os.fsdecode(answer.stdout).removesuffix("\n")
