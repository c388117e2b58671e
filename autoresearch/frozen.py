"""What a proposer must not change: the files that measure.

Frozen are the experiment's folder, what the user named, and the files that the evaluator's
commands run or name; what the target names literally is the target (`python train.py` may be
both). Of the target's other files, a command's argument is frozen only when it looks like a test
or a benchmark: `ruff check src/work.py` names what is to be improved. A ready-made evaluator says
which of its options measure (`expect_output`, a test command); the others name what is measured:
`./bench` is what `benchmark_speed` times.
"""

import posixpath
import re
import shlex
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import PurePosixPath

from autoresearch.config import Config
from autoresearch.paths import Patterns
from autoresearch.workspace import Rules

OWN_FOLDER = ".autoresearch"
_SEPARATORS = re.compile(r"&&|\|\||[;|&\n()]")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_INTERPRETER = re.compile(
    r"(?:python|pypy|ruby|perl|node|deno|bun|lua|php|julia|Rscript|ba|z|da|k)?(?:sh)?[\d.]*"
)
_WRAPPERS = frozenset(
    [
        "!",
        "time",
        "env",
        "nice",
        "nohup",
        "exec",
        "command",
        "timeout",
        "taskset",
        "numactl",
        "stdbuf",
    ]
)
_RUNNERS = frozenset(["uv", "poetry", "pipenv", "hatch", "pdm", "rye", "conda"])
_ARGUMENT_OF_WRAPPER = re.compile(r"-.*|[\d.,-]+[smhd]?")
_MEASURES = re.compile(
    r"(?:^|/)(?:tests?|specs?|bench\w*|eval\w*)/|(?:^|/)(?:test_|bench|eval|conftest)"
)


def rules(config: Config, files: Iterable[str], measuring: Collection[str] = ()) -> Rules:
    """What may change and what not, among the files of the baseline.

    `measuring` are the evaluator's options that measure.
    """
    paths = frozenset(files)
    target = Patterns(config.target)
    commands = [config.evaluate.command, config.evaluate.prepare]
    commands += [check.command for check in config.checks]
    own, named = set(), set()
    for option, value in config.evaluate.options.items():
        texts = value if isinstance(value, list) else [str(value)]
        if option in measuring:
            commands += texts
            own |= {path for text in texts for path in _in_tree(text, config, paths)}
        else:
            all_words = (words for text in texts for words in _simple_commands(text))
            named |= {path for words in all_words for path in _named(words, config, paths)}
    for words in (words for command in commands for words in _simple_commands(command)):
        own |= set(_run_by(words, config, paths))
        named |= _named(words, config, paths)
    own |= {path for path in named if not _is_in(target, path, paths) or _MEASURES.search(path)}
    literal = {
        pattern.removeprefix("./").rstrip("/").removesuffix("/**") for pattern in config.target
    }
    # Our own folder is frozen whole: naming its files one by one would open an epoch for each.
    beside = [path for path in own if not path.startswith(f"{OWN_FOLDER}/")]
    evaluator = sorted(path for path in beside if path.removesuffix("/**") not in literal)
    return Rules(
        target=target,
        frozen=Patterns(dict.fromkeys([*config.frozen, f"{OWN_FOLDER}/**", *evaluator])),
    )


def _named(words: Sequence[str], config: Config, paths: frozenset[str]) -> set[str]:
    """The tracked files and folders that a command's words mean."""
    return {path for word in words for path in _in_tree(word, config, paths)}


def _simple_commands(command: str) -> Iterator[list[str]]:
    """The words of each part of a shell command, without assignments before it."""
    for part in _SEPARATORS.split(command):
        try:
            words = shlex.split(part)
        except ValueError:
            words = part.split()
        while words and _ASSIGNMENT.match(words[0]):
            words = words[1:]
        if words:
            yield words


def _run_by(words: Sequence[str], config: Config, paths: frozenset[str]) -> Iterator[str]:
    """The tracked files that a simple command executes."""
    program = PurePosixPath(words[0]).name
    rest = list(words[1:])
    if program in _WRAPPERS or (program in _RUNNERS and rest[:1] == ["run"]):
        rest = rest[1:] if program in _RUNNERS else rest
        while rest and (_ASSIGNMENT.match(rest[0]) or _ARGUMENT_OF_WRAPPER.fullmatch(rest[0])):
            rest = rest[1:]
        if rest:
            yield from _run_by(rest, config, paths)
        return
    if program == "make":
        for name in ("Makefile", "makefile", "GNUmakefile"):
            yield from _in_tree(name, config, paths)
    yield from _in_tree(words[0], config, paths)
    if not _INTERPRETER.fullmatch(program):
        return
    for position, word in enumerate(rest):
        if word == "-m" and position + 1 < len(rest):
            module = rest[position + 1].replace(".", "/")
            yield from _in_tree(f"{module}.py", config, paths)
            yield from _in_tree(f"{module}/__main__.py", config, paths)
            return
        if not word.startswith("-"):
            yield from _in_tree(word, config, paths)
            return


def _in_tree(word: str, config: Config, paths: frozenset[str]) -> Iterator[str]:
    """The tracked file that a word means, or the pattern for the folder that it means."""
    for part in (word, word.partition("=")[2]):
        path = posixpath.normpath(posixpath.join(config.directory, part))
        if part in ("", ".", "./"):
            continue
        if path in paths:
            yield path
        elif any(other.startswith(f"{path}/") for other in paths):
            yield f"{path}/**"


def _is_in(target: Patterns, path: str, paths: frozenset[str]) -> bool:
    """Whether a file, or anything in a folder, belongs to the target."""
    folder = path.removesuffix("**")
    if folder == path:
        return target.match(path)
    return any(other.startswith(folder) and target.match(other) for other in paths)
