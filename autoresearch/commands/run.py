"""`autoresearch run`: trial after trial, or one."""

import json
import math
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from autoresearch import experiment as places
from autoresearch import proposers, runner
from autoresearch.commands.selection import find, label
from autoresearch.config import Config, parse_duration
from autoresearch.dashboard import numbers, progress
from autoresearch.errors import AutoresearchError, ConfigError, Locked, UsageError
from autoresearch.experiment import Experiment
from autoresearch.history import read_state
from autoresearch.loop import Loop
from autoresearch.session import Session, open_session

T = TypeVar("T")
_START_PATIENCE = 20.0  # seconds for a background run to begin


@dataclass(frozen=True, kw_only=True)
class Options:
    """The command line, which wins over the config."""

    max_experiments: int | None = None
    max_time: str | None = None
    max_cost: float | None = None
    patience: int | None = None
    until: float | None = None
    proposer: str | None = None
    propose: str | None = None
    model: str | None = None

    def over(self, config: Config) -> Config:
        """`config` with what was given on the command line. Raises UsageError, ConfigError."""
        limits: dict[str, object] = {
            "max_experiments": self.max_experiments,
            "max_time": None if self.max_time is None else _duration("--max-time", self.max_time),
            "max_cost_usd": self.max_cost,
            "patience": self.patience,
            "until": self.until,
        }
        use = "command" if self.propose is not None else self.proposer
        proposer = {"use": use, "command": self.propose, "model": self.model}
        merged = config.model_copy(
            update={
                "limits": config.limits.model_copy(update=_given(limits)),
                "proposer": config.proposer.model_copy(update=_given(proposer)),
            }
        )
        _refuse_a_model(merged)
        return merged


def run(
    path: Path,
    experiment: str | None,
    options: Options,
    *,
    resume: bool = False,
    single: bool = False,
    loop: bool = False,
    dry_run: bool = False,
    detach: bool = False,
    as_json: bool = False,
    is_background: bool = False,
) -> int:
    """Run trials on one experiment; returns 0 when a limit ended it, whatever the verdicts."""
    if single and loop:
        raise UsageError("--single and --loop exclude each other.")
    if resume and experiment:
        raise UsageError("--resume takes the last active experiment: leave -e out.")
    if options.proposer and options.propose is not None and options.proposer != "command":
        raise UsageError("--propose CMD is the proposer `command`: leave --proposer out.")
    if options.propose is not None and not options.propose.strip():
        raise UsageError("--propose needs a command.")
    if options.proposer and options.proposer not in proposers.NAMES:
        raise UsageError(
            f"There is no proposer {options.proposer!r}: it is one of {', '.join(proposers.NAMES)}."
        )
    if not math.isfinite(options.until or 0) or not math.isfinite(options.max_cost or 0):
        raise UsageError("--until and --max-cost take a finite number.")
    chosen, choice = find(path, experiment)
    config = options.over(chosen.load_config())
    if missing := config.missing():
        raise ConfigError(
            f"{chosen.id} is not filled in: {', '.join(missing)}. "
            f"Edit {chosen.config_path}, then run again."
        )
    proposers.check(config.proposer.use)
    _refuse_an_idle_limit(chosen, config, is_asked_for=bool(options.max_cost))
    repository = places.repository_of(chosen, config, path)
    if dry_run:
        _describe(chosen, config)
        return 0
    if detach:
        return _start_in_background(chosen, as_json=as_json)
    reporter = progress.reporter(config.evaluate.goal, as_json=as_json)
    if choice:
        reporter.say(choice)
    if not loop and not single and (options.max_experiments or options.max_time):
        reporter.say("One trial is made: --loop makes more.")
    with open_session(chosen, repository, config, reporter, detached=is_background) as session:
        try:
            if not as_json:
                reporter.say(_headline(chosen, config))
            reason = Loop(session, options.over, is_single=not loop).run()
        except AutoresearchError as error:
            reporter.close()
            if reporter.tally.trials:
                _close(session, reporter, stopped="")
            raise error
        reporter.close()
        _close(session, reporter, stopped=reason)
    return 0


def _close(session: Session, reporter: progress.Reporter, stopped: str) -> None:
    """Say what the run came to."""
    state = session.state
    if isinstance(reporter, progress.JsonReporter):
        reporter.write(json.dumps(_summary(session, reporter, stopped)))
        return
    if state.incumbent_value is None:
        return  # there is not even a baseline: the error says why
    reporter.write("")
    if stopped:
        reporter.write(f"Stopped: {stopped}.")
    experiment = session.experiment
    for line in reporter.tally.summary(state, experiment.branch, label(experiment)):
        reporter.write(line)


def _summary(session: Session, reporter: progress.Reporter, stopped: str) -> dict[str, object]:
    state, tally = session.state, reporter.tally
    return {
        "type": "summary",
        "experiment": session.experiment.id,
        "stopped": stopped or None,
        "trials": len(tally.trials),
        "by_status": Counter(str(trial.status) for trial in tally.trials),
        "metric": session.config.evaluate.metric,
        "baseline": state.baseline_value,
        "best": state.incumbent_value,
        "best_trial": state.incumbent_trial,
        "branch": session.experiment.branch,
    }


def _headline(experiment: Experiment, config: Config) -> str:
    goal, use = config.evaluate.goal, config.proposer.use
    return f"{experiment.id}: {goal.metric}, {goal.describe()}; proposer {use}; isolation none"


def _describe(experiment: Experiment, config: Config) -> None:
    """What a run would do."""
    state, goal = read_state(experiment.files), config.evaluate.goal
    limits = config.limits
    until = (
        "a limit or Ctrl-C" if not limits.max_experiments else f"{limits.max_experiments} trials"
    )
    print(f"{experiment.id} would run until {until}. Nothing was done.")
    print(f"  target    {', '.join(config.target)}")
    print(f"  evaluate  {config.evaluate.command}")
    print(f"  metric    {goal.metric}, {goal.describe()}")
    print(f"  at most   {numbers.duration(config.evaluate.hard_limit)} an evaluation")
    print(f"  proposer  {config.proposer.use} {config.proposer.command}".rstrip())
    if not state.incumbent:
        print("  first     the baseline is measured")
    else:
        best = numbers.number(state.incumbent_value)
        print(f"  next      trial {state.next_number}, from {state.incumbent[:7]} ({best})")


def _start_in_background(experiment: Experiment, *, as_json: bool) -> int:
    """Start the same command again without a terminal, and wait until it is at work."""
    if (other := runner.read(experiment.runner_path)) is not None:
        raise Locked(
            f"{experiment.id} is being run by process {other.pid}. `autoresearch status` shows it."
        )
    arguments = [argument for argument in sys.argv[1:] if argument != "--detach"]
    log = experiment.directory / "run.log"
    with log.open("ab") as output:
        begin = output.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "autoresearch", *arguments, "--is-background"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    until = time.monotonic() + _START_PATIENCE
    while process.poll() is None and time.monotonic() < until:
        going = runner.read(experiment.runner_path)
        if going is not None and going.trial is not None:
            break  # it got past everything that refuses to begin
        time.sleep(0.05)
    if process.poll():
        print(log.read_bytes()[begin:].decode(errors="replace").strip(), file=sys.stderr)
        return process.returncode
    if as_json:
        print(json.dumps({"experiment": experiment.id, "pid": process.pid, "log": str(log)}))
    elif process.poll() == 0:
        print(f"{experiment.id} ran in the background, and has ended. Its output is in {log}")
    else:
        print(f"{experiment.id} runs in the background, as process {process.pid}.")
        print(f"  autoresearch status    shows it; its output goes to {log}")
        print("  autoresearch stop      ends it")
    return 0


def _refuse_a_model(config: Config) -> None:
    """No proposer of this version has a model. Raises UsageError."""
    use = config.proposer.use
    if config.proposer.model:
        raise UsageError(f"--model cannot be used: the proposer {use!r} has no model to choose.")


def _refuse_an_idle_limit(experiment: Experiment, config: Config, *, is_asked_for: bool) -> None:
    """A limit of the cost is never reached where nobody tells a cost.

    Raises UsageError where it was asked for on the command line; the config's is said.
    """
    state = read_state(experiment.files)
    is_unknown = state.incumbent_value is None and config.evaluate.network  # not measured yet
    if not config.limits.max_cost_usd or state.cost_usd > 0 or is_unknown:
        return
    problem = (
        f"the proposer {config.proposer.use!r} reports no cost, nor has the evaluator (as metric "
        "`cost_usd`), so the limit would never be reached. Use --max-experiments or --max-time."
    )
    if is_asked_for:
        raise UsageError(f"--max-cost cannot be used: {problem}")
    print(f"max_cost_usd = {config.limits.max_cost_usd:g} ends nothing: {problem}", file=sys.stderr)


def _duration(option: str, text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}.") from None


def _given(values: dict[str, T | None]) -> dict[str, T]:
    return {key: value for key, value in values.items() if value is not None}
