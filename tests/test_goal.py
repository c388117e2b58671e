"""What "better" means, in each direction, and where a percentage would mislead."""

import pytest

from autoresearch.goal import Goal

LOWER, HIGHER, NEAR_HALF = Goal("m", "lower"), Goal("m", "higher"), Goal("m", 0.5)


@pytest.mark.parametrize(
    ("goal", "value", "than", "is_better"),
    [
        (LOWER, 1.0, 2.0, True),
        (LOWER, 2.0, 1.0, False),
        (LOWER, -3.0, 1.0, True),
        (HIGHER, 2.0, 1.0, True),
        (HIGHER, -1.0, -2.0, True),
        (HIGHER, 1.0, 2.0, False),
        (NEAR_HALF, 0.6, 0.3, True),
        (NEAR_HALF, 0.4, 0.7, True),
        (NEAR_HALF, 1.5, 0.0, False),
    ],
)
def test_better_follows_the_direction(goal, value, than, is_better):
    assert goal.is_better(value, than) is is_better


@pytest.mark.parametrize("goal", [LOWER, HIGHER, NEAR_HALF])
@pytest.mark.parametrize("value", [0.0, 1.0, -1.0, 1e308])
def test_a_tie_is_not_better(goal, value):
    assert not goal.is_better(value, value)


def test_minus_zero_does_not_beat_zero():
    assert not LOWER.is_better(-0.0, 0.0)
    assert not HIGHER.is_better(0.0, -0.0)


def test_the_same_distance_on_the_other_side_is_a_tie():
    assert not NEAR_HALF.is_better(0.25, 0.75)
    assert not NEAR_HALF.is_better(0.75, 0.25)


def test_a_wish_is_reached_when_the_value_is_as_good():
    assert LOWER.reaches(3.0, 3.0)
    assert LOWER.reaches(2.9, 3.0)
    assert not LOWER.reaches(3.1, 3.0)
    assert HIGHER.reaches(3.1, 3.0)
    assert NEAR_HALF.reaches(0.55, 0.4)
    assert not NEAR_HALF.reaches(0.7, 0.4)


@pytest.mark.parametrize(
    ("goal", "first", "last", "percent"),
    [
        (LOWER, 200.0, 100.0, 50.0),
        (LOWER, 100.0, 150.0, -50.0),
        (HIGHER, 100.0, 150.0, 50.0),
        (HIGHER, -100.0, -50.0, 50.0),
        (LOWER, -100.0, -150.0, 50.0),
        (NEAR_HALF, 1.5, 0.5, 100.0),
        (LOWER, 0.0, 1.0, None),
        (NEAR_HALF, 0.5, 0.7, None),
        (LOWER, 1e-308, 1e308, None),
    ],
)
def test_a_gain_is_positive_when_better_and_left_out_where_it_means_nothing(
    goal, first, last, percent
):
    assert goal.gain_percent(first, last) == percent


def test_the_direction_is_said_in_words():
    assert LOWER.describe() == "lower is better"
    assert HIGHER.describe() == "higher is better"
    assert NEAR_HALF.describe() == "closer to 0.5 is better"
