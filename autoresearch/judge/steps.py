"""What a rule looks at, and what it can say."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from autoresearch.goal import Goal
from autoresearch.trial import Role, Run


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All that a rule may base its answer on. Runs are measured ones of the present epoch."""

    goal: Goal
    candidate: tuple[Run, ...]
    incumbent_value: float | None  # None: there is no incumbent, the candidate is the baseline


@dataclass(frozen=True)
class Measure:
    """One more run is needed, of this tree."""

    role: Role
    index: int
    reason: str = ""


@dataclass(frozen=True)
class Keep:
    """The candidate is better."""

    reason: str
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Discard:
    """The candidate is not better."""

    reason: str
    numbers: Mapping[str, float] = field(default_factory=dict)


Step = Measure | Keep | Discard
