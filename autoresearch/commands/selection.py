"""Which experiment and which trial the user means."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from autoresearch import experiment as places
from autoresearch import history
from autoresearch.config import Config
from autoresearch.errors import AutoresearchError, ConfigError, UsageError
from autoresearch.experiment import Experiment
from autoresearch.state import State
from autoresearch.trial import Trial

_NUMBER = re.compile(r"#?(\d{1,9})", re.ASCII)


@dataclass(frozen=True)
class Selection:
    """An experiment that was chosen, its config, and where it stands."""

    experiment: Experiment
    config: Config
    state: State

    @property
    def label(self) -> str:
        """What `-e` takes."""
        return label(self.experiment)


def label(experiment: Experiment) -> str:
    """An experiment as `-e` takes it."""
    return experiment.id if experiment.scope == "project" else f"user:{experiment.id}"


def discover(path: Path) -> list[Experiment]:
    """All experiments that can be seen from `path`; those of the first scripts are migrated.

    One that cannot be migrated is said, and hides no other.
    """
    found = places.discover(path)
    for old in [one for one in found if not one.config_path.exists()]:
        from autoresearch import migration  # once in the life of an experiment

        try:
            print(migration.migrate(old, path), file=sys.stderr)
        except AutoresearchError as error:
            print(f"autoresearch: {error}", file=sys.stderr)
    return found


def find(path: Path, wanted: str | None) -> tuple[Experiment, str]:
    """The experiment that `wanted` names, or the obvious one with a sentence to say aloud."""
    return places.choose(discover(path), wanted)


def select(path: Path, wanted: str | None) -> Selection:
    """The experiment that `wanted` names, or the obvious one, which is then said aloud."""
    experiment, choice = find(path, wanted)
    if choice:
        print(choice, file=sys.stderr)
    return Selection(experiment, experiment.load_config(), history.read_state(experiment.files))


def trial_number(state: State, word: str) -> int:
    """The number that `best`, `baseline`, `3` or `#3` means. Raises UsageError for other words."""
    if word == "baseline":
        return 0
    if word == "best":
        return state.incumbent_trial
    if match := _NUMBER.fullmatch(word):
        return int(match[1])
    raise UsageError(f"{word!r} is not a trial: write its number, `best` or `baseline`.")


def find_trial(selection: Selection, word: str) -> Trial:
    """The trial that `word` means. Raises ConfigError when there is none."""
    number = trial_number(selection.state, word)
    trials = selection.state.trials
    if number not in trials and number < selection.state.next_number:
        trials = history.read_all(selection.experiment.files).trials  # it is an old one
    if number in trials:
        return trials[number]
    if not trials:
        raise ConfigError(
            f"{selection.experiment.id} has no trials yet. "
            f"Start with: autoresearch run -e {selection.label}"
        )
    raise ConfigError(
        f"{selection.experiment.id} has no trial {number}: the last one is {max(trials)}. "
        f"`autoresearch log -e {selection.label}` lists them."
    )
