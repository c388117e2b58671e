"""How long one trial takes when proposing and measuring cost nothing.

Three ways to do the same edits, half of them kept and half discarded, on repositories of two
sizes, a block of trials of each in turn, round after round:

  floor         `sh` proposes and evaluates; bare git adds, commits, and resets what is discarded
  autoresearch  `run --loop` with the proposer `command`
  labloop       `run --sandbox none`, the closest peer, when it is installed

A trial lasts from the beginning of a proposal to the beginning of the next one; every tool is
timed by the same pipe that the proposals write to. The first trials of each block are left out,
and a kept and a discarded trial are taken together and halved. CPU time covers all processes;
what a block of three trials took is taken off, so starting the tool is not in it. Ratios are the
median of the rounds' ratios, so a slow spell of the machine does not count for one side.
"""

import os
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from bench import (
    EVALUATOR,
    Place,
    Ruler,
    autoresearch,
    parser,
    print_conditions,
    print_table,
    proposal,
    seconds_a_trial,
    temporary_place,
    tool,
    verdict,
)

FLOOR_TARGET, PEER_TARGET = 3.0, 2.0
WARM_UP = 3  # trials at the beginning of a block that do not count
SHORT = 3  # trials of the block whose CPU time is taken off


class Contender(Protocol):
    """One way to run trials on a repository of its own."""

    name: str

    def run(self, trials: int) -> float:
        """Run that many trials; returns CPU seconds, those of starting included."""
        ...

    def kept(self) -> int:
        """How many trials were kept so far."""
        ...


class Floor:
    """The least that a loop has to do, written down as plainly as possible."""

    name = "floor"

    def __init__(self, place: Place, root: Path, propose: str) -> None:
        self._root, self._propose, self._environment = root, propose, place.environment
        self._best = float("inf")
        self._kept = 0

    def run(self, trials: int) -> float:
        started = _cpu_seconds()
        for _ in range(trials):
            self._trial()
        return _cpu_seconds() - started

    def kept(self) -> int:
        return self._kept

    def _trial(self) -> None:
        self._do("sh", "-c", self._propose)
        self._do("git", "add", "-A")
        self._do("git", "commit", "-q", "-m", "trial")
        value = float(self._do("sh", "-c", EVALUATOR).partition(b":")[2])
        if value < self._best:
            self._best = value
            self._kept += 1
        else:
            self._do("git", "reset", "-q", "--hard", "HEAD~1")

    def _do(self, *command: str) -> bytes:
        return subprocess.run(
            command, cwd=self._root, env=self._environment, capture_output=True, check=True
        ).stdout


class Autoresearch:
    """This project."""

    name = "autoresearch"

    def __init__(self, place: Place, root: Path, propose: str) -> None:
        self._place, self._root = place, root
        self._directory = place.set_up(root, propose)

    def run(self, trials: int) -> float:
        command = [*autoresearch(), "run", "--loop", "--max-experiments", str(trials)]
        return self._place.run(command, self._root).cpu_seconds

    def kept(self) -> int:
        rows = (self._directory / "results.tsv").read_text().splitlines()[2:]  # title, baseline
        return sum(row.split("\t")[2] == "keep" for row in rows)


class Labloop:
    """The closest peer. Its ledger lies outside the repository, where it is not in the way."""

    name = "labloop"

    def __init__(self, place: Place, root: Path, propose: str, command: str) -> None:
        self._place, self._root, self._command, self._propose = place, root, command, propose
        self._ledger = root.with_name(f"{root.name}.jsonl")
        place.run([command, "baseline", *self._measurement()], root)

    def run(self, trials: int) -> float:
        command = [self._command, "run", *self._measurement(), "--propose", self._propose]
        command += ["--trials", str(trials), "--sandbox", "none"]
        return self._place.run(command, self._root).cpu_seconds

    def kept(self) -> int:
        return self._ledger.read_text().count('"outcome": "kept"') - 1  # the baseline is one

    def _measurement(self) -> list[str]:
        return ["--run", EVALUATOR, "--metric", "loss", "--ledger", str(self._ledger)]


@dataclass
class Series:
    """What was measured of one contender: for each round, seconds of each pair of trials."""

    contender: Contender
    ruler: Ruler
    pairs: list[list[float]] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    trials: int = 0

    def add_round(self, trials: int) -> None:
        """Run a long block and a short one."""
        cpu = self.contender.run(trials)
        times = self.ruler.take()
        cpu -= self.contender.run(SHORT)
        self.ruler.take()
        self.trials += trials + SHORT
        self.cpu.append(cpu / (trials - SHORT))
        self.pairs.append(seconds_a_trial(times, WARM_UP))

    def check(self) -> None:
        """Raise SystemExit when it did not keep half of them: then the rows cannot be compared."""
        if abs(2 * self.contender.kept() - self.trials) > 2:
            name, kept = self.contender.name, self.contender.kept()
            raise SystemExit(f"{name} kept {kept} of {self.trials} trials instead of half.")

    def ratio(self, other: "Series") -> float:
        """How many times as long as `other` a trial takes."""
        return statistics.median(
            statistics.median(mine) / statistics.median(theirs)
            for mine, theirs in zip(self.pairs, other.pairs, strict=True)
        )

    def row(self, size: int, floor: "Series", peer: "Series | None") -> list[str]:
        """The row of the table."""
        pairs = [pair for a_round in self.pairs for pair in a_round]
        to_floor, to_peer = self.ratio(floor), self.ratio(peer) if peer else None
        is_ours = self.contender.name == Autoresearch.name
        return [
            f"{self.contender.name}, {size:,} files",
            str(2 * len(pairs)),
            f"{1000 * statistics.median(pairs):.1f}",
            f"{1000 * min(pairs):.1f}",
            f"{1000 * statistics.median(self.cpu):.1f}",
            f"{to_floor:.2f}",
            verdict(to_floor, FLOOR_TARGET) if is_ours else "",
            "-" if to_peer is None else f"{to_peer:.2f}",
            verdict(to_peer, PEER_TARGET) if is_ours and to_peer is not None else "",
        ]


def main() -> None:
    """Measure and print."""
    arguments = parser(__doc__)
    arguments.add_argument("--sizes", type=int, nargs="+", default=[20, 5000], help="files")
    arguments.add_argument("--rounds", type=int, default=6)
    arguments.add_argument("--trials", type=int, default=24, help="in a block (even, 6 or more)")
    options = arguments.parse_args()
    labloop = tool("labloop")
    with temporary_place() as place:
        table = {size: _contenders(place, size, labloop) for size in options.sizes}
        for number in range(options.rounds):
            for series in table.values():
                turn = number % len(series)
                for one in [*series[turn:], *series[:turn]]:
                    one.add_round(options.trials)
        rows = [row for size, series in table.items() for row in _rows(size, series)]
    titles = ["one trial", "trials", "ms", "min", "CPU ms", "x floor", f"<= {FLOOR_TARGET:g}"]
    print_table([*titles, "x labloop", f"<= {PEER_TARGET:g}"], rows)
    print_conditions(_version(labloop) if labloop else "labloop is not installed")


def _contenders(place: Place, size: int, labloop: str | None) -> list[Series]:
    series = []
    for name in ("floor", "autoresearch", "labloop"):
        if name == "labloop" and labloop is None:
            continue
        root = place.repository(f"{name}-{size}", size)
        ruler = Ruler(place.root / f"{name}-{size}.pipe")
        propose = proposal(place.root / f"{name}-{size}.count", ruler)
        contender: Contender
        if name == "floor":
            contender = Floor(place, root, propose)
        elif name == "autoresearch":
            contender = Autoresearch(place, root, propose)
        else:
            contender = Labloop(place, root, propose, str(labloop))
        series.append(Series(contender, ruler))
    return series


def _rows(size: int, series: Sequence[Series]) -> list[list[str]]:
    for one in series:
        one.check()
    peer = series[2] if len(series) > 2 else None
    rows = [one.row(size, series[0], peer) for one in series]
    if peer is None:
        rows.append([f"labloop, {size:,} files", *["-"] * 7, "not installed"])
    return rows


def _version(command: str) -> str:
    return subprocess.run(
        [command, "--version"], capture_output=True, text=True, check=True
    ).stdout.strip()


def _cpu_seconds() -> float:
    """Of this process and all that it waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    main()
