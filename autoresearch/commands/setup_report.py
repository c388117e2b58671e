"""What `setup` says of an experiment that it made."""

from collections.abc import Sequence
from pathlib import Path

from autoresearch import git
from autoresearch.baseline import Established
from autoresearch.config import Config
from autoresearch.dashboard import numbers
from autoresearch.experiment import Experiment
from autoresearch.trial import Run, RunStatus


def shown(path: Path) -> str:
    """`path` as a person would type it here."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def say_made(experiment: Experiment, repository: git.Repository, *, include_dirty: bool) -> None:
    """Where it is, and what of the checkout is no part of its baseline."""
    print(f"Made {shown(experiment.directory)}")
    dirty = git.uncommitted_paths(repository)
    if dirty and not include_dirty:
        listed = ", ".join(dirty[:5]) + (f" and {len(dirty) - 5} more" if len(dirty) > 5 else "")
        print(f"Uncommitted, so not part of the baseline: {listed}. (--include-dirty takes it in.)")


def say_unmeasured(experiment: Experiment, missing: Sequence[str]) -> None:
    """What is still to be done."""
    if missing:
        print(f"Fill in {', '.join(missing)} in {shown(experiment.config_path)}")
        print("Then: autoresearch run --loop --max-experiments 50")
    else:
        print("The baseline was not measured: `autoresearch run` does that first.")


def say_measured(experiment: Experiment, config: Config, established: Established) -> None:
    """What measuring the baseline showed, and what comes next."""
    metric = config.evaluate.metric
    first = established.first.metrics[metric]
    took = numbers.duration(established.first.seconds)
    print(f"Baseline: {metric} {numbers.number(first)}, in {took}")
    print(f"  Again: {_second(config, first, established.second)}")
    if established.probe is not None:
        print(f"  With the target emptied: {_probed(config, established.probe)}")
    use = config.proposer.use
    label = experiment.id if experiment.scope == "project" else f"user:{experiment.id}"
    print("  Isolation: none. Frozen files come from the baseline at each evaluation.")
    program = shown(experiment.program_path)
    print(f"Next: say what you want in {program} (the proposer, {use}, gets it).")
    if use == "manual":
        print("Then edit, and have it measured; or have a command edit:")
        print('  autoresearch try -m "what you changed"')
        print(f"  autoresearch run -e {label} --loop --max-experiments 50 --propose './propose.sh'")
        return
    print("Then:")
    print("  autoresearch run --loop --max-experiments 50")


def _second(config: Config, first: float, second: Run | None) -> str:
    if second is None:
        return "the second run failed; the evaluation is not reliable."
    value = second.metrics[config.evaluate.metric]
    if value == first:
        return "the same number."
    gain = config.evaluate.goal.gain_percent(first, value)
    size = "" if gain is None else f", {abs(gain):.2g}% away"
    return (
        f"{numbers.number(value)}{size}. The metric is noisy: with the rule `greedy`, gains of "
        "that size may be luck."
    )


def _probed(config: Config, probe: Run) -> str:
    if probe.status == RunStatus.MEASURED:
        value = numbers.number(probe.metrics[config.evaluate.metric])
        return f"{value}. The target is what is measured, though nothing fails without it."
    return f"{probe.reason}. The target is what is measured."
