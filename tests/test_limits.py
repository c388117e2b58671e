"""When a loop ends by itself: a limit that is missed costs a night or a bill."""

import pytest

from autoresearch.config import Limits
from autoresearch.goal import Goal
from autoresearch.limits import Progress, budget_left, reason_to_stop
from autoresearch.state import State

GOAL = Goal("p50_ms")


def reason(
    limits: Limits,
    *,
    trials: int = 3,
    seconds: float = 100,
    cost_usd: float = 0.0,
    is_single: bool = False,
    goal: Goal = GOAL,
    **state,
) -> str:
    progress = Progress(trials=trials, seconds=seconds, cost_usd=cost_usd, is_single=is_single)
    return reason_to_stop(limits, progress, State(**state), goal)


def test_without_limits_a_loop_goes_on():
    assert reason(Limits(), trials=10**6, seconds=1e9, since_keep=10**6, cost_usd=1e6) == ""


@pytest.mark.parametrize(
    ("limits", "before", "after", "said"),
    [
        (Limits(max_experiments=3), {"trials": 2}, {"trials": 3}, "limit of 3 experiments"),
        (Limits(max_time="2m"), {"seconds": 119.9}, {"seconds": 120}, "limit of 2 minutes"),
        (
            Limits(patience=3),
            {"since_keep": 2},
            {"since_keep": 3},
            "no improvement in the last 3 trials",
        ),
        (Limits(max_cost_usd=2), {"cost_usd": 1.99}, {"cost_usd": 2.0}, "spent $2.00 of $2.00"),
        (
            Limits(until=5),
            {"incumbent_value": 5.1},
            {"incumbent_value": 5.0},
            "reached p50_ms 5 (the goal was 5)",
        ),
    ],
)
def test_a_limit_ends_the_loop_when_it_is_reached_and_not_before(limits, before, after, said):
    assert reason(limits, **before) == ""
    assert said in reason(limits, **after)


def test_a_single_trial_is_one_even_when_more_are_allowed():
    assert reason(Limits(max_experiments=9), trials=0, is_single=True) == ""
    assert reason(Limits(max_experiments=9), trials=1, is_single=True) != ""


def test_the_patience_of_an_earlier_run_does_not_end_this_one_at_once():
    assert reason(Limits(patience=3), trials=0, since_keep=50) == ""
    assert reason(Limits(patience=3), trials=3, since_keep=50) != ""


def test_a_wish_follows_the_direction():
    higher = Goal("m", "higher")
    assert reason(Limits(until=5), incumbent_value=4.0, goal=higher) == ""
    assert reason(Limits(until=5), incumbent_value=6.0, goal=higher) != ""
    assert reason(Limits(until=0), incumbent_value=0.0) != "", "zero is a value like any other"
    assert reason(Limits(until=5), incumbent_value=None) == ""


def test_the_proposer_is_told_what_is_left():
    progress = Progress(trials=3, seconds=90)
    assert budget_left(Limits(), progress) == "no limit"
    assert budget_left(Limits(max_experiments=10), progress) == "7 trials"
    limits = Limits(max_experiments=10, max_time="3m")
    assert budget_left(limits, progress) == "7 trials, 2 minutes"
    assert budget_left(limits, Progress(trials=3, seconds=1e6)) == "7 trials, 0 minutes"
