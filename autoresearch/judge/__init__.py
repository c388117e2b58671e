"""Keep or discard: pure functions of the runs.

`next_step` says what the loop does next about a candidate. A rule is a module with one function
of that shape and a line in the table.
"""

from autoresearch.judge import greedy
from autoresearch.judge.steps import Discard, Evidence, Keep, Measure, Step

_RULES = {"greedy": greedy.next_step}

__all__ = ["Discard", "Evidence", "Keep", "Measure", "Step", "next_step"]


def next_step(rule: str, evidence: Evidence) -> Step:
    """What the rule says after the runs so far."""
    return _RULES[rule](evidence)
