"""What there is to say about an experiment: pure data, the same for every format."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from autoresearch.config import Config
from autoresearch.experiment import Experiment
from autoresearch.goal import Goal
from autoresearch.state import State
from autoresearch.trial import FAILED, Status, Trial

_IN_WORDS = {
    Status.KEEP: "kept",
    Status.DISCARD: "discarded",
    Status.CRASH: "crashed",
    Status.TIMEOUT: "timed out",
    Status.INVALID: "invalid",
    Status.CHECK: "failed a check",
    Status.GUARD: "failed a guard",
    Status.TAMPERED: "tampered",
    Status.NO_CHANGE: "without change",
    Status.DUPLICATE: "duplicate",
    Status.SKIP: "skipped",
    Status.INTERRUPTED: "interrupted",
}
_ACTIVE_SECONDS = 3600
_PAUSED_SECONDS = 24 * 3600


@dataclass(frozen=True, kw_only=True)
class ExperimentReport:
    """One experiment, as far as it has come. Counts leave the baseline out."""

    domain: str
    name: str
    scope: str = "project"
    branch: str = ""
    goal: str = ""
    target: tuple[str, ...] = ()
    metric: str = ""
    direction: str = ""  # in words
    baseline_value: float | None = None
    best_value: float | None = None
    best_trial: int | None = None
    best_idea: str = ""  # empty also when the trial is an old one that is not at hand
    change_percent: float | None = None  # of the best against the baseline; positive is better
    counts: Mapping[str, int] = field(default_factory=dict)  # by status
    activity: str = "idle"  # active | paused | done | idle | error
    cost_usd: float = 0.0
    epoch: int = 0
    rows: int = 0  # how many trials were decided, the baseline included
    trials: tuple[Trial, ...] = ()  # those that are shown
    changes: Mapping[int, float] = field(default_factory=dict)  # percent against the baseline
    problem: str = ""  # why there is no more to say
    next_step: str = ""  # what to do when there are no trials yet

    @property
    def id(self) -> str:
        """`<domain>/<name>`."""
        return f"{self.domain}/{self.name}"

    @property
    def place(self) -> str:
        """The domain, with the scope where one has to type it: `user:engineering`."""
        return self.domain if self.scope == "project" else f"{self.scope}:{self.domain}"

    @property
    def runs(self) -> int:
        """How many trials were decided."""
        return sum(self.counts.values())

    @property
    def kept(self) -> int:
        """How many trials were better than what there was."""
        return self.counts.get(Status.KEEP, 0)

    @property
    def discarded(self) -> int:
        """How many trials were measured and not better."""
        return self.counts.get(Status.DISCARD, 0)

    @property
    def failed(self) -> int:
        """How many trials crashed, took too long, or gave no usable number."""
        return sum(self.counts.get(status, 0) for status in FAILED)


def build(
    experiment: Experiment,
    config: Config,
    state: State,
    trials: Sequence[Trial],
    *,
    now: float,
    is_running: bool,
) -> ExperimentReport:
    """The report of one experiment that shows `trials`. `now` is seconds since the epoch."""
    goal = config.evaluate.goal
    baseline, best = state.baseline_value, state.incumbent_value
    best_trial = state.trials.get(state.incumbent_trial)
    return ExperimentReport(
        domain=experiment.domain,
        name=experiment.name,
        scope=experiment.scope,
        branch=experiment.branch,
        goal=config.goal,
        target=config.target,
        metric=goal.metric,
        direction=goal.describe(),
        baseline_value=baseline,
        best_value=best,
        best_trial=None if best is None else state.incumbent_trial,
        best_idea=best_trial.idea if best_trial else "",
        change_percent=_change(goal, baseline, best),
        counts=dict(state.counts),
        activity=_activity(state, now, is_running),
        cost_usd=state.cost_usd,
        epoch=state.epoch,
        rows=_rows(state),
        trials=tuple(trials),
        changes=_changes(goal, state, trials),
        next_step=_next_step(experiment, config),
    )


def broken(experiment: Experiment, problem: str) -> ExperimentReport:
    """The report of an experiment that cannot be read, so that it is not overlooked."""
    short = problem.replace(str(experiment.directory) + "/", "")
    return ExperimentReport(
        domain=experiment.domain,
        name=experiment.name,
        scope=experiment.scope,
        branch=experiment.branch,
        activity="error",
        problem=short,
    )


def choose_trials(
    state: State,
    goal: Goal,
    *,
    status: str | None = None,
    top: int = 0,
    count: int = 0,
) -> list[Trial]:
    """The decided trials with `status`; of these the `top` best, or the last `count` (0: all).

    The best are taken from the present epoch: numbers of another one were measured another way.
    """
    chosen = [trial for trial in state.finished if status is None or trial.status == status]
    if top:
        measured = [
            (goal.loss(trial.value), trial)
            for trial in chosen
            if trial.value is not None and trial.epoch == state.epoch
        ]
        measured.sort(key=lambda pair: pair[0])  # stable: of equal ones the first comes first
        return [trial for _, trial in measured[:top]]
    return chosen[-count:] if count else chosen


def describe(trial: Trial) -> str:
    """A trial in a line: its idea, and for one that could not be judged the reason."""
    idea = trial.idea or ("baseline" if trial.number == 0 else "")
    if trial.status in (Status.KEEP, Status.DISCARD) and idea:
        return idea
    return ": ".join(part for part in (idea, trial.reason) if part)


def counted(report: ExperimentReport) -> str:
    """The trials by status: `12 trials: 3 kept, 8 discarded, 1 crashed`."""
    parts = [
        f"{report.counts[status]} {_IN_WORDS[status]}"
        for status in Status
        if report.counts.get(status)
    ]
    total = f"{report.runs} trial{'' if report.runs == 1 else 's'}"
    return f"{total}: {', '.join(parts)}" if parts else total


def _activity(state: State, now: float, is_running: bool) -> str:
    if is_running:
        return "active"
    if not _rows(state):
        return "idle"
    age = now - state.last_at
    return "active" if age < _ACTIVE_SECONDS else "paused" if age < _PAUSED_SECONDS else "done"


def _rows(state: State) -> int:
    has_baseline = state.baseline_value is not None or 0 in {t.number for t in state.finished}
    return state.trial_count + has_baseline


def _changes(goal: Goal, state: State, trials: Sequence[Trial]) -> dict[int, float]:
    found = {}
    for trial in trials:
        if trial.number > 0 and trial.epoch == state.epoch:
            percent = _change(goal, state.baseline_value, trial.value)
            if percent is not None:
                found[trial.number] = percent
    return found


def _change(goal: Goal, first: float | None, last: float | None) -> float | None:
    return None if first is None or last is None else goal.gain_percent(first, last)


def _next_step(experiment: Experiment, config: Config) -> str:
    name = experiment.id if experiment.scope == "project" else f"user:{experiment.id}"
    if missing := config.missing():
        return f"Fill in {', '.join(missing)} in {experiment.config_path}."
    return f"Start with: autoresearch run -e {name}"
