"""Somebody looks at how far a search has come, in a terminal."""

import pytest

from autoresearch.dashboard import chart
from autoresearch.goal import Goal
from autoresearch.trial import Status, Trial

WIDTH, HEIGHT = 60, 12


def trial(number: int, value: float | None, status: Status = Status.KEEP, epoch: int = 1) -> Trial:
    return Trial(number=number, value=value, status=status, epoch=epoch)


SEARCH = [
    trial(0, 100.0),
    trial(1, 120.0, Status.DISCARD),
    trial(2, 80.0),
    trial(3, None, Status.CRASH),
    trial(4, 50.0),
    trial(5, 60.0, Status.DISCARD),
]


@pytest.fixture
def without_plotext(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "plotext", None)


def bars(text: str) -> list[str]:
    """The chart's columns, each from top to bottom, without title, labels and axis."""
    rows = [line[4:].ljust(WIDTH - 4) for line in text.split("\n")[1:-1]]
    return ["".join(column).strip() for column in zip(*rows, strict=True)]


def test_the_line_only_ever_improves_and_ends_at_the_best(without_plotext: None) -> None:
    text = chart.best_so_far(SEARCH, Goal("loss", "lower"), WIDTH, HEIGHT)
    heights = [len(bar) for bar in bars(text)]
    assert heights == sorted(heights, reverse=True)
    assert heights[0] == HEIGHT - 2
    assert heights[-1] == 1
    assert "loss, best so far (lower is better)" in text
    assert "120" not in text, "what was thrown away is no best value"


def test_higher_is_drawn_upwards(without_plotext: None) -> None:
    search = [trial(0, 1.0), trial(1, 2.0), trial(2, 0.5, Status.DISCARD)]
    heights = [len(bar) for bar in bars(chart.best_so_far(search, Goal("f1", "higher"), 60, 12))]
    assert heights == sorted(heights)


def test_a_plateau_is_drawn_and_nothing_divides_by_zero(without_plotext: None) -> None:
    search = [trial(0, 0.0), trial(1, 3.0, Status.DISCARD)]
    assert "█" in chart.best_so_far(search, Goal("loss"), WIDTH, HEIGHT)


def test_numbers_of_another_epoch_are_not_mixed_in(without_plotext: None) -> None:
    search = [trial(0, 9000.0), trial(1, 3.0, epoch=2), trial(2, 2.0, epoch=2)]
    text = chart.best_so_far(search, Goal("loss"), WIDTH, HEIGHT)
    assert "9000" not in text
    assert "trial 1" in text


@pytest.mark.parametrize("search", [[], [trial(0, 5.0)], [trial(0, None, Status.CRASH)]])
def test_before_the_first_trial_it_says_so(search: list[Trial]) -> None:
    text = chart.best_so_far(search, Goal("loss"), WIDTH, HEIGHT)
    assert text == "There are too few values of loss to draw."


def test_it_fits_where_it_is_asked_to_fit_and_has_no_colour() -> None:
    text = chart.best_so_far(SEARCH, Goal("loss"), WIDTH, HEIGHT)
    assert len(text.split("\n")) <= HEIGHT
    assert max(len(line) for line in text.split("\n")) <= WIDTH
    assert "\x1b" not in text
    assert "100" in text
    assert "50" in text


def test_plotext_draws_it_where_it_is_installed() -> None:
    pytest.importorskip("plotext")
    text = chart.best_so_far(SEARCH, Goal("loss"), WIDTH, HEIGHT)
    assert "┌" in text
    assert "loss, best so far" in text
    assert chart.best_so_far(SEARCH, Goal("loss"), WIDTH, HEIGHT) == text, "nothing is left over"
