"""Reports as the journal's records add up to them, without files."""

from pathlib import Path
from typing import Any

from autoresearch.config import Config, validate
from autoresearch.dashboard import report as reports
from autoresearch.dashboard.report import ExperimentReport
from autoresearch.experiment import Experiment
from autoresearch.records import (
    Applied,
    Decided,
    EpochOpened,
    Proposed,
    Record,
    RunFinished,
    TrialStarted,
)
from autoresearch.state import fold
from autoresearch.trial import Role, Run, RunStatus, Status

NOW = 1_800_000_000.0

Row = tuple[Status, float | None, str]


def trial_records(number: int, row: Row, at: float) -> list[Record]:
    status, value, idea = row
    commit = f"{number:040x}"
    records: list[Record] = [
        TrialStarted(n=number, parent="p" * 40, proposer="command", at=at - 42),
        Proposed(n=number, candidate=commit, tree=f"tree{number}", idea=idea, at=at - 30),
    ]
    if value is not None:
        run = Run(
            role=Role.CANDIDATE,
            tree=f"tree{number}",
            index=0,
            seed=7,
            status=RunStatus.MEASURED,
            metrics={"p50_ms": value},
        )
        records.append(RunFinished(n=number, run=run, at=at - 1))
    numbers = {} if value is None else {"value": value}
    reason = "exit status 1" if status == Status.CRASH else ""
    records.append(Decided(n=number, status=status, reason=reason, numbers=numbers, at=at))
    records.append(Applied(n=number, at=at))
    return records


def make_report(
    *rows: Row,
    direction: Any = "lower",
    name: str = "speed",
    domain: str = "engineering",
    last_seen: float = 60.0,
    is_running: bool = False,
    goal: str = "answer faster",
    target: tuple[str, ...] = ("src/handler.py",),
) -> ExperimentReport:
    """A report of rows `(status, value, idea)`, the baseline first."""
    records: list[Record] = [
        EpochOpened(epoch=1, digest="d", reason="", baseline="b" * 40, at=NOW - last_seen)
    ]
    for number, row in enumerate(rows):
        records += trial_records(number, row, NOW - last_seen)
    state = fold(records, keep_all=True)
    experiment = Experiment(domain, name, "project", Path("/repo/.autoresearch") / domain / name)
    return reports.build(
        experiment,
        config_of(direction, goal, target),
        state,
        state.finished,
        now=NOW,
        is_running=is_running,
    )


def config_of(direction: Any, goal: str, target: tuple[str, ...]) -> Config:
    evaluate = {"command": "python bench.py", "metric": "p50_ms", "direction": direction}
    return validate({"goal": goal, "target": list(target), "evaluate": evaluate}, "config.toml")
