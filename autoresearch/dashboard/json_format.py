"""JSON for programs: everything that is known, under keys that stay, `null` for none."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from autoresearch.dashboard.report import ExperimentReport
from autoresearch.results import timestamp
from autoresearch.trial import Trial


def experiment(report: ExperimentReport) -> str:
    """One object: the experiment, and under `trials` those that are shown."""
    trials = [trial_content(trial, report.changes.get(trial.number)) for trial in report.trials]
    return dumps({**summary(report), "trials": trials})


def dashboard(reports: Sequence[ExperimentReport]) -> str:
    """One object with a list of experiments, without their trials."""
    return dumps({"experiments": [summary(report) for report in reports]})


def summary(report: ExperimentReport) -> dict[str, Any]:
    """What there is to say about an experiment as a whole."""
    return {
        "experiment": report.id,
        "domain": report.domain,
        "name": report.name,
        "scope": report.scope,
        "branch": report.branch,
        "goal": report.goal,
        "target": list(report.target),
        "metric": report.metric,
        "direction": report.direction,
        "status": report.activity,
        "problem": report.problem or None,
        "epoch": report.epoch,
        "runs": report.runs,
        "kept": report.kept,
        "discarded": report.discarded,
        "failed": report.failed,
        "counts": dict(report.counts),
        "baseline": report.baseline_value,
        "best": report.best_value,
        "best_trial": report.best_trial,
        "best_idea": report.best_idea or None,
        "change_percent": report.change_percent,
        "cost_usd": report.cost_usd,
    }


def trial_content(trial: Trial, change_percent: float | None) -> dict[str, Any]:
    """All that is known of a trial. The change is in percent of the baseline, positive better."""
    return {
        "trial": trial.number,
        "epoch": trial.epoch,
        "status": trial.status,
        "phase": trial.phase,
        "commit": trial.commit or None,
        "tree": trial.tree or None,
        "parent": trial.parent or None,
        "proposer": trial.proposer,
        "idea": trial.idea,
        "value": trial.value,
        "change_percent": change_percent,
        "metrics": dict(trial.metrics),
        "reason": trial.reason,
        "numbers": dict(trial.numbers),
        "parameters": dict(trial.parameters),
        "dropped": list(trial.dropped),
        "invalid": trial.invalid or None,
        "attempt": trial.attempt,
        "runs": [{**asdict(run), "metrics": dict(run.metrics)} for run in trial.runs],
        "started_at": timestamp(trial.started_at) if trial.started_at else None,
        "finished_at": timestamp(trial.finished_at) if trial.finished_at else None,
        "seconds": trial.seconds,
        "cost_usd": trial.cost_usd,
        "isolation": trial.isolation,
    }


def dumps(content: Mapping[str, Any]) -> str:
    """`content` as JSON that every parser reads: no NaN, no raw control characters."""
    return json.dumps(_strict(content), indent=2, allow_nan=False) + "\n"


def _strict(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    return value
