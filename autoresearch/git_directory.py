"""Our own git directory: indexes and config only, made from the user's settings.

It lies in the cache and can be deleted; it is then made again. No hook, filter, attribute driver
or config that a candidate can write is in force in it.
"""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from autoresearch import git
from autoresearch.git import Repository

# What must carry over from the user's settings, so that trees look as they do in the checkout.
_CARRIED = (
    "core.autocrlf",
    "core.eol",
    "core.filemode",
    "core.symlinks",
    "core.ignorecase",
    "core.precomposeunicode",
)


def make(directory: Path, repository: Repository) -> None:
    """Build the directory beside its place and rename it, so that it is whole or not there."""
    draft = directory.with_name(f"{directory.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    for folder in ("refs", "objects", "info"):
        (draft / folder).mkdir(parents=True)
    (draft / "HEAD").write_text("ref: refs/heads/none\n")
    lines = ["[core]", "\tbare = false", "\tfsync = committed,reference", "[gc]", "\tauto = 0"]
    if repository.object_format == "sha256":
        lines += ["[core]", "\trepositoryformatversion = 1"]
        lines += ["[extensions]", "\tobjectformat = sha256"]
    lines.append("[core]")
    for key in _CARRIED:
        if value := git.setting(repository, key):
            lines.append(f"\t{key.removeprefix('core.')} = {value}")
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "git"
    for key, default in (("excludesFile", "ignore"), ("attributesFile", "attributes")):
        chosen = git.setting(repository, f"core.{key}", is_path=True)
        if copy_if_present(Path(chosen) if chosen else home / default, draft / "info" / key):
            lines.append(f'\t{key} = "{_quoted(directory / "info" / key)}"')
    (draft / "config").write_text("\n".join(lines) + "\n")
    for name in ("attributes", "exclude"):
        copy_if_present(repository.common_dir / "info" / name, draft / "info" / name)
    draft.rename(directory)


def hide(directory: Path, repository: Repository, paths: Iterable[str]) -> None:
    """Have these paths ignored, beside what the user's `info/exclude` says."""
    user_rules = repository.common_dir / "info/exclude"
    own = "".join(f"/{escaped(path.rstrip('/'))}\n" for path in paths)
    text = user_rules.read_text(errors="surrogateescape") if user_rules.exists() else ""
    content = f"{text}\n{own}"
    rules = directory / "info" / "exclude"
    if not rules.exists() or rules.read_text(errors="surrogateescape") != content:
        rules.write_text(content, errors="surrogateescape")


def escaped(path: str) -> str:
    """`path` as an ignore pattern that means just this path."""
    return "".join("\\" + c if c in "\\*?[!# " else c for c in path)


def copy_if_present(source: Path, destination: Path) -> bool:
    """Copy a file; False when there is none."""
    if not source.is_file():
        return False
    shutil.copyfile(source, destination)
    return True


def _quoted(path: Path) -> str:
    return str(path).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
