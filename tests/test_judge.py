"""Keep or discard, from the runs alone: the same runs give the same verdict for ever."""

import pytest

from autoresearch import judge
from autoresearch.goal import Goal
from autoresearch.trial import Role, Run, RunStatus


def decide(
    value: float | None, incumbent: float | None, direction: str | float = "lower"
) -> judge.Step:
    runs = []
    if value is not None:
        runs.append(
            Run(
                role=Role.CANDIDATE,
                tree="t",
                index=0,
                seed=1,
                status=RunStatus.MEASURED,
                metrics={"m": value, "other": -1e9},
            )
        )
    evidence = judge.Evidence(
        goal=Goal("m", direction), candidate=tuple(runs), incumbent_value=incumbent
    )
    return judge.next_step("greedy", evidence)


def test_a_candidate_is_measured_before_anything_is_said_about_it():
    assert decide(None, 5.0) == judge.Measure(Role.CANDIDATE, index=0)


def test_the_first_number_is_the_baseline():
    assert decide(5.0, None) == judge.Keep("the baseline", {"value": 5.0})


@pytest.mark.parametrize(
    ("value", "incumbent", "direction"),
    [(4.0, 5.0, "lower"), (6.0, 5.0, "higher"), (0.4, 0.2, 0.5), (-1.0, 0.0, "lower")],
)
def test_what_is_strictly_better_is_kept_with_its_numbers(value, incumbent, direction):
    step = decide(value, incumbent, direction)
    assert isinstance(step, judge.Keep)
    assert step.numbers == {"value": value, "incumbent": incumbent}
    assert "is better than" in step.reason


@pytest.mark.parametrize(
    ("value", "incumbent", "direction", "said"),
    [
        (6.0, 5.0, "lower", "6 is no better than 5 (-20%)"),
        (5.0, 5.0, "lower", "5 ties with 5 (+0%)"),
        (-0.0, 0.0, "lower", "-0 ties with 0"),
        (0.0, 0.0, "higher", "0 ties with 0"),
        (0.75, 0.25, 0.5, "0.75 ties with 0.25"),
        (4.0, 5.0, "higher", "4 is no better than 5"),
    ],
)
def test_a_tie_or_worse_is_discarded_and_the_reason_says_which(value, incumbent, direction, said):
    step = decide(value, incumbent, direction)
    assert isinstance(step, judge.Discard)
    assert said in step.reason


def test_a_verdict_can_be_computed_again():
    assert decide(4.0, 5.0) == decide(4.0, 5.0)
