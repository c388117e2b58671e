"""What can be seen of a repository: what setup suggests."""

import importlib.util
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from autoresearch import git, parameters
from autoresearch.errors import ConfigError
from autoresearch.paths import Patterns

_SCRIPT = re.compile(
    r"(?:.*/)?(?:evaluate|eval|bench|benchmark|bench_\w+|benchmark_\w+|\w+_bench|\w+_benchmark)"
    r"\.(?:py|sh|js|mjs|rb|pl)"
)
_RUNNERS = {
    ".py": "python",
    ".sh": "sh",
    ".js": "node",
    ".mjs": "node",
    ".rb": "ruby",
    ".pl": "perl",
}
_SOURCE = frozenset(
    [
        ".py",
        ".c",
        ".cc",
        ".cpp",
        ".h",
        ".rs",
        ".go",
        ".js",
        ".ts",
        ".java",
        ".rb",
        ".jl",
        ".sh",
        ".sql",
        ".md",
        ".txt",
    ]
)
_DATA = frozenset(
    [
        "data",
        "dataset",
        "datasets",
        ".venv",
        "venv",
        "env",
        "node_modules",
        "models",
        "weights",
        "target",
    ]
)
_NOT_TARGETS = re.compile(
    r"(?:^|/)(?:tests?|docs?|\.github)/|(?:^|/)(?:setup|conftest)\.py$|README"
)
_PRINTED = re.compile(r"""["'`]([A-Za-z_][A-Za-z0-9_.]*)\s*[:=]\s*["'`{%$]""")


def evaluation_commands(files: Sequence[str]) -> list[str]:
    """Commands that look like evaluations, the likeliest first."""
    scripts = [path for path in files if _SCRIPT.fullmatch(path)]
    scripts.sort(key=lambda path: ("eval" not in path, path.count("/"), path))
    found = [f"{_runner(path)} {path}" for path in scripts]
    if "Makefile" in files and not found:
        found.append("make bench")
    return found


def python() -> str:
    """What Python is called here."""
    return "python" if shutil.which("python") else "python3"


def _runner(path: str) -> str:
    runner = _RUNNERS[Path(path).suffix]
    return python() if runner == "python" else runner


def printed_metrics(text: str) -> list[str]:
    """Names that a script seems to print as `NAME: NUMBER`."""
    return list(dict.fromkeys(_PRINTED.findall(text)))


def likely_targets(files: Sequence[str], command: str) -> list[str]:
    """Source files that could be what is to be improved."""
    return [
        path
        for path in files
        if Path(path).suffix in _SOURCE
        and path not in command
        and not _NOT_TARGETS.search(path)
        and not path.startswith(".")
    ]


def linkable(repository: git.Repository) -> list[str]:
    """Ignored folders of the checkout that evaluations often need."""
    ignored = (path.rstrip("/") for path in git.ignored_paths(repository))
    return [path for path in ignored if path.rpartition("/")[2] in _DATA]


def named_but_ignored(repository: git.Repository, command: str) -> list[str]:
    """Ignored folders of data or tools that a command names (`.venv/bin/python bench.py`).

    Not any ignored path: a program that is built would be built through the link, over the user's.
    """
    return [
        plain
        for plain in linkable(repository)
        if re.search(rf"(?:^|[\s'\"=/]){re.escape(plain)}(?:/|[\s'\"]|$)", command)
        and not plain.startswith(".autoresearch")
    ]


def proposer(root: Path, files: Sequence[str], target: Sequence[str]) -> tuple[str, str]:
    """The proposer that works here, and why that one."""
    if not _declares_parameters(root, files, target):
        return "manual", "you edit, it measures; --propose CMD has a command edit"
    if importlib.util.find_spec("optuna") is None:
        return (
            "manual",
            "the target declares parameters, but `pip install 'autoresearch[tune]'` is missing",
        )
    return "tune", "the target declares parameters"


def _declares_parameters(root: Path, files: Sequence[str], target: Sequence[str]) -> bool:
    wanted = Patterns(target)
    for path in files:
        if wanted.match(path) and (root / path).is_file():
            try:
                text = (root / path).read_text(encoding="utf-8")
                if parameters.declared(path, text):
                    return True
            except (UnicodeDecodeError, ConfigError):
                continue  # not text, or a declaration that the proposer will explain
    return False
