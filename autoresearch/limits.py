"""When to stop: one place, pure."""

from dataclasses import dataclass

from autoresearch.config import Limits
from autoresearch.goal import Goal
from autoresearch.state import State

MAX_FAILURES_IN_A_ROW = 5


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far this run has come. Seconds are monotonic; trials do not count the baseline.

    `cost_usd` is what proposers and evaluators said that they cost.
    """

    trials: int
    seconds: float
    cost_usd: float = 0.0
    is_single: bool = False


def reason_to_stop(limits: Limits, progress: Progress, state: State, goal: Goal) -> str:
    """Why no further trial is begun, "" when one is."""
    if progress.is_single and progress.trials >= 1:
        return "one trial was asked for"
    if 0 < limits.max_experiments <= progress.trials:
        return f"reached the limit of {limits.max_experiments} experiments"
    if 0 < limits.max_time <= progress.seconds:
        return f"reached the time limit of {limits.max_time / 60:g} minutes"
    if 0 < limits.patience <= min(state.since_keep, progress.trials):
        return f"no improvement in the last {limits.patience} trials"
    best = state.incumbent_value
    if limits.until is not None and best is not None and goal.reaches(best, limits.until):
        return f"reached {goal.metric} {best:g} (the goal was {limits.until:g})"
    if 0 < limits.max_cost_usd <= progress.cost_usd:
        return f"spent ${progress.cost_usd:.2f} of ${limits.max_cost_usd:.2f}"
    return ""


def budget_left(limits: Limits, progress: Progress) -> str:
    """What is left of this run, in words, for the proposer."""
    parts = []
    if limits.max_experiments:
        parts.append(f"{limits.max_experiments - progress.trials} trials")
    if limits.max_time:
        parts.append(f"{max(0.0, limits.max_time - progress.seconds) / 60:.0f} minutes")
    if limits.max_cost_usd:
        parts.append(f"${max(0.0, limits.max_cost_usd - progress.cost_usd):.2f}")
    return ", ".join(parts) or "no limit"
