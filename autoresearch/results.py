"""`results.tsv`: one row a trial, for people and for readers of the earlier tools' files.

The first four columns are those of the first `autoresearch` scripts. The file is derived from the
journal and only ever appended to; a repair writes it anew.
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from autoresearch.errors import Protected
from autoresearch.trial import Trial

COLUMNS = (
    "commit",
    "metric",
    "status",
    "description",
    "trial",
    "timestamp",
    "duration_seconds",
    "metrics",
    "parent",
    "proposer",
    "cost_usd",
    "isolation",
)
HEADER = "\t".join(COLUMNS) + "\n"
_BLOCK_BYTES = 1 << 16
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def row(trial: Trial) -> str:
    """The line of one decided trial."""
    cells = (
        trial.commit[:7] or "-",
        "N/A" if trial.value is None else f"{trial.value:.6f}",
        str(trial.status),
        clean(trial.idea or trial.reason),
        str(trial.number),
        timestamp(trial.finished_at),
        f"{trial.seconds:.3f}",
        ";".join(
            f"{clean(name).replace(';', ',')}={value:.10g}" for name, value in trial.metrics.items()
        ),
        trial.parent[:7] or "-",
        clean(trial.proposer),
        "" if trial.cost_usd is None else f"{trial.cost_usd:.4f}",
        trial.isolation,
    )
    return "\t".join(cells) + "\n"


def clean(text: str, limit: int = 200) -> str:
    """`text` on one line, without tabs, control characters or terminal escapes.

    A leading `=`, `+`, `-` or `@` gets an apostrophe, so that no spreadsheet runs it.
    """
    text = _CONTROL.sub(" ", text.encode("utf-8", "backslashreplace").decode()).strip()
    if text[:1] in ("=", "+", "-", "@"):
        text = "'" + text
    return text if len(text) <= limit else text[: limit - 1] + "…"


def timestamp(seconds: float) -> str:
    """`seconds` since the epoch as ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def append(path: Path, trial: Trial) -> None:
    """Add the row of one trial, and the header to a new file. Raises Protected on a full disk."""
    with _writing(path), path.open("a", encoding="utf-8") as file:
        if file.tell() == 0:
            file.write(HEADER)
        file.write(row(trial))


def catch_up(path: Path, decided: Iterable[Trial]) -> int:
    """Append the rows that a crash kept from being written; returns how many.

    A torn last line is cut first. Raises Protected on a full disk.
    """
    decided = list(decided)
    with _writing(path):
        present = _present(path, {trial.number for trial in decided})
    missing = [trial for trial in decided if trial.number not in present]
    for trial in missing:
        append(path, trial)
    return len(missing)


def rebuild(path: Path, decided: Iterable[Trial]) -> None:
    """Write the file anew from the journal's trials. Raises Protected on a full disk."""
    fresh = path.with_name(f"{path.name}.new")
    with _writing(path):
        with fresh.open("w", encoding="utf-8") as file:
            file.write(HEADER)
            file.writelines(row(trial) for trial in decided)
        fresh.replace(path)


def _present(path: Path, wanted: set[int]) -> set[int]:
    """Which trials have a row, looking from the end until all that are wanted were seen."""
    found: set[int] = set()
    if not path.exists():
        return found
    with path.open("r+b") as file:
        lines = _lines_backwards(file)
        if torn := next(lines):
            file.truncate(file.seek(0, os.SEEK_END) - len(torn))
        for line in lines:
            cells = line.split(b"\t")
            if len(cells) > 4 and cells[4].isdigit():
                found.add(int(cells[4]))
            if wanted <= found:
                break
    return found


def _lines_backwards(file: BinaryIO) -> Iterator[bytes]:
    """What is between line ends, the last first: `b""` when the file ends with a line end."""
    position, rest = file.seek(0, os.SEEK_END), b""
    while position > 0:
        step = min(_BLOCK_BYTES, position)
        position = file.seek(position - step)
        rest, *lines = (file.read(step) + rest).split(b"\n")
        yield from reversed(lines)
    yield rest


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Protected(
            f"{path} cannot be written ({error.strerror}). Free some space, then run again: "
            "the journal holds every row."
        ) from error
