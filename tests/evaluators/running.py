"""Runs an evaluator as its user does: the script itself, in a process of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

EVALUATORS = Path(__file__).parent.parent.parent / "evaluators"
_NUMBER = re.compile(r"^(\w+): (-?\d[\d.e+-]*)$", re.MULTILINE)


@dataclass(frozen=True)
class Result:
    """What an evaluator did; `numbers` are those that it printed."""

    code: int
    out: str
    err: str
    numbers: dict[str, float]


def evaluate(
    name: str, *arguments: str, cwd: Path, environment: Mapping[str, str] | None = None
) -> Result:
    """Run `evaluators/NAME.py` in a directory, as it is run outside of a trial."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("AUTORESEARCH_")}
    process = subprocess.run(
        [sys.executable, str(EVALUATORS / f"{name}.py"), *arguments],
        cwd=cwd,
        env={**inherited, **(environment or {})},
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="backslashreplace",
        timeout=60,
    )
    numbers = {key: float(value) for key, value in _NUMBER.findall(process.stdout)}
    return Result(process.returncode, process.stdout, process.stderr, numbers)
