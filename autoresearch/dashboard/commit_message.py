"""What the commits say that `apply` makes: the goal, the numbers, and the trials behind them."""

import textwrap
from collections.abc import Sequence

from autoresearch.dashboard import numbers
from autoresearch.dashboard.safe_text import one_line, shorten
from autoresearch.goal import Goal
from autoresearch.trial import Status, Trial

_SUBJECT = 72  # characters
_IDEA = 100


def subject(text: str, otherwise: str) -> str:
    """`text` as a subject line: one line, cut at a word; `otherwise` when there is none."""
    text = one_line(text)
    short = textwrap.shorten(text, _SUBJECT, placeholder=" …")
    return (short if short != " …".strip() else shorten(text, _SUBJECT)) or otherwise


def change(goal: Goal, before: float | None, after: float | None) -> str:
    """`p50_ms 41.7 -> 30.2 (+27.6%)`, as much of it as is known."""
    if after is None:
        return ""
    if before is None:
        return f"{goal.metric} {numbers.number(after)}"
    first, last = numbers.column((before, after))
    percent = goal.gain_percent(before, after)
    gain = "" if percent is None else f" ({numbers.percent(percent)})"
    return f"{goal.metric} {first} -> {last}{gain}"


def message(
    subject_line: str,
    change_text: str,
    experiment: str,
    trial: Trial,
    trailers: str,
    goal: Goal,
    wanted: str,
    trials: Sequence[Trial] = (),
) -> str:
    """The whole message; `trials` are those that a squashed commit brings.

    `wanted` is the experiment's goal: said in the body where the subject says something else.
    """
    verdict = "" if trial.status == Status.KEEP else f": {trial.status}"
    wanted = one_line(wanted)
    source = f"measured by autoresearch ({experiment}, trial {trial.number}{verdict})."
    parts = [subject_line, ", ".join(part for part in (change_text, source) if part)]
    if wanted and subject(wanted, "") != subject_line:
        parts.append("\n".join(textwrap.wrap(f"Goal: {wanted}", _SUBJECT)))
    if trials:
        width = len(str(trials[-1].number))
        lines = [f"  {one.number:>{width}}  {_described(one, goal)}" for one in trials]
        parts.append("\n".join(["Trials:", *lines]))
    parts.append(trailers)
    return "\n\n".join(parts) + "\n"


def _described(trial: Trial, goal: Goal) -> str:
    idea = shorten(one_line(trial.idea), _IDEA) or "(no description)"
    value = "" if trial.value is None else f" ({goal.metric} {numbers.number(trial.value)})"
    return idea + value
