"""The journal, folded: where an experiment stands. A pure function of the records.

`State` is what the loop, the strategies and the dashboards look at. It keeps the last trials in
full and counts the rest, so it stays small however long an experiment runs; with `keep_all` it
holds every trial, for a command that wants to see them all.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from autoresearch.records import (
    Abandoned,
    Applied,
    Decided,
    EpochOpened,
    Probed,
    Proposed,
    Record,
    RunFinished,
    SessionOpened,
    Stopped,
    TrialStarted,
)
from autoresearch.trial import COST, Role, Run, RunStatus, Status, Trial

RECENT = 200
SUMMARY_VERSION = 1


@dataclass
class State:
    """Where an experiment stands after the records that were applied so far."""

    epoch: int = 0
    digest: str = ""
    baseline: str = ""
    baseline_value: float | None = None
    incumbent: str = ""
    incumbent_tree: str = ""
    incumbent_trial: int = 0
    incumbent_value: float | None = None
    branch_at: str = ""  # where the experiment's branch stands: at the incumbent, or before it
    probed: bool = False
    next_number: int = 0
    counts: dict[str, int] = field(default_factory=dict)  # by status, without trial 0
    trees: dict[str, int] = field(default_factory=dict)  # tree -> trial, in this epoch
    trials: dict[int, Trial] = field(default_factory=dict)
    kept: list[tuple[int, float]] = field(default_factory=list)  # (trial, value), all epochs
    since_keep: int = 0
    cost_usd: float = 0.0
    last_at: float = 0.0
    stop_reason: str = ""
    keep_all: bool = False

    @property
    def open_trials(self) -> list[Trial]:
        """Trials that were begun and not carried through, oldest first."""
        return [trial for trial in self.trials.values() if trial.phase != "applied"]

    @property
    def finished(self) -> list[Trial]:
        """The known trials that were decided, in order, the baseline first."""
        return [trial for trial in self.trials.values() if trial.status is not None]

    @property
    def trial_count(self) -> int:
        """How many trials were decided, without the baseline."""
        return sum(self.counts.values())

    def apply(self, record: Record) -> None:
        """Take one more record into account."""
        self.last_at = max(self.last_at, record.at)
        match record:
            case SessionOpened():
                self.stop_reason = ""
            case EpochOpened():
                self._open_epoch(record)
            case Probed():
                self.probed = record.target_is_measured
                self._spend(0, record.cost_usd)
            case TrialStarted():
                self._start(record)
            case Proposed():
                self._propose(record)
            case Abandoned():
                self.trials.pop(record.n, None)
                self.cost_usd += record.cost_usd or 0.0
                if record.n == self.next_number - 1:  # no later trial was begun in another lane
                    self.next_number = record.n
            case RunFinished():
                self._add_run(record)
            case Decided():
                self._decide(record)
            case Applied():
                self._set(record.n, phase="applied")
                self.branch_at = self.incumbent
                self._forget_old()
            case Stopped():
                self.stop_reason = record.reason

    def _open_epoch(self, record: EpochOpened) -> None:
        self.epoch = record.epoch
        self.digest = record.digest
        self.baseline = record.baseline
        self.baseline_value = record.baseline_value
        self.incumbent = record.incumbent
        self.incumbent_tree = record.incumbent_tree
        self.incumbent_trial = record.incumbent_trial
        self.incumbent_value = record.incumbent_value
        self.trees = {record.incumbent_tree: record.incumbent_trial} if record.incumbent else {}

    def _start(self, record: TrialStarted) -> None:
        self.trials[record.n] = Trial(
            number=record.n,
            epoch=self.epoch,
            parent=record.parent,
            proposer=record.proposer,
            started_at=record.at,
        )
        self.next_number = max(self.next_number, record.n + 1)
        self.branch_at = self.incumbent  # no trial begins before an epoch has moved the branch

    def _propose(self, record: Proposed) -> None:
        self._set(
            record.n,
            phase="proposed",
            commit=record.candidate,
            tree=record.tree,
            idea=record.idea,
            attempt=record.attempt,
            runs=(),  # those of an earlier attempt measured another tree
            dropped=record.dropped,
            invalid=record.invalid,
            interrupted=record.interrupted,
            parameters=record.parameters,
        )
        self._spend(record.n, record.cost_usd)

    def _spend(self, number: int, cost_usd: float | None) -> None:
        if cost_usd is None or cost_usd < 0:
            return
        self.cost_usd += cost_usd
        if number in self.trials:
            spent = self.trials[number].cost_usd or 0.0
            self._set(number, cost_usd=spent + cost_usd)

    def _add_run(self, record: RunFinished) -> None:
        self._spend(record.n, record.run.metrics.get(COST))
        if record.n not in self.trials or record.epoch != self.trials[record.n].epoch:
            return  # measured again for a new epoch: the epoch's own record has the numbers
        trial = self.trials[record.n]
        runs = (*trial.runs, record.run)
        if record.run.role != Role.CANDIDATE or record.run.index > 0:  # the first run stands for it
            self._set(record.n, runs=runs)
            return
        self._set(
            record.n,
            runs=runs,
            metrics=record.run.metrics,
            isolation=record.run.isolation,
        )

    def _decide(self, record: Decided) -> None:
        trial = self._set(
            record.n,
            phase="decided",
            status=record.status,
            reason=record.reason,
            numbers=record.numbers,
            value=record.numbers.get("value"),
            finished_at=record.at,
        )
        self.next_number = max(self.next_number, record.n + 1)
        if trial.tree and any(run.status == RunStatus.MEASURED for run in trial.runs):
            self.trees.setdefault(trial.tree, record.n)
        if record.status == Status.KEEP:
            self._move_incumbent(trial)
        if record.n > 0:
            self.counts[record.status] = self.counts.get(record.status, 0) + 1
            if record.status != Status.INTERRUPTED:
                self.since_keep = 0 if record.status == Status.KEEP else self.since_keep + 1

    def _move_incumbent(self, trial: Trial) -> None:
        self.incumbent = trial.commit
        self.incumbent_tree = trial.tree
        self.incumbent_trial = trial.number
        self.incumbent_value = trial.value
        if trial.number == 0:
            self.baseline_value = trial.value
        if trial.value is not None:
            self.kept.append((trial.number, trial.value))

    def _set(self, number: int, **changes: Any) -> Trial:
        trial = replace(self.trials.get(number) or Trial(number=number), **changes)
        self.trials[number] = trial
        return trial

    def _forget_old(self) -> None:
        if self.keep_all:
            return
        while len(self.trials) > RECENT:
            oldest = next(iter(self.trials))
            if self.trials[oldest].phase != "applied":
                return
            del self.trials[oldest]

    def to_json(self) -> str:
        """The state as text, for the summary file."""
        content = asdict(self)
        content.pop("keep_all")
        content["trials"] = [asdict(trial) for trial in self.trials.values()]
        return json.dumps({"version": SUMMARY_VERSION, **content})

    @classmethod
    def from_json(cls, text: str) -> "State":
        """The state that `to_json` wrote. Raises ValueError, KeyError or TypeError otherwise."""
        content = json.loads(text)
        if content.pop("version") != SUMMARY_VERSION:
            raise ValueError("written by another version")
        content["kept"] = [(number, value) for number, value in content["kept"]]
        content["trials"] = {raw["number"]: _trial(raw) for raw in content["trials"]}
        return cls(**content)


def fold(records: Iterable[Record], *, keep_all: bool = False) -> State:
    """The state after `records`."""
    state = State(keep_all=keep_all)
    for record in records:
        state.apply(record)
    return state


def _trial(raw: dict[str, Any]) -> Trial:
    raw["status"] = Status(raw["status"]) if raw["status"] else None
    raw["runs"] = tuple(
        Run(**{**run, "role": Role(run["role"]), "status": RunStatus(run["status"])})
        for run in raw["runs"]
    )
    raw["dropped"] = tuple(raw["dropped"])
    return Trial(**raw)
