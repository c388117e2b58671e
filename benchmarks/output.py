"""What 200 MB of evaluator output costs, in time and in memory.

The evaluator prints a prepared file with `cat`, as fast as it can, and then its number. Each kind
of output takes turns, round after round, with two others: the same experiment with a quiet
evaluator, and the same file written to disk by `cat` alone. The extra time is what a trial takes
above a quiet one and above that writing. Memory is that of our own processes (the runner, the
lifeguard, its monitors), each with the most it ever held, added up; git and the evaluator are not
counted. The extra memory is the sum above that of the quiet experiment.
"""

import statistics
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import psutil
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
    verdict,
)

MEMORY_TARGET, SECONDS_TARGET = 50.0, 1.0  # MB, seconds
TRIALS = 6  # of a run
WARM_UP = 1  # the first one lays out the trees
LOOK_EVERY = 0.02  # seconds


@dataclass
class Series:
    """One experiment, and what was measured of it."""

    place: Place
    name: str
    evaluator: str
    seconds: list[float] = field(default_factory=list)  # of a trial
    memory: list[float] = field(default_factory=list)  # MB
    parts: dict[str, float] = field(default_factory=dict)  # MB, the most of each kind of process

    def __post_init__(self) -> None:
        short = self.name.replace(" ", "-")
        self._root = self.place.repository(short, files=20)
        self._ruler = Ruler(self.place.root / f"{short}.pipe")
        propose = proposal(self.place.root / f"{short}.count", self._ruler)
        self.place.set_up(self._root, propose, self.evaluator)

    def run(self) -> None:
        """Run a few trials, looking at the memory while they last."""
        process = subprocess.Popen(
            [*autoresearch(), "run", "--loop", "--max-experiments", str(TRIALS)],
            cwd=self._root,
            env=self.place.environment,
            stdout=subprocess.DEVNULL,
        )
        peaks: dict[tuple[str, int], float] = {}
        while process.poll() is None:
            peaks.update(_held(process.pid))
            time.sleep(LOOK_EVERY)
        if process.returncode:
            raise SystemExit(f"The run with {self.name} ended with status {process.returncode}.")
        times = self._ruler.take()
        self.seconds.append(statistics.median(seconds_a_trial(times, WARM_UP)))
        most = {kind: max(mb for (k, _), mb in peaks.items() if k == kind) for kind, _ in peaks}
        self.memory.append(sum(most.values()))
        self.parts = {kind: max(mb, self.parts.get(kind, 0.0)) for kind, mb in most.items()}


def main() -> None:
    """Measure and print."""
    arguments = parser(__doc__)
    arguments.add_argument("--megabytes", type=int, default=200)
    arguments.add_argument("--rounds", type=int, default=3)
    options = arguments.parse_args()
    with temporary_place() as place:
        files = {name: place.root / f"{number}.txt" for number, name in enumerate(KINDS)}
        for name, path in files.items():
            _fill(path, KINDS[name], options.megabytes * 1_000_000)
        quiet = Series(place, "quiet", EVALUATOR)
        loud = {
            name: Series(place, name, f"cat '{path}'; {EVALUATOR}") for name, path in files.items()
        }
        writing: dict[str, list[float]] = {name: [] for name in files}
        for _ in range(options.rounds):
            quiet.run()
            for name, path in files.items():
                writing[name].append(_written(place, path))
                loud[name].run()
        rows = [_row(series, quiet, writing[name]) for name, series in loud.items()]
    print(f"{options.megabytes} MB of output\n")
    times = ["trial s", "quiet s", "writing s", "extra s", f"<= {SECONDS_TARGET:g}"]
    memory = ["runner MB", "lifeguard MB", "monitor MB", "extra MB", f"<= {MEMORY_TARGET:g}"]
    print_table(["", *times, *memory], rows)
    print_conditions(f"{options.rounds} rounds")


def _log_lines() -> Iterator[bytes]:
    for step in count():
        yield b"step %07d/9999999 | loss 3.1415 | lr 0.0003 | grad norm 0.27 | 12.3 it/s\n" % step


def _metric_lines() -> Iterator[bytes]:
    for step in count():
        yield b"loss: %d\n" % (9_000_000 + step)


def _progress_bar() -> Iterator[bytes]:
    for step in count():
        yield f"\r {step % 100:3}%|{'█' * (step % 40):<40}| {step} it".encode()


# The last one ends its line, so that the number stands on a line of its own.
KINDS = {"log lines": _log_lines, "metric lines": _metric_lines, "progress bar": _progress_bar}


def _fill(path: Path, kind: object, size: int) -> None:
    assert callable(kind)
    written = 0
    with path.open("wb") as file:
        for line in kind():
            written += file.write(line)
            if written >= size:
                break
        file.write(b"\n")


def _written(place: Place, source: Path) -> float:
    """How long writing it takes when nobody looks at it, in seconds."""
    copy = place.root / "copy"
    cost = place.run(["sh", "-c", f"cat '{source}' > '{copy}'"])
    copy.unlink()
    return cost.seconds


def _held(runner: int) -> dict[tuple[str, int], float]:
    """The most memory that each of our processes has held so far, in MB."""
    found = {}
    try:
        lifeguards = [
            child
            for child in psutil.Process(runner).children()
            if any(part.endswith("lifeguard.py") for part in child.cmdline())
        ]
        ours = [("runner", runner)] + [("lifeguard", one.pid) for one in lifeguards]
        for one in lifeguards:
            ours += [
                ("monitor", child.pid)
                for child in one.children()
                if any(part.endswith("lifeguard.py") for part in child.cmdline())
            ]
    except psutil.Error:
        return {}  # it ended just now
    for kind, pid in ours:
        peak = _peak_mb(pid)
        if peak:
            found[kind, pid] = peak
    return found


def _peak_mb(pid: int) -> float:
    """The most that a process has held, where the system says so; else what it holds now."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
        return 0.0  # it is dead already
    except FileNotFoundError:
        pass
    except OSError:
        return 0.0
    try:
        return float(psutil.Process(pid).memory_info().rss) / 1e6
    except psutil.Error:
        return 0.0


def _row(loud: Series, quiet: Series, writing: list[float]) -> list[str]:
    extra = statistics.median(
        ours - nothing - bare
        for ours, nothing, bare in zip(loud.seconds, quiet.seconds, writing, strict=True)
    )
    memory = statistics.median(
        ours - nothing for ours, nothing in zip(loud.memory, quiet.memory, strict=True)
    )
    return [
        loud.name,
        *(f"{statistics.median(times):.2f}" for times in (loud.seconds, quiet.seconds, writing)),
        f"{extra:.2f}",
        verdict(extra, SECONDS_TARGET),
        *(f"{loud.parts.get(kind, 0.0):.0f}" for kind in ("runner", "lifeguard", "monitor")),
        f"{memory:.0f}",
        verdict(memory, MEMORY_TARGET),
    ]


if __name__ == "__main__":
    main()
