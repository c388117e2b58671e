"""The shape of an importer, what it reads, and what it gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from autoresearch.errors import ConfigError
from autoresearch.trial import Status


@dataclass(frozen=True, kw_only=True)
class Row:
    """One trial of another tool. Times are seconds, `at` seconds since the epoch (0: unknown)."""

    status: Status
    value: float | None = None  # of the metric; a row that measured nothing has none
    description: str = ""
    reason: str = ""
    commit: str = ""  # as it stands in the file
    parent: str = ""  # "": the last commit that was kept
    metrics: Mapping[str, float] = field(default_factory=dict)
    number: int | None = None  # None: rows are counted
    segment: int = 0  # numbers of different segments cannot be compared
    at: float = 0.0
    seconds: float = 0.0
    cost_usd: float | None = None
    proposer: str = "imported"
    isolation: str = "unknown"


@dataclass(frozen=True, kw_only=True)
class Table:
    """A whole history. What the file does not say is empty."""

    rows: tuple[Row, ...]
    metric: str = ""
    direction: str | float = ""
    goal: str = ""
    format: str = ""
    begins_with_baseline: bool = True  # the first row that was kept measured unchanged code


@dataclass(frozen=True)
class Source:
    """A file's lines that are not blank, each with its number."""

    name: str
    lines: tuple[tuple[int, str], ...]

    @classmethod
    def of(cls, data: bytes, name: str) -> "Source":
        """The lines in `data`. Raises ConfigError when it is not text."""
        try:
            text = data.decode("utf-8-sig")  # some editors write a mark first
        except UnicodeDecodeError:
            raise ConfigError(f"{name} is not UTF-8 text.") from None
        # Not splitlines: a description may hold what Unicode calls a line end.
        lines = [line.removesuffix("\r") for line in text.split("\n")]
        return cls(name, tuple((n, line) for n, line in enumerate(lines, 1) if line.strip()))

    def unreadable(self, number: int, problem: str) -> ConfigError:
        """The error for line `number`."""
        return ConfigError(
            f"{self.name}, line {number}: {problem}. Nothing was imported: mend that line first."
        )


class Importer(Protocol):
    """Reads one format. The modules beside this one have this shape."""

    def recognises(self, source: Source) -> bool:
        """Whether this is the format, going by how the file begins."""
        ...

    def read(self, source: Source, metric: str) -> Table:
        """All rows. `metric` is the one that was asked for, "" when the file is to say it."""
        ...
