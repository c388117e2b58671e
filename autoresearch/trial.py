"""The nouns: a trial, its runs, its verdict. Data without behaviour."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Status(StrEnum):
    """How a trial ended."""

    KEEP = "keep"  # better than the incumbent: the branch moved to it
    DISCARD = "discard"  # measured, and not better
    CRASH = "crash"  # the evaluator exited with an error
    TIMEOUT = "timeout"  # the evaluator ran past its limit and was stopped
    INVALID = "invalid"  # no usable number: no metric, NaN, inf; or no usable candidate
    CHECK = "check"  # a check failed, so nothing was measured
    GUARD = "guard"  # another metric got worse than it may
    TAMPERED = "tampered"  # the candidate touched frozen files, so nothing was measured
    NO_CHANGE = "no_change"  # the proposer changed nothing inside the target
    DUPLICATE = "duplicate"  # the same tree was measured before in this epoch
    SKIP = "skip"  # the evaluator said so, with exit status 125
    INTERRUPTED = "interrupted"  # the user or a crash of the tool ended it


# Verdicts that say something about an idea, or nothing about the set-up: they end no loop.
ORDINARY = frozenset({Status.KEEP, Status.DISCARD, Status.GUARD, Status.CHECK, Status.INTERRUPTED})


# What a proposer's run that ended without a usable number is counted as.
FAILED = frozenset({Status.CRASH, Status.TIMEOUT, Status.INVALID})

COST = "cost_usd"  # a metric of this name is what the evaluation cost: it counts as spent
BY_HAND = "try"  # the proposer's name of what somebody edited in a checkout of their own


class RunStatus(StrEnum):
    """How one execution of the evaluator ended."""

    MEASURED = "measured"  # exit status 0 and a usable number
    CRASH = "crash"
    TIMEOUT = "timeout"
    INVALID = "invalid"
    SKIP = "skip"
    CHECK = "check"
    CANCELLED = "cancelled"  # stopped because the user wants to end
    LOST = "lost"  # the infrastructure's fault: never counts against a candidate


class Role(StrEnum):
    """Which tree a run measured."""

    CANDIDATE = "candidate"
    INCUMBENT = "incumbent"
    BASELINE = "baseline"


@dataclass(frozen=True, kw_only=True)
class Run:
    """One execution of the evaluator on one tree. Times are seconds, memory is MB (1e6 bytes)."""

    role: Role
    tree: str
    index: int
    seed: int
    status: RunStatus
    metrics: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_mb: float | None = None
    gpu_mb: float | None = None
    leftovers: int = 0
    log: str = ""
    engine: str = "local"
    isolation: str = "none"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was decided about a candidate, why, and with which numbers."""

    status: Status
    reason: str
    rule: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A proposed change, stored as a commit. `tree` is exactly what is measured."""

    commit: str
    tree: str
    parent: str
    idea: str
    changed: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    frozen_touched: tuple[str, ...] = ()
    invalid: str = ""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One attempt, as far as it has come. Trial 0 is the baseline."""

    number: int
    epoch: int = 1
    status: Status | None = None
    phase: str = "started"  # started | proposed | decided | applied
    parent: str = ""
    proposer: str = ""
    commit: str = ""
    tree: str = ""
    idea: str = ""
    attempt: int = 0
    value: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    runs: tuple[Run, ...] = ()
    reason: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)
    parameters: Mapping[str, str] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    invalid: str = ""
    interrupted: bool = False
    started_at: float = 0.0
    finished_at: float = 0.0
    cost_usd: float | None = None
    isolation: str = ""

    @property
    def seconds(self) -> float:
        """Wall time from start to decision, in seconds."""
        return max(0.0, self.finished_at - self.started_at)
