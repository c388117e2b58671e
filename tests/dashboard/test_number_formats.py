"""Numbers as people read them in the morning."""

import pytest

from autoresearch.dashboard import numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (12.0, "12"),
        (1048576.0, "1048576"),
        (1234567.891, "1234568"),
        (0.949132471, "0.949132"),
        (12.3456789, "12.3457"),
        (0.00012345678, "0.000123457"),
        (3.2e-9, "3.2e-09"),
        (-1.5, "-1.5"),
        (None, "-"),
    ],
)
def test_a_value_is_shown_with_six_digits_and_zero_is_a_value(
    value: float | None, text: str
) -> None:
    assert numbers.number(value) == text


def test_numbers_under_each_other_have_equally_many_decimals() -> None:
    assert numbers.column([0.95, None, 0.949132]) == ["0.950000", "-", "0.949132"]


def test_more_decimals_in_a_column_are_real_digits_and_not_zeros_of_our_own() -> None:
    assert numbers.column([412.317649, 98.1234]) == ["412.3176", "98.1234"]


def test_a_tiny_negative_number_in_a_column_is_not_minus_zero() -> None:
    assert numbers.column([-0.0, 1.5]) == ["0.0", "1.5"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (5.0, "+5.0%"),
        (-2.14, "-2.1%"),
        (0.0, "0.0%"),
        (-0.0001, "0.0%"),
        (0.034, "+0.03%"),
        (12345.6, "+12346%"),
        (None, "-"),
    ],
)
def test_a_change_has_a_sign_unless_there_is_none(value: float | None, text: str) -> None:
    assert numbers.percent(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0ms"),
        (0.08, "80ms"),
        (0.9996, "1.0s"),
        (4.2, "4.2s"),
        (9.96, "10s"),
        (42.4, "42s"),
        (59.7, "1m00s"),
        (190, "3m10s"),
        (3900, "1h05m"),
        (183_600, "2d03h"),
    ],
)
def test_durations_are_short_and_never_show_sixty_seconds(seconds: float, text: str) -> None:
    assert numbers.duration(seconds) == text
