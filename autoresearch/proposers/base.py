"""The shape that all proposers have."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from autoresearch.config import Config
from autoresearch.state import State
from autoresearch.store import Store
from autoresearch.supervise import Supervisor
from autoresearch.trial import Trial
from autoresearch.workspace import Rules


@dataclass(frozen=True, kw_only=True)
class Request:
    """One call for one change."""

    number: int
    attempt: int  # 0, then one more for each try to mend a crash
    workspace: Path  # the root of the tree that the proposer may change
    directory: Path  # where in it commands run
    briefing: Path  # a directory of files: what to do, what was tried
    log: Path  # where the proposer's output goes
    parent: str  # the commit that the workspace holds
    state: State
    rules: Rules
    environment: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What a proposer says about the change that it left in the workspace."""

    idea: str
    cost_usd: float | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a proposer may need to come into being."""

    experiment_id: str
    config: Config
    supervisor: Supervisor
    store: Store
    all_trials: Callable[[], list[Trial]]  # reads the whole journal
    is_stopping: Callable[[], bool]


class ProposalFailed(Exception):
    """The proposer could not work: no trial comes of it. The message says why."""


class SearchExhausted(Exception):
    """The proposer has nothing left to try."""


class Proposer(Protocol):
    """Changes files in a workspace."""

    name: str
    can_fix: bool  # whether it makes sense to show it a crash of its own candidate
    asks_a_person: bool  # whether it needs the terminal for itself

    def propose(self, request: Request) -> Proposal:
        """Make one change. Raises ProposalFailed or SearchExhausted."""
        ...
