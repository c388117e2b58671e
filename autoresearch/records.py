"""The journal's records: what was about to happen, and what happened.

One frozen dataclass a kind of line. `at` is seconds since the epoch (wall clock, for display
only: order is the order of lines).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from autoresearch.trial import Run, Status

IMPORTED = "imported"  # digest, rule and engine of what another tool measured


@dataclass(frozen=True, kw_only=True)
class SessionOpened:
    """One start of the tool on this experiment."""

    type: Literal["session"] = "session"
    version: str
    pid: int
    engine: str = "local"
    isolation: str = "none"
    at: float = 0.0


@dataclass(frozen=True, kw_only=True)
class EpochOpened:
    """From here on numbers are comparable with each other, and with nothing before."""

    type: Literal["epoch"] = "epoch"
    epoch: int
    digest: str
    reason: str
    baseline: str
    incumbent: str = ""
    incumbent_tree: str = ""
    incumbent_trial: int = 0
    baseline_value: float | None = None
    incumbent_value: float | None = None
    at: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Probed:
    """The evaluator ran once with the target emptied: is the target what is measured?"""

    type: Literal["probe"] = "probe"
    value: float | None = None
    target_is_measured: bool
    cost_usd: float | None = None
    at: float = 0.0


@dataclass(frozen=True, kw_only=True)
class TrialStarted:
    """A proposer is about to be asked for a change of `parent`."""

    type: Literal["started"] = "started"
    n: int
    parent: str
    proposer: str
    lane: int = 0
    at: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Proposed:
    """The candidate is stored under a ref; it is about to be measured. Synced to disk."""

    type: Literal["proposed"] = "proposed"
    n: int
    candidate: str
    tree: str
    idea: str
    attempt: int = 0
    dropped: tuple[str, ...] = ()
    invalid: str = ""
    interrupted: bool = False  # the proposer was ended: this is how far it had come
    parameters: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    cost_usd: float | None = None
    at: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Abandoned:
    """The proposer could not work. No trial comes of it: the number is used again."""

    type: Literal["abandoned"] = "abandoned"
    n: int
    reason: str
    cost_usd: float | None = None
    at: float = 0.0


@dataclass(frozen=True, kw_only=True)
class RunFinished:
    """The evaluator ran once for trial `n`."""

    type: Literal["run"] = "run"
    n: int
    run: Run
    attempt: int = 0
    epoch: int = 1
    at: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Decided:
    """The commit point of a trial: from here its outcome is settled. Synced to disk."""

    type: Literal["decided"] = "decided"
    n: int
    status: Status
    reason: str
    rule: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)
    at: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Applied:
    """The branch stands where the decision wanted it."""

    type: Literal["applied"] = "applied"
    n: int
    at: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """The session ended in an orderly way."""

    type: Literal["stopped"] = "stopped"
    reason: str
    exit_code: int = 0
    at: float = 0.0


Record = (
    SessionOpened
    | EpochOpened
    | Probed
    | TrialStarted
    | Proposed
    | Abandoned
    | RunFinished
    | Decided
    | Applied
    | Stopped
)


@cache
def _adapter() -> TypeAdapter[Any]:
    return TypeAdapter(Annotated[Record, Field(discriminator="type")])


def to_json(record: Record) -> bytes:
    """One line of JSON, without the line end. Bytes of a name that are not UTF-8 become `?`."""
    fields = _adapter().dump_python(record, exclude_none=True)
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "replace")


def from_json(line: bytes) -> Record:
    """The record that `to_json` wrote. Raises ValueError for anything else."""
    record: Record = _adapter().validate_json(line)
    return record
