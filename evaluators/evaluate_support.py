"""What the ready-made evaluators share: how they are told their options, and how they report.

`autoresearch setup --evaluator NAME` copies this file beside the evaluator. Both are yours to read
and to change: an edit opens an epoch, so numbers of before are not compared with numbers of after.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

_TAIL_LINES = 15
_TAIL_BYTES = 20_000


@dataclass(frozen=True)
class Finished:
    """A command that came to its end. `seconds` is until nothing of it ran any more."""

    seconds: float
    stdout: bytes
    stderr: bytes
    exit_code: int


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """The options: those of the command line, over those of `[evaluate.options]`."""
    try:
        configured = json.loads(os.environ.get("AUTORESEARCH_OPTIONS") or "{}")
    except ValueError as error:
        parser.error(f"AUTORESEARCH_OPTIONS is not JSON: {error}")
    if not isinstance(configured, dict):
        parser.error("AUTORESEARCH_OPTIONS must be a JSON object, option name to value")
    parser.allow_abbrev = False  # a misspelt name is an error, not a guess
    _refuse_wrong_kinds(parser, configured)
    words = [word for name, value in configured.items() for word in _as_words(name, value)]
    return parser.parse_args([*words, *sys.argv[1:]])


def report(**metrics: float) -> None:
    """Print the numbers, and write them where nothing that was measured can print over them."""
    for name, value in metrics.items():
        if not math.isfinite(value):
            fail(f"{name} is {value}, which cannot be compared")
    for name, value in metrics.items():
        print(f"{name}: {value if isinstance(value, int) else format(value, '.10g')}")
    sys.stdout.flush()
    if path := os.environ.get("AUTORESEARCH_METRICS"):
        fresh = Path(f"{path}.new")
        fresh.write_text(json.dumps(metrics))
        fresh.replace(path)


def fail(message: str, finished: Finished | None = None) -> NoReturn:
    """End the evaluation as failed, with the reason and the end of what the command printed."""
    sys.stdout.flush()
    if finished:
        for line in _tail(finished.stdout) + _tail(finished.stderr):
            print(f"| {line}", file=sys.stderr)  # the bar keeps it from being read as a metric
    print(f"failed: {message}", file=sys.stderr)
    sys.exit(1)


def expected_output(name: str) -> bytes | None:
    """What the file of the option `expect_output` holds, None without one."""
    if not name:
        return None
    path = Path(name)
    if not path.is_file():
        fail(f"expect_output: there is no file {path}")
    return path.read_bytes()


def matches(pattern: str) -> list[Path]:
    """What a glob matches, from here or from the root, in a fixed order."""
    path = Path(pattern)
    return sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))


def baseline_file(name: str) -> Path | None:
    """A file that an evaluation of the baseline leaves for all later ones; None outside a trial."""
    directory = os.environ.get("AUTORESEARCH_BASELINE_DIR")
    return Path(directory) / name if directory else None


def measures_baseline() -> bool:
    """Whether this is the evaluation whose `baseline_file` counts."""
    directories = (os.environ.get(f"AUTORESEARCH_{name}_DIR") for name in ("RUN", "BASELINE"))
    run_directory, baseline = directories
    return run_directory is not None and run_directory == baseline


def _as_words(name: str, value: object) -> list[str]:
    flag = f"--{name.replace('_', '-')}"
    if isinstance(value, bool):
        return [flag] if value else []
    if isinstance(value, list):
        return [f"{flag}={item}" for item in value]
    return [f"{flag}={value}"]


def _refuse_wrong_kinds(parser: argparse.ArgumentParser, configured: dict[str, object]) -> None:
    """End with an error where argparse would take a value for something else than it is."""
    for action in parser._actions:
        if action.dest not in configured:
            continue
        value = configured[action.dest]
        is_flag = isinstance(action, argparse._StoreTrueAction)
        is_list = isinstance(action, argparse._AppendAction)
        if isinstance(value, bool) != is_flag:
            parser.error(f"{action.dest} must {'' if is_flag else 'not '}be true or false")
        if value is None or isinstance(value, dict if is_list else dict | list):
            parser.error(f"{action.dest} must be a single value")


def _tail(output: bytes) -> list[str]:
    return output[-_TAIL_BYTES:].decode("utf-8", "backslashreplace").splitlines()[-_TAIL_LINES:]
