"""What a long history costs: an experiment with 100,000 trials beside one with 100.

The trials are written through the project's own record types, after a few real ones: each has its
journal records, its row, its ref and its folder; they share the commits of the real ones. The two
experiments then take turns, round after round.
"""

import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench import (
    Cost,
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

from autoresearch.experiment import Experiment
from autoresearch.history import History
from autoresearch.records import Applied, Decided, Proposed, RunFinished, TrialStarted
from autoresearch.trial import Role, Run, RunStatus, Status

LOG_TARGET = 1.0  # seconds, for `log -n 20`
TRIAL_TARGET = 1.2  # times a trial at the beginning: "the same", as far as a machine is steady
REAL_TRIALS = 12
TRIALS_A_ROUND = 13
WARM_UP = 2


@dataclass
class Long:
    """An experiment with a history."""

    place: Place
    trials: int
    costs: dict[str, list[Cost]] = field(default_factory=dict)
    starts: list[float] = field(default_factory=list)  # seconds until the first proposal
    spans: list[list[float]] = field(default_factory=list)  # of each round, seconds a trial

    def __post_init__(self) -> None:
        name = f"{self.trials}-trials"
        self.root = self.place.repository(name, files=20)
        self._ruler = Ruler(self.place.root / f"{name}.pipe")
        propose = proposal(self.place.root / f"{name}.count", self._ruler)
        directory = self.place.set_up(self.root, propose)
        self._experiment = Experiment("bench", "bench", "project", directory)
        self._run(REAL_TRIALS)
        self._ruler.take()
        started = time.perf_counter()
        _lengthen(self._experiment, self.trials)
        _add_refs(self.root, self._experiment, self.trials)
        self.made_in = time.perf_counter() - started

    @property
    def journal_mb(self) -> float:
        """How large the journal is."""
        return self._experiment.files.journal.stat().st_size / 1e6

    def look(self, *, everything: bool) -> None:
        """Time the commands that read."""
        self._time("log -n 20", self._log("20"))
        self._time("status", lambda: self.place.run([*autoresearch(), "status"], self.root))
        if not everything:
            return
        self._time("log -n 0", self._log("0"))
        summary = self._experiment.files.summary
        copy = summary.with_name("copy")
        shutil.move(summary, copy)
        self._time("log -n 20, no summary file", self._log("20"))
        shutil.move(copy, summary)

    def run(self) -> None:
        """Time the start of a run, and its trials."""
        started = time.perf_counter()
        cost = self._run(TRIALS_A_ROUND)
        times = self._ruler.take()
        self.costs.setdefault("run", []).append(cost)
        self.starts.append(times[0] - started)
        self.spans.append(seconds_a_trial(times, WARM_UP))

    def _time(self, name: str, do: Callable[[], Cost]) -> None:
        self.costs.setdefault(name, []).append(do())

    def _log(self, count: str) -> Callable[[], Cost]:
        return lambda: self.place.run([*autoresearch(), "log", "-n", count], self.root)

    def _run(self, trials: int) -> Cost:
        command = [*autoresearch(), "run", "--loop", "--max-experiments", str(trials)]
        return self.place.run(command, self.root)


def main() -> None:
    """Measure and print."""
    arguments = parser(__doc__)
    arguments.add_argument("--trials", type=int, default=100_000)
    arguments.add_argument("--few", type=int, default=100)
    arguments.add_argument("--rounds", type=int, default=5)
    options = arguments.parse_args()
    with temporary_place() as place:
        few, many = Long(place, options.few), Long(place, options.trials)
        for number in range(options.rounds):
            for one in (few, many):
                one.look(everything=number < 2)
                one.run()
        rows = _rows(few, many)
        made = f"written in {many.made_in:.0f} s, a journal of {many.journal_mb:.0f} MB"
    titles = ["", f"{few.trials:,}", f"{many.trials:,} trials", "x", "peak MB", "target", ""]
    print_table(titles, rows)
    print(f"\n{many.trials:,} trials: {made}")
    print_conditions()


def _lengthen(experiment: Experiment, trials: int) -> None:
    """Write discarded trials until there are as many as wanted, and a folder for each."""
    history = History(experiment.files)
    state = history.state
    commits = [trial.commit for trial in state.finished if trial.number]
    parent, best = state.incumbent, state.incumbent_value or 0.0
    for n in range(state.next_number, trials + 1):
        tree, value = f"{n:040x}", best + n
        history.append(TrialStarted(n=n, parent=parent, proposer="command"))
        idea = f"change number {n} of something"
        history.append(Proposed(n=n, candidate=commits[n % len(commits)], tree=tree, idea=idea))
        run = Run(
            role=Role.CANDIDATE,
            tree=tree,
            index=0,
            seed=1,
            status=RunStatus.MEASURED,
            metrics={"loss": value},
            seconds=0.01,
            cpu_seconds=0.01,
            peak_mb=10.0,
            log=f"trials/{n}/candidate-0/evaluate.log",
        )
        history.append(RunFinished(n=n, run=run))
        numbers = {"value": value, "incumbent": best}
        reason = f"{value:g} is no better than {best:g}"
        history.append(
            Decided(n=n, status=Status.DISCARD, reason=reason, rule="greedy", numbers=numbers)
        )
        history.append(Applied(n=n))
        experiment.trial_directory(n).mkdir()
    history.close()


def _add_refs(root: Path, experiment: Experiment, trials: int) -> None:
    """Give each trial a ref, as packing leaves them; git itself would take minutes."""
    subprocess.run(["git", "pack-refs", "--all"], cwd=root, check=True)
    packed = root / ".git" / "packed-refs"
    lines = [line for line in packed.read_text().splitlines() if not line.startswith("#")]
    refs = {name: commit for commit, name in (line.split(" ") for line in lines)}
    commit = refs[experiment.branch_ref]
    for n in range(1, trials + 1):
        refs.setdefault(experiment.candidate_ref(n), commit)
    text = "".join(f"{refs[name]} {name}\n" for name in sorted(refs))
    packed.write_text(f"# pack-refs with: peeled fully-peeled sorted \n{text}")


def _rows(few: Long, many: Long) -> list[list[str]]:
    rows = []
    for name in many.costs:
        if name == "run":
            continue
        before, after = ([cost.seconds for cost in one.costs[name]] for one in (few, many))
        peak = max(cost.peak_mb for cost in many.costs[name])
        rows.append(_row(name, before, after, peak))
        if name == "log -n 20":
            most = statistics.median(after)
            rows[-1][-2:] = [f"< {LOG_TARGET:g} s", verdict(most, LOG_TARGET)]
    peak = max(cost.peak_mb for cost in many.costs["run"])
    rows.append(_row("run, until the first proposal", few.starts, many.starts, peak))
    before, after = ([statistics.median(spans) for spans in one.spans] for one in (few, many))
    rows.append(_row("one more trial", before, after, peak))
    ratio = statistics.median(b / a for a, b in zip(before, after, strict=True))
    rows[-1][-2:] = ["the same", verdict(ratio, TRIAL_TARGET)]
    return rows


def _row(name: str, few: list[float], many: list[float], peak_mb: float) -> list[str]:
    ratio = statistics.median(b / a for a, b in zip(few, many, strict=True))
    times = [f"{1000 * statistics.median(times):.0f} ms" for times in (few, many)]
    return [name, *times, f"{ratio:.2f}", f"{peak_mb:.0f}", "", ""]


if __name__ == "__main__":
    main()
