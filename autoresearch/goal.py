"""What "better" means for one metric."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """One metric and its direction: `lower`, `higher`, or a number to get close to."""

    metric: str
    direction: str | float = "lower"

    def loss(self, value: float) -> float:
        """`value` on a scale where lower is always better (distance for a number to reach)."""
        if self.direction == "lower":
            return value
        if self.direction == "higher":
            return -value
        return abs(value - float(self.direction))

    def is_better(self, value: float, than: float) -> bool:
        """Whether `value` is strictly better. Equal values, and -0.0 against 0, are not better."""
        return self.loss(value) < self.loss(than)

    def reaches(self, value: float, wanted: float) -> bool:
        """Whether `value` is at least as good as `wanted`."""
        return self.loss(value) <= self.loss(wanted)

    def gain_percent(self, first: float, last: float) -> float | None:
        """The improvement from `first` to `last` in percent of `first`, positive when better.

        None when it has no meaning: the reference is zero or a quotient overflows.
        """
        reference = abs(self.loss(first))
        if reference == 0:
            return None
        percent = (self.loss(first) - self.loss(last)) / reference * 100
        return percent if math.isfinite(percent) else None

    def describe(self) -> str:
        """The direction in words, for people and proposers."""
        if self.direction in ("lower", "higher"):
            return f"{self.direction} is better"
        return f"closer to {self.direction:g} is better"
