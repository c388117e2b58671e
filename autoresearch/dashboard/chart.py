"""A chart for the terminal: the best value after each trial.

Drawn by plotext where it is installed, else with block characters. Without colour, so that it
can go into a file.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from autoresearch.dashboard.numbers import number
from autoresearch.goal import Goal
from autoresearch.trial import Status, Trial

Corners = list[tuple[int, float]]  # of the line: trial and value
_BLOCKS = " ▁▂▃▄▅▆▇█"


def best_so_far(trials: Sequence[Trial], goal: Goal, width: int, height: int) -> str:
    """The incumbent's value, trial by trial, `width` characters wide and `height` lines high.

    It shows the last epoch: numbers of earlier ones were measured another way.
    """
    epoch = max((trial.epoch for trial in trials), default=0)
    decided = [trial for trial in trials if trial.epoch == epoch and trial.status is not None]
    kept = [
        (trial.number, trial.value)
        for trial in decided
        if trial.status == Status.KEEP and trial.value is not None
    ]
    last = max((trial.number for trial in decided), default=0)
    if not kept or kept[0][0] == last:
        return f"There are too few values of {goal.metric} to draw."
    corners = _staircase(kept, last)
    title = f"{goal.metric}, best so far ({goal.describe()})"
    return _drawing()(corners, title, width, height)


def _staircase(kept: Corners, last: int) -> Corners:
    """A value stays until the trial that beats it."""
    corners = kept[:1]
    for (_, before), (trial, value) in pairwise(kept):
        corners += [(trial, before), (trial, value)]
    return [*corners, (last, kept[-1][1])]


def _drawing() -> Callable[[Corners, str, int, int], str]:
    """The best way to draw that is installed."""
    try:
        import plotext
    except ImportError:
        return _draw_blocks
    # plotext 6 shares no function with plotext 5.
    draw = _draw_plotext if hasattr(plotext, "figure") else _draw_plotext_5
    return lambda corners, title, width, height: draw(plotext, corners, title, width, height)


def _draw_plotext(plotext: Any, corners: Corners, title: str, width: int, height: int) -> str:
    figure = plotext.figure
    figure.clear()
    figure.plot_size(width, height)
    figure.title(title)
    trials, values = zip(*corners, strict=True)
    figure.draw(figure.signal(trials, values).lines(True))
    return _without_margin(figure.build().string(True))


def _draw_plotext_5(plotext: Any, corners: Corners, title: str, width: int, height: int) -> str:
    plotext.clear_figure()
    plotext.limit_size(False, False)
    plotext.plot_size(width, height)
    plotext.title(title)
    trials, values = zip(*corners, strict=True)
    plotext.plot(trials, values)
    plotext.xticks(sorted({trials[0] + (trials[-1] - trials[0]) * i // 6 for i in range(7)}))
    return _without_margin(plotext.uncolorize(plotext.build()))


def _without_margin(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.rstrip().split("\n"))


def _draw_blocks(corners: Corners, title: str, width: int, height: int) -> str:
    first, last = corners[0][0], corners[-1][0]
    values = [value for _, value in corners]
    low, high = min(values), max(values)
    high_label, low_label = number(high), number(low)
    margin = max(len(high_label), len(low_label))
    rows, columns = max(1, height - 2), max(1, width - margin - 1)
    eighths = []
    for column in range(columns):
        trial = first + (last - first) * column / max(1, columns - 1)
        value = [value for at, value in corners if at <= trial][-1]
        share = (value - low) / (high - low) if high > low else 0.5
        eighths.append(1 + round(share * (rows * 8 - 1)))  # never nothing: low is no zero
    lines = [title]
    for row in range(rows):
        floor = (rows - 1 - row) * 8
        label = high_label if row == 0 else low_label if row == rows - 1 and low < high else ""
        bar = "".join(_BLOCKS[min(max(level - floor, 0), 8)] for level in eighths)
        lines.append(f"{label:>{margin}} {bar}".rstrip())
    left, right = f"trial {first}", str(last)
    lines.append(f"{'':{margin}} {left}{right:>{max(0, columns - len(left))}}")
    return "\n".join(lines)
