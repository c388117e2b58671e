"""`autoresearch log`: the trials of one experiment, or a row for each experiment."""

import os
import sys
import time
from pathlib import Path

from autoresearch import dashboard as dashboards
from autoresearch import history, runner
from autoresearch.commands.selection import discover, find
from autoresearch.dashboard import report as reports
from autoresearch.dashboard.report import ExperimentReport
from autoresearch.errors import AutoresearchError, ConfigError, UsageError
from autoresearch.experiment import Experiment
from autoresearch.state import RECENT
from autoresearch.trial import Status

_ON_TERMINAL = 20


def log(
    path: Path,
    experiment: str | None,
    domain: str | None,
    dashboard: bool,
    format: str,
    output: Path | None,
    count: int | None,
    status: str | None,
    top: int,
    as_json: bool,
) -> int:
    """Print one experiment's trials, or the dashboard of all that were asked for.

    `count` is how many trials to show at most, the last ones (0: all; None: as the format likes).
    """
    format = _format(format, as_json)
    _check_filters(count, status, top)
    experiments = _experiments(path, experiment, domain)
    to_terminal = output is None and sys.stdout.isatty()
    renderer = dashboards.renderer(format, to_terminal=to_terminal)
    if dashboard or len(experiments) > 1 or (domain and not experiment):
        text = renderer.dashboard([_summary(one) for one in experiments])
    else:
        if count is None:
            count = 0 if top or format != "terminal" else _ON_TERMINAL
        text = renderer.experiment(_report(experiments[0], count, status, top))
    if output is None:
        sys.stdout.write(text)
    else:
        _write(output, text)
        print(f"Written to {output}", file=sys.stderr)
    return 0


def _format(format: str, as_json: bool) -> str:
    if as_json and format not in ("terminal", "json"):
        raise UsageError(f"--json and --format {format} exclude each other.")
    if format not in dashboards.FORMATS:
        raise UsageError(f"{format!r} is not a format: use {', '.join(dashboards.FORMATS)}.")
    return "json" if as_json else format


def _check_filters(count: int | None, status: str | None, top: int) -> None:
    if status is not None and status not in list(Status):
        raise UsageError(f"{status!r} is not a status: use one of {', '.join(Status)}.")
    if top < 0 or (count is not None and count < 0):
        raise UsageError("-n and --top take a number that is not negative; 0 means all.")


def _experiments(path: Path, experiment: str | None, domain: str | None) -> list[Experiment]:
    if experiment:
        chosen, _ = find(path, experiment)
        if domain and chosen.domain != domain:
            raise UsageError(f"{experiment} is not in the domain {domain}: name one of the two.")
        return [chosen]
    there = discover(path)
    if not there:
        raise ConfigError("There is no experiment here. `autoresearch setup` makes one.")
    found = [one for one in there if domain in (None, one.domain)]
    if not found:
        domains = ", ".join(sorted({one.domain for one in there}))
        raise ConfigError(f"There is no experiment in the domain {domain}. There are: {domains}.")
    return found


def _report(
    experiment: Experiment, count: int = 0, status: str | None = None, top: int = 0
) -> ExperimentReport:
    config = experiment.load_config()
    is_short = 0 < count <= RECENT and status is None and not top
    read = history.read_state if is_short else history.read_all
    state = read(experiment.files)
    trials = reports.choose_trials(state, config.evaluate.goal, status=status, top=top, count=count)
    return reports.build(
        experiment,
        config,
        state,
        trials,
        now=time.time(),
        is_running=runner.read(experiment.runner_path) is not None,
    )


def _summary(experiment: Experiment) -> ExperimentReport:
    """The report for a row of the dashboard. One broken experiment must not hide the others."""
    try:
        return _report(experiment, count=1)
    except AutoresearchError as error:
        return reports.broken(experiment, str(error))


def _write(output: Path, text: str) -> None:
    """Write the file whole or not at all."""
    target = output.resolve()  # a link stays a link
    fresh = target.with_name(f".{target.name}.{os.getpid()}.new")
    try:
        if target.exists() and not target.is_file():  # a device or pipe has nothing to lose
            target.write_text(text, encoding="utf-8")
            return
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(target)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise UsageError(f"{output} cannot be written: {error.strerror}.") from None
