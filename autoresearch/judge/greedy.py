"""One run; strictly better than the incumbent is kept.

The rule of the first `autoresearch` scripts. Right for a metric that gives the same number each
time; with a noisy one it keeps lucky runs.
"""

from autoresearch.judge.steps import Discard, Evidence, Keep, Measure, Step
from autoresearch.trial import Role


def next_step(evidence: Evidence) -> Step:
    """Measure once, then compare."""
    if not evidence.candidate:
        return Measure(Role.CANDIDATE, index=0)
    goal, incumbent = evidence.goal, evidence.incumbent_value
    value = evidence.candidate[0].metrics[goal.metric]
    if incumbent is None:
        return Keep("the baseline", {"value": value})
    numbers = {"value": value, "incumbent": incumbent}
    percent = goal.gain_percent(incumbent, value)
    size = "" if percent is None else f" ({percent:+.3g}%)"
    if goal.is_better(value, than=incumbent):
        return Keep(f"{value:.6g} is better than {incumbent:.6g}{size}", numbers)
    relation = "ties with" if goal.loss(value) == goal.loss(incumbent) else "is no better than"
    return Discard(f"{value:.6g} {relation} {incumbent:.6g}{size}", numbers)
