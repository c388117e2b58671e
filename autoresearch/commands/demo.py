"""`autoresearch demo`: a real search, from setup to chart, in a directory of its own.

It runs the command line as a user would, and shows each command first, so that all of it can be
repeated by hand.
"""

import importlib.util
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from autoresearch import catalog, experiment, git, history
from autoresearch.dashboard import chart
from autoresearch.errors import ProposerUnusable, UsageError

_EXPERIMENT = "engineering/berlin52"
_CHART_WIDTH, _CHART_HEIGHT = 80, 14


def demo(directory: Path | None = None, trials: int = 24) -> int:
    """Tune a solver for the travelling salesman problem, and leave everything there to look at.

    `directory` must not exist or be empty; without one it is a temporary directory. Raises
    ProposerUnusable when Optuna is missing. Returns the exit code of the first command that
    failed, or 0.
    """
    if importlib.util.find_spec("optuna") is None:
        raise ProposerUnusable(
            "The demo searches with Optuna, which is not installed: "
            "pip install 'autoresearch[tune]'"
        )
    place = _make_repository(directory)
    print(f"berlin52 has 52 cities, and its shortest round tour is 7542 long.\nAll is in {place}\n")
    for arguments in _commands(trials):
        print(f"$ {shlex.join(['autoresearch', *arguments])}", flush=True)
        code = _run([sys.executable, "-m", "autoresearch", *arguments], place)
        if code != 0:
            return code
        print()
    found, _ = experiment.find(place, _EXPERIMENT)
    state = history.read_all(found.files)
    goal = found.load_config().evaluate.goal
    width = min(_CHART_WIDTH, shutil.get_terminal_size().columns)
    print(chart.best_so_far(state.finished, goal, width, _CHART_HEIGHT))
    gap = state.trials[state.incumbent_trial].metrics["gap_percent"]
    print(f"\nThe best tours are {gap:g}% longer than the shortest, on average.")
    print(f"Go on with it: cd {shlex.quote(str(place))}")
    print("Take the best over: autoresearch apply")
    return 0


def _make_repository(directory: Path | None) -> Path:
    place = directory or Path(tempfile.mkdtemp(prefix="autoresearch-demo-"))
    if place.exists() and (not place.is_dir() or any(place.iterdir())):
        raise UsageError(f"{place} is there already and not an empty directory. Name another one.")
    shutil.copytree(
        catalog.find("templates/demo"),
        place,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    git.initialise(place)
    return place.resolve()


def _commands(trials: int) -> list[list[str]]:
    setup = {
        "--domain": "engineering",
        "--name": "berlin52",
        "--target": "solver.py",
        "--eval": f"{shlex.quote(sys.executable)} evaluate.py",
        "--metric": "tour_length",
        "--direction": "lower",
        "--goal": "find shorter round tours through 52 places in Berlin",
        "--time-budget": "1",
        "--proposer": "tune",
    }
    return [
        ["setup", *(part for pair in setup.items() for part in pair), "--yes"],
        ["run", "--loop", "--max-experiments", str(trials)],
        ["log", "--dashboard"],
        ["log"],
    ]


def _run(command: list[str], directory: Path) -> int:
    process = subprocess.Popen(command, cwd=directory)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            continue  # Ctrl-C reached the command too: it puts its trial back, then ends
