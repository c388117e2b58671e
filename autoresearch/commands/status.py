"""`autoresearch status`: what is going on, how far it has come, and what to do next."""

import shutil
import sys
import textwrap
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autoresearch import history, runner
from autoresearch.commands.selection import discover, find, label
from autoresearch.config import Config
from autoresearch.dashboard import numbers, plain
from autoresearch.dashboard import report as reports
from autoresearch.dashboard.json_format import dumps, summary
from autoresearch.dashboard.report import ExperimentReport
from autoresearch.dashboard.safe_text import one_line
from autoresearch.errors import AutoresearchError, ConfigError, Protected
from autoresearch.experiment import Experiment
from autoresearch.runner import Runner
from autoresearch.state import State

_ISOLATION = {
    "none": "none: a candidate runs with your rights. It can read and write your files and use "
    "the network. The frozen files are put back before each evaluation",
}
_NOT_MEASURED = "nothing was measured yet"


@dataclass(frozen=True)
class _Standing:
    """One experiment now."""

    experiment: Experiment
    report: ExperimentReport
    running: Runner | None
    isolation: str
    stop_reason: str
    open_trial: int | None  # begun and not carried through, with no run going on
    next_step: str


def status(path: Path, experiment: str | None, as_json: bool) -> int:
    """Print where one experiment stands, or each of them."""
    if experiment:
        chosen, _ = find(path, experiment)
        there = [chosen]
    else:
        there = discover(path)
        if not there:
            raise ConfigError("There is no experiment here. `autoresearch setup` makes one.")
    now = time.time()
    standings = [_standing(one, now) for one in there]
    if as_json:
        print(dumps({"experiments": [_content(standing) for standing in standings]}), end="")
        return 0
    for position, standing in enumerate(standings):
        if position:
            print()
        for line in _lines(standing, now):
            print(line)
    return 0


def _standing(experiment: Experiment, now: float) -> _Standing:
    """One that cannot be read is said to be so, and hides no other."""
    running = runner.read(experiment.runner_path)
    try:
        config, state = experiment.load_config(), history.read_state(experiment.files)
    except AutoresearchError as error:
        repair = f"autoresearch doctor --repair -e {label(experiment)}"
        return _Standing(
            experiment=experiment,
            report=reports.broken(experiment, str(error)),
            running=running,
            isolation="",
            stop_reason="",
            open_trial=None,
            next_step=repair if isinstance(error, Protected) else f"mend {experiment.config_path}",
        )
    left = [trial.number for trial in state.open_trials] if running is None else []
    return _Standing(
        experiment=experiment,
        report=reports.build(
            experiment, config, state, (), now=now, is_running=running is not None
        ),
        running=running,
        isolation=_isolation(state),
        stop_reason=state.stop_reason if running is None else "",
        open_trial=left[0] if left else None,
        next_step=_next_step(experiment, config, state, running, is_open=bool(left)),
    )


def _isolation(state: State) -> str:
    measured = [trial.isolation for trial in state.finished if trial.isolation]
    return measured[-1] if measured else ""


def _next_step(
    experiment: Experiment, config: Config, state: State, running: Runner | None, *, is_open: bool
) -> str:
    """One command that does no harm and is what most people want now."""
    name = label(experiment)
    if running is not None:
        return f"autoresearch log -e {name}"
    if missing := config.missing():
        return f"fill in {', '.join(missing)} in {experiment.config_path}"
    if is_open or not state.trial_count or not state.baseline:
        return f"autoresearch run -e {name}"
    if state.incumbent_trial > 0:
        return f"autoresearch diff baseline best -e {name}"
    return f"autoresearch run --loop --max-experiments 20 -e {name}"


def _content(standing: _Standing) -> dict[str, Any]:
    return {
        **summary(standing.report),
        "running": asdict(standing.running) if standing.running else None,
        "log": str(log) if (log := _log(standing)) else None,
        "isolation": standing.isolation or None,
        "stop_reason": standing.stop_reason or None,
        "open_trial": standing.open_trial,
        "next": standing.next_step,
    }


def _log(standing: _Standing) -> Path | None:
    """Where a run in the background writes."""
    if standing.running is None or not standing.running.detached:
        return None
    return standing.experiment.directory / "run.log"


def _lines(standing: _Standing, now: float) -> list[str]:
    report = standing.report
    facts = [("Run", _run(standing.running, now))]
    if report.problem:
        facts.append(("Problem", one_line(report.problem)))
    else:
        facts += [
            ("Now", _phase(standing.running, now)),
            ("Log", str(_log(standing) or "")),
            ("Trials", reports.counted(report)),
            ("Metric", f"{one_line(report.metric)}, {report.direction}" if report.metric else ""),
            ("Result", _NOT_MEASURED if report.baseline_value is None else plain.progress(report)),
            ("Branch", report.branch),
            ("Isolation", _ISOLATION.get(standing.isolation, standing.isolation)),
            ("Stopped", one_line(standing.stop_reason)),
            ("Left open", _left_open(standing.open_trial)),
        ]
    facts.append(("Next", standing.next_step))
    lines = [f"{label(standing.experiment)}: {'running' if standing.running else 'not running'}"]
    for name, text in facts:
        lines += _fact(name, text) if text else []
    return lines


def _fact(name: str, text: str) -> list[str]:
    """One fact, on a terminal continued under itself."""
    first = f"  {name:<9}  "
    if not sys.stdout.isatty():
        return [first + text]
    return textwrap.wrap(
        text,
        max(40, shutil.get_terminal_size().columns - 1),
        initial_indent=first,
        subsequent_indent=" " * len(first),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _run(running: Runner | None, now: float) -> str:
    if running is None:
        return ""
    where = ", in the background" if running.detached else ""
    since = numbers.duration(now - running.started_at)
    return f"process {running.pid}{where}, since {numbers.moment(running.started_at)} ({since})"


def _phase(running: Runner | None, now: float) -> str:
    if running is None or running.trial is None:
        return ""
    spent = numbers.duration(max(0.0, now - running.phase_started_at))
    most = f" of at most {numbers.duration(running.limit_seconds)}" if running.limit_seconds else ""
    return f"trial {running.trial}, {running.phase} for {spent}{most}"


def _left_open(trial: int | None) -> str:
    return "" if trial is None else f"trial {trial}: the next run carries it through"
