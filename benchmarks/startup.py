"""How long commands take to start, against bare Python and a bare Typer app.

Each row runs once a round, in an order that turns from round to round, with its output thrown
away. Wall times of a busy machine say little; CPU time (user and system) says more, and the ratios
of the two agree on a quiet one. `log` and `status` look at a small repository with an experiment
of twenty trials; the Typer app has one command with a few options, and is run, not only loaded.
"""

import statistics
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from bench import (
    Cost,
    Place,
    autoresearch,
    parser,
    print_conditions,
    print_table,
    proposal,
    temporary_place,
    verdict,
)

TARGET = 1.3  # times the Typer app, for `log` and `status`
IMPORT_TARGET = 30.0  # milliseconds above bare Python, for `import autoresearch`
TRIALS = 20
HELLO = '''\
from typing import Annotated, Optional

import typer

app = typer.Typer()


@app.command()
def hello(
    name: Annotated[str, typer.Option("--name", "-n", help="Who.")] = "world",
    count: Annotated[int, typer.Option(help="How often.")] = 1,
    greeting: Annotated[Optional[str], typer.Option(help="What to say.")] = None,
    loud: Annotated[bool, typer.Option("--loud", help="In capitals.")] = False,
) -> None:
    """Say hello."""
    text = f"{greeting or 'Hello'} {name}"
    for _ in range(count):
        print(text.upper() if loud else text)


app()
'''
BARE, IMPORT, TYPER = "python -c pass", "python -c 'import autoresearch'", "bare Typer app"
HELP, LOG, STATUS = "autoresearch --help", "autoresearch log", "autoresearch status"


def main() -> None:
    """Measure and print."""
    arguments = parser(__doc__)
    arguments.add_argument("--rounds", type=int, default=21)
    options = arguments.parse_args()
    with temporary_place() as place:
        commands = _commands(place)
        costs: dict[str, list[Cost]] = {name: [] for name in commands}
        for number in range(-1, options.rounds):  # the first round only warms the caches
            turn = number % len(commands)
            names = list(commands)
            for name in [*names[turn:], *names[:turn]]:
                cost = place.run(commands[name], place.root / "repository")
                if number >= 0:
                    costs[name].append(cost)
    rows = [_row(name, costs) for name in commands]
    print_table(
        ["", "wall ms", "min", "CPU ms", "min", "wall x Typer", "CPU x Typer", "target", ""], rows
    )
    print_conditions(f"Typer {metadata.version('typer')}", f"{options.rounds} rounds")


def _commands(place: Place) -> dict[str, Sequence[str | Path]]:
    repository = place.repository("repository", files=20)
    place.set_up(repository, proposal(place.root / "count"))
    place.run([*autoresearch(), "run", "--loop", "--max-experiments", str(TRIALS)], repository)
    hello = place.root / "hello.py"
    hello.write_text(HELLO)
    return {
        BARE: [sys.executable, "-c", "pass"],
        IMPORT: [sys.executable, "-c", "import autoresearch"],
        TYPER: [sys.executable, hello, "--name", "you"],
        HELP: [*autoresearch(), "--help"],
        LOG: [*autoresearch(), "log"],
        STATUS: [*autoresearch(), "status"],
    }


def _row(name: str, costs: dict[str, list[Cost]]) -> list[str]:
    wall = {key: [1000 * cost.seconds for cost in value] for key, value in costs.items()}
    cpu = {key: [1000 * cost.cpu_seconds for cost in value] for key, value in costs.items()}
    by_wall, by_cpu = _ratio(wall[name], wall[TYPER]), _ratio(cpu[name], cpu[TYPER])
    goal = met = ""
    if name in (LOG, STATUS):
        goal, met = f"CPU <= {TARGET:g} x Typer", verdict(by_cpu, TARGET)
    elif name == IMPORT:
        above = statistics.median(cpu[IMPORT]) - statistics.median(cpu[BARE])
        goal = f"{above:.0f} <= {IMPORT_TARGET:g} ms above Python"
        met = verdict(above, IMPORT_TARGET)
    return [
        name,
        f"{statistics.median(wall[name]):.0f}",
        f"{min(wall[name]):.0f}",
        f"{statistics.median(cpu[name]):.0f}",
        f"{min(cpu[name]):.0f}",
        f"{by_wall:.2f}",
        f"{by_cpu:.2f}",
        goal,
        met,
    ]


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the rounds' ratios."""
    return statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))


if __name__ == "__main__":
    main()
