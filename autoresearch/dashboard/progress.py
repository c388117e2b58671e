"""What a person sees while trials run: a line for each that ended, one for what is in flight."""

import json
import os
import stat
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from autoresearch.dashboard import numbers
from autoresearch.dashboard.safe_text import one_line, shorten
from autoresearch.goal import Goal
from autoresearch.session import WAITING_FOR_YOU
from autoresearch.state import State
from autoresearch.trial import FAILED, Status, Trial

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

STYLES = {Status.KEEP: "bold green", Status.DISCARD: "dim"}
FAILED_STYLE = "yellow"


@dataclass
class Tally:
    """What this run came to."""

    goal: Goal
    trials: list[Trial] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    def count(self, *statuses: Status) -> int:
        """How many of this run's trials ended so."""
        return sum(trial.status in statuses for trial in self.trials)

    def summary(self, state: State, branch: str, label: str) -> list[str]:
        """The lines at the end of a run. `label` is the experiment, as `-e` takes it."""
        seconds = numbers.duration(time.monotonic() - self.started)
        kept, discarded = self.count(Status.KEEP), self.count(Status.DISCARD)
        crashed = self.count(*FAILED)
        other = len(self.trials) - kept - discarded - crashed
        counts = f"{kept} kept, {discarded} discarded, {crashed} crashed"
        if other:
            counts += f", {other} other"
        plural = "" if len(self.trials) == 1 else "s"
        lines = [f"{len(self.trials)} trial{plural}: {counts}, in {seconds}"]
        first, best = state.baseline_value, state.incumbent_value
        if first is not None and best is not None:
            gain = self.goal.gain_percent(first, best)
            percent = "" if gain is None else f" ({numbers.percent(gain)})"
            before, after = numbers.column((first, best))
            lines.append(f"{self.goal.metric} {before} -> {after}{percent}")
        if state.incumbent != state.baseline:
            lines.append(f"The best is on the branch {branch}. Take it over:")
            lines.append(f"  autoresearch apply -e {label}")
        else:
            lines.append(f"Nothing better than the baseline yet (branch {branch}).")
        return lines


class PlainReporter:
    """One line a trial, for pipes, files and terminals alike; no colour."""

    def __init__(self, goal: Goal) -> None:
        self.tally = Tally(goal)

    def phase(self, number: int, what: str, limit_seconds: float | None) -> None:
        """Nothing: a pipe has no line in flight."""

    def finished(self, trial: Trial, state: State) -> None:
        """A line for the trial."""
        if trial.number > 0:
            self.tally.trials.append(trial)
        self.write(trial_line(trial, state, self.tally.goal))

    def failed(self, reason: str) -> None:
        """Nothing where the trial's own line says it; a line where no trial was made."""
        if reason.startswith("no trial"):
            self.write(f"  {one_line(reason)}")

    def say(self, text: str) -> None:
        """A line."""
        self.write(text)

    def hang_up(self) -> None:
        """Send what would go to the terminal nowhere; a file goes on being written."""
        # A terminal that is gone no longer says that it is one.
        devices = [number for number in (1, 2) if stat.S_ISCHR(os.fstat(number).st_mode)]
        _discard(*devices)

    def write(self, text: str) -> None:
        """Print a line; a reader that went away ends the showing and not the run."""
        try:
            print(text, flush=True)
        except OSError:
            _discard(1)

    def close(self) -> None:
        """Nothing to take down."""


class QuietReporter(PlainReporter):
    """For a caller that wants the result alone; notes go to the error output."""

    def finished(self, trial: Trial, state: State) -> None:
        """Nothing."""

    def say(self, text: str) -> None:
        """On the error output."""
        print(text, file=sys.stderr)


class JsonReporter(PlainReporter):
    """One JSON object a line, for programs."""

    def finished(self, trial: Trial, state: State) -> None:
        """The trial, whole."""
        if trial.number > 0:
            self.tally.trials.append(trial)
        best = {"trial": state.incumbent_trial, "value": state.incumbent_value}
        self.write(json.dumps({"type": "trial", **trial_fields(trial), "best": best}))

    def failed(self, reason: str) -> None:
        """An event."""
        self.write(json.dumps({"type": "failure", "reason": reason}))

    def say(self, text: str) -> None:
        """An event."""
        self.write(json.dumps({"type": "note", "text": text}))


class LiveReporter(PlainReporter):
    """For a person at a terminal: colour, and a line for what is in flight."""

    def __init__(self, goal: Goal) -> None:
        from rich.console import Console

        super().__init__(goal)
        self._console = Console(highlight=False, soft_wrap=False)
        self._live: Live | None = None
        self._what = self._best = ""
        self._number = 0
        self._since = 0.0
        self._limit: float | None = None

    def phase(self, number: int, what: str, limit_seconds: float | None) -> None:
        """Show it in the line in flight, with how long it takes and may take."""
        from rich.live import Live

        if what == WAITING_FOR_YOU:
            self.close()
            return
        self._number, self._what, self._limit = number, what, limit_seconds
        self._since = time.monotonic()
        if self._live is None:
            self._live = Live(
                get_renderable=self._in_flight,
                console=self._console,
                transient=True,
                refresh_per_second=4,
            )
            self._live.start()

    def finished(self, trial: Trial, state: State) -> None:
        """A coloured line for the trial, above the one in flight."""
        from rich.text import Text

        if trial.number > 0:
            self.tally.trials.append(trial)
        goal = self.tally.goal
        if state.incumbent_value is not None and state.baseline_value is not None:
            gain = numbers.percent(goal.gain_percent(state.baseline_value, state.incumbent_value))
            self._best = f"best {numbers.number(state.incumbent_value)} ({gain})"
        line = shorten(trial_line(trial, state, goal), self._console.width - 1)
        style = STYLES.get(trial.status or Status.CRASH, FAILED_STYLE)
        self._console.print(Text(line, style="" if trial.number == 0 else style))

    def write(self, text: str) -> None:
        """Print above the line in flight."""
        from rich.text import Text

        self._console.print(Text(text))

    def hang_up(self) -> None:
        """Stop showing."""
        super().hang_up()
        self.close()

    def close(self) -> None:
        """Take the line in flight down."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _in_flight(self) -> "Text":
        from rich.text import Text

        took = numbers.duration(max(1.0, time.monotonic() - self._since))
        most = f" of {numbers.duration(self._limit)} at most" if self._limit else ""
        name = f"trial {self._number}" if self._number else "baseline"
        parts = [f"{name}: {self._what} {took}{most}", self._best, "Ctrl-C stops"]
        line = " · ".join(part for part in parts if part)
        return Text(shorten(line, self._console.width - 1), style="cyan")


Reporter = PlainReporter


def reporter(goal: Goal, *, as_json: bool = False) -> Reporter:
    """The reporter that suits standard output."""
    if as_json:
        return JsonReporter(goal)
    if sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
        return LiveReporter(goal)
    return PlainReporter(goal)


def _discard(*descriptors: int) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    for descriptor in descriptors:
        os.dup2(null, descriptor)
    os.close(null)


def trial_line(trial: Trial, state: State, goal: Goal) -> str:
    """One finished trial on one line."""
    change = ""
    if trial.number > 0 and trial.value is not None and state.baseline_value is not None:
        change = numbers.percent(goal.gain_percent(state.baseline_value, trial.value))
    is_plain = trial.status in (Status.KEEP, Status.DISCARD)
    text = (
        trial.idea if is_plain else f"{trial.idea} ({trial.reason})" if trial.idea else trial.reason
    )
    value = numbers.number(trial.value)
    return (
        f"{trial.number:>5}  {trial.status or '':<11}  {value:>10}  {change:>7}  "
        f"{numbers.duration(trial.seconds):>6}  {shorten(one_line(text), 200)}"
    ).rstrip()


def trial_fields(trial: Trial) -> dict[str, Any]:
    """A trial for JSON."""
    return {**asdict(trial), "seconds": round(trial.seconds, 3)}
