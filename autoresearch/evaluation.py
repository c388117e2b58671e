"""One evaluation: from a tree and a command to a `Run`."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from autoresearch import metrics
from autoresearch.config import Evaluate
from autoresearch.supervise import Outcome
from autoresearch.trial import COST, Role, Run, RunStatus

SKIP_EXIT_CODE = 125  # as in `git bisect run`
_TAIL_BYTES = 16384
_MAX_BYTES = 16 << 20
_FAILED = "failed: "  # how the ready-made evaluators begin the reason for a failure
_REASON_LENGTH = 300


@dataclass(frozen=True, kw_only=True)
class Job:
    """One command to run on one tree. `seconds` is the time after which it is stopped."""

    tree: str
    role: Role  # candidate and incumbent have a place each, so that they can be measured in turn
    command: str
    directory: str  # relative to the tree's root
    environment: Mapping[str, str]
    seconds: float
    log: Path


def seed_of(experiment_id: str, index: int) -> int:
    """The seed of an experiment's run number `index`: the same for candidate and incumbent."""
    content = f"{experiment_id}\0{index}".encode()
    return int.from_bytes(hashlib.sha256(content).digest()[:4], "big") >> 1


def base_environment() -> dict[str, str]:
    """The environment that all commands start from: ours, without what git set for a hook."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GIT_", "AUTORESEARCH_"))
    }


def environment(
    evaluate: Evaluate,
    *,
    run_directory: Path,
    baseline_directory: Path,
    private_directory: Path,
    trial: int,
    seed: int,
    index: int,
) -> dict[str, str]:
    """What an evaluator finds in its environment (DESIGN.md section 6)."""
    cache = os.environ.get("AUTORESEARCH_CACHE")
    return {
        **base_environment(),
        **({"AUTORESEARCH_CACHE": cache} if cache else {}),
        "AUTORESEARCH_METRICS": str(run_directory / "metrics.json"),
        "AUTORESEARCH_TRIAL": str(trial),
        "AUTORESEARCH_SEED": str(seed),
        "AUTORESEARCH_RUN_INDEX": str(index),
        "AUTORESEARCH_TIME_BUDGET": f"{evaluate.time_budget:g}",
        "AUTORESEARCH_RUN_DIR": str(run_directory),
        "AUTORESEARCH_BASELINE_DIR": str(baseline_directory),
        "AUTORESEARCH_PRIVATE_DIR": str(private_directory),
        "AUTORESEARCH_OPTIONS": json.dumps(evaluate.options),
    }


def read_run(
    outcome: Outcome,
    evaluate: Evaluate,
    *,
    role: Role,
    tree: str,
    index: int,
    seed: int,
    run_directory: Path,
    log_name: str,
    engine: str,
) -> Run:
    """What an evaluation that has ended says about its tree."""
    status, reason, values = _judge_outcome(outcome, evaluate, run_directory)
    return Run(
        role=role,
        tree=tree,
        index=index,
        seed=seed,
        status=status,
        metrics=values,
        reason=reason,
        seconds=round(outcome.seconds, 4),
        cpu_seconds=round(outcome.cpu_seconds, 4),
        peak_mb=None if outcome.peak_mb is None else round(outcome.peak_mb, 2),
        gpu_mb=outcome.gpu_mb,
        leftovers=outcome.leftovers,
        log=log_name,
        engine=engine,
    )


def failed_reason(outcome: Outcome, what: str) -> str:
    """Why a command did not end well, in words; "" when it did."""
    if outcome.status == "timeout":
        return f"{what} was stopped after {outcome.seconds:.0f} s"
    if outcome.status != "exited":
        return f"{what} could not be run to its end ({outcome.error or outcome.status})"
    if outcome.exit_code is not None and outcome.exit_code < 0:
        return f"{what} was ended by signal {-outcome.exit_code}"
    if outcome.exit_code != 0:
        return f"{what} exited with status {outcome.exit_code}"
    return ""


def own_reason(output: str) -> str:
    """What an evaluator says of its own failure, in a line `failed: …`; "" for nothing."""
    lines = metrics.plain(output).splitlines()
    found = [line.removeprefix(_FAILED) for line in lines if line.startswith(_FAILED)]
    return found[-1][:_REASON_LENGTH].strip() if found else ""


def tail(path: Path, lines: int = 20) -> str:
    """The last lines of a log, without terminal escapes. Empty when there is no log."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        text = file.read().decode("utf-8", "backslashreplace")
    return "\n".join(metrics.plain(text).splitlines()[-lines:]).strip("\n")


def _judge_outcome(
    outcome: Outcome, evaluate: Evaluate, run_directory: Path
) -> tuple[RunStatus, str, dict[str, float]]:
    if outcome.status in ("lost", "error"):
        return RunStatus.LOST, outcome.error or "its supervisor was lost", {}
    text = _text(run_directory / "evaluate.log")
    own_file = run_directory / "metrics.json"
    reading = metrics.read(
        text,
        evaluate.metric,
        pattern=evaluate.pattern,
        strict=evaluate.strict_metric,
        file=_text(own_file) if own_file.is_file() else None,
    )
    said = own_reason(text)
    spent = {name: value for name, value in reading.metrics.items() if name == COST}
    if outcome.status == "cancelled":
        return RunStatus.CANCELLED, "stopped", spent
    if outcome.status == "exited" and outcome.exit_code == SKIP_EXIT_CODE:
        return RunStatus.SKIP, said or "the evaluator asked to skip it (exit status 125)", spent
    if reason := failed_reason(outcome, "the evaluator"):
        is_timeout = outcome.status == "timeout"
        if is_timeout:
            return RunStatus.TIMEOUT, reason, spent
        return RunStatus.CRASH, said or reason, spent
    if reading.value is None:
        hint = (
            f" ({outcome.dropped_bytes} bytes of output left out)" if outcome.dropped_bytes else ""
        )
        return RunStatus.INVALID, reading.reason + hint, reading.metrics
    return RunStatus.MEASURED, "", reading.metrics


def _text(path: Path) -> str:
    """A file that the code under evaluation could write, and so replace by anything."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return file.read(_MAX_BYTES).decode("utf-8", "backslashreplace")
