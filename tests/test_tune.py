"""Somebody leaves `--proposer tune` alone with the parameters that their code declares."""

import itertools
import random
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from autoresearch.config import validate
from autoresearch.errors import ConfigError, ProposerUnusable
from autoresearch.git import find_repository, initialise
from autoresearch.paths import Patterns
from autoresearch.proposers.base import Context, Proposal, Request, SearchExhausted
from autoresearch.state import State
from autoresearch.store import Store
from autoresearch.supervise import Supervisor
from autoresearch.trial import Status, Trial
from autoresearch.workspace import Rules

pytest.importorskip("optuna")

from autoresearch.proposers.tune import Tune

TRAIN = """\
LR = 3e-4  # tune: 1e-5..1e-2 log
BATCH = 64  # tune: 8..256 step 8
OPT = "adam"  # tune: {adam, sgd}
"""
SMALL = "A = 1  # tune: 1..3\nB = on  # tune: {on, off}\n"


class Bench:
    """A repository, and the loop's part done by hand: lay out, ask, store, decide."""

    def __init__(
        self, root: Path, files: dict[str, str], target: tuple[str, ...] = ("**",)
    ) -> None:
        repository = root / "repository"
        for name, text in files.items():
            path = repository / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text.encode())
        initialise(repository)
        self.store = Store(root / "store.git", find_repository(repository))
        self.workspace, self.index = root / "workspace", root / "index"
        self.workspace.mkdir()
        baseline = subprocess.run(
            ["git", "-C", repository, "rev-parse", "HEAD"], capture_output=True, check=True
        ).stdout.decode().strip()  # fmt: skip
        self.parent = baseline
        self.state = State(epoch=1, baseline=baseline)
        self.trials = [self.trial(status=Status.KEEP, value=100.0, commit=baseline, proposer="")]
        self.state.trials[0] = self.trials[0]
        table = {"target": list(target), "evaluate": {"metric": "loss"}}
        self.context = Context(
            experiment_id="ml/x",
            config=validate(table, "config.toml"),
            supervisor=cast(Supervisor, None),
            store=self.store,
            all_trials=lambda: list(self.trials),
            is_stopping=lambda: False,
        )
        self.tune = Tune(self.context)

    def trial(self, **known: object) -> Trial:
        number = len(self.state.trials)
        return replace(
            Trial(number=number, epoch=self.state.epoch, phase="applied", proposer="tune"),
            **known,  # type: ignore[arg-type]
        )

    def propose(self) -> Proposal:
        self.store.lay_out(self.workspace, self.index, self.parent)
        return self.tune.propose(
            Request(
                number=len(self.trials),
                attempt=0,
                workspace=self.workspace,
                directory=self.workspace,
                briefing=self.workspace,
                log=self.workspace,
                parent=self.parent,
                state=self.state,
                rules=Rules(
                    Patterns(self.context.config.target), Patterns(self.context.config.frozen)
                ),
                environment={},
            )
        )

    def commit(self) -> str:
        self.store.stage(
            self.workspace, self.index, self.store.changed_paths(self.workspace, self.index)
        )
        return self.store.commit(self.store.write_tree(self.index), [self.parent], "candidate")

    def decide(self, **known: object) -> Trial:
        trial = self.trial(**known)
        self.trials.append(trial)
        self.state.trials[trial.number] = trial
        return trial

    def step(self, value: float | None = 1.0, status: Status = Status.DISCARD) -> Proposal:
        """One whole trial of the tuner."""
        proposal = self.propose()
        self.decide(
            status=status, value=value, commit=self.commit(), parameters=proposal.parameters
        )
        return proposal

    def text(self, name: str = "train.py") -> str:
        return (self.workspace / name).read_bytes().decode()


def test_it_writes_the_values_it_reports_and_says_which_it_changed(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"train.py": TRAIN})
    proposal = bench.propose()
    assert list(proposal.parameters) == ["LR", "BATCH", "OPT"]
    assert f"LR = {proposal.parameters['LR']}  #" in bench.text()
    assert f"BATCH = {proposal.parameters['BATCH']}  #" in bench.text()
    assert f'OPT = "{proposal.parameters["OPT"]}"  #' in bench.text()
    named = dict(part.split("=") for part in proposal.idea.split(", "))
    assert named == {
        name: value
        for name, value in proposal.parameters.items()
        if value != {"LR": "0.0003", "BATCH": "64", "OPT": "adam"}[name]
    }


def test_a_finite_space_is_searched_to_its_end_without_repeating_a_point(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"train.py": SMALL})
    seen = {("1", "on")}  # the baseline
    for number in range(5):
        point = tuple(bench.step(value=float(number)).parameters.values())
        assert point not in seen
        seen.add(point)
    assert seen == set(itertools.product("123", ("on", "off")))
    with pytest.raises(SearchExhausted, match="all 6 combinations of A, B were tried"):
        bench.propose()


def test_an_endless_space_gives_new_points_even_when_all_are_equally_good(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"train.py": "X = 0.5  # tune: 0..1\nN = 1  # tune: 0..1\n"})
    points = [tuple(bench.step(value=1.0).parameters.values()) for _ in range(30)]
    assert len(set(points)) == 30


def test_it_finds_the_good_region(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"f.py": "X = 0.9  # tune: 0..1\nY = 0.9  # tune: 0..1\n"})
    losses = []
    for _ in range(40):
        proposal = bench.propose()
        values = {name: float(text) for name, text in proposal.parameters.items()}
        losses.append((values["X"] - 0.3) ** 2 + (values["Y"] - 0.6) ** 2)
        bench.decide(status=Status.DISCARD, value=losses[-1], parameters=proposal.parameters)
    assert sum(losses[-20:]) / 20 < 0.7 * sum(losses[:10]) / 10, "the first ten are random"


def test_it_turns_away_from_values_that_crash(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"f.py": "X = 0.2  # tune: 0..1\nY = 0.5  # tune: 0..1\n"})
    crashes = []
    for _ in range(40):
        proposal = bench.propose()
        x = float(proposal.parameters["X"])
        crashes.append(x > 0.3)
        bench.decide(
            status=Status.CRASH if crashes[-1] else Status.DISCARD,
            value=None if crashes[-1] else 1 - x,
            parameters=proposal.parameters,
        )
    assert sum(crashes) < 25, "at random it would be 28 of 40"


def test_it_learns_from_what_an_agent_tried(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"train.py": SMALL})
    for a, b in (("2", "on"), ("3", "on"), ("1", "off"), ("2", "off")):
        bench.store.lay_out(bench.workspace, bench.index, bench.parent)
        text = bench.text().replace("A = 1", f"A = {a}").replace("B = on", f"B = {b}")
        (bench.workspace / "train.py").write_text(text + "print('more')\n")
        bench.decide(status=Status.DISCARD, value=5.0, commit=bench.commit(), proposer="claude")
    assert dict(bench.step().parameters) == {"A": "3", "B": "off"}, "the only one left"
    with pytest.raises(SearchExhausted):
        bench.propose()


def test_a_candidate_without_the_declarations_is_no_point(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"train.py": SMALL})
    for text in ("A = 2\n", "A = 2  # tune: 9..1\nB = on  # tune: {on, off}\n"):
        bench.store.lay_out(bench.workspace, bench.index, bench.parent)
        (bench.workspace / "train.py").write_text(text)
        bench.decide(status=Status.DISCARD, value=5.0, commit=bench.commit(), proposer="claude")
    assert len([bench.step() for _ in range(5)]) == 5


def test_an_interrupted_point_is_not_lost(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"train.py": TRAIN})
    first = bench.step(status=Status.INTERRUPTED, value=None)
    assert bench.propose().parameters == first.parameters


def test_a_point_that_is_still_being_measured_is_not_proposed_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"train.py": SMALL})
    points = []
    for _ in range(5):
        proposal = bench.propose()
        points.append(tuple(proposal.parameters.values()))
        trial = bench.trial(phase="proposed", parameters=proposal.parameters)
        bench.state.trials[trial.number] = trial
    assert len({("1", "on"), *points}) == 6


def test_after_a_restart_it_proposes_what_it_would_have_proposed(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"train.py": TRAIN})
    source = random.Random(0)
    for _ in range(15):
        bench.step(value=source.random(), status=source.choice([Status.DISCARD, Status.CHECK]))
    expected = bench.propose()
    bench.tune = Tune(bench.context)
    assert bench.propose() == expected


def test_nothing_is_forgotten_when_the_state_keeps_only_the_last_trials(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"train.py": SMALL})
    bench.step()
    for _ in range(3):  # others work meanwhile, and the state drops what is old
        bench.decide(status=Status.NO_CHANGE, commit=bench.parent, proposer="claude")
    for number in range(3):
        del bench.state.trials[number]
    bench.trial = lambda **known: replace(  # type: ignore[method-assign]
        Trial(number=len(bench.trials), epoch=1, phase="applied"), **known
    )
    seen = [tuple(bench.step().parameters.values()) for _ in range(4)]
    assert len({*seen, tuple(bench.trials[1].parameters.values()), ("1", "on")}) == 6


def test_a_new_epoch_starts_anew_but_knows_its_baseline(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"train.py": SMALL})
    old = {tuple(bench.step().parameters.values()) for _ in range(5)}
    bench.state.epoch, bench.state.baseline_value = 2, 50.0
    new = {tuple(bench.step().parameters.values()) for _ in range(5)}
    assert new == old
    with pytest.raises(SearchExhausted):
        bench.propose()


def test_a_range_that_the_user_changed_counts_and_old_points_outside_it_do_no_harm(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path, {"train.py": "A = 1  # tune: 1..9\n"})
    for _ in range(4):
        bench.step()
    bench.store.lay_out(bench.workspace, bench.index, bench.parent)
    (bench.workspace / "train.py").write_text("A = 1  # tune: 20..22\n")
    bench.parent = bench.commit()
    assert {bench.step().parameters["A"] for _ in range(3)} == {"20", "21", "22"}


def test_higher_can_be_better(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"f.py": "X = 0.5  # tune: 0..1\n"})
    table = {"target": ["**"], "evaluate": {"metric": "score", "direction": "higher"}}
    bench.tune = Tune(replace(bench.context, config=validate(table, "config.toml")))
    bench.trials[0] = replace(bench.trials[0], value=0.5)
    found: list[float] = []
    for _ in range(25):
        proposal = bench.propose()
        found.append(float(proposal.parameters["X"]))
        bench.decide(status=Status.DISCARD, value=found[-1], parameters=proposal.parameters)
    assert sum(found[-8:]) / 8 > 0.8


def test_it_changes_only_the_target_and_only_the_value(tmp_path: Path) -> None:
    files = {
        "kernel.c": "#define BLOCK 64 // tune: 8..256 step 8\r\nint x = 3;\r\n",
        "conf/run.yaml": "alpha: 0.3  # tune: 0..1\n",
        "bench.py": "REPEATS = 3  # tune: 1..9\n",
    }
    bench = Bench(tmp_path, files, target=("kernel.c", "conf"))
    proposal = bench.step()
    assert set(proposal.parameters) == {"BLOCK", "alpha"}
    block = proposal.parameters["BLOCK"]
    assert (
        bench.text("kernel.c") == f"#define BLOCK {block} // tune: 8..256 step 8\r\nint x = 3;\r\n"
    )
    assert bench.text("bench.py") == files["bench.py"]


def test_a_binary_file_in_the_target_declares_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"a.py": "A = 1  # tune: 1..9\n"})
    bench.store.lay_out(bench.workspace, bench.index, bench.parent)
    (bench.workspace / "picture.png").write_bytes(b"\x89PNG\xff A = 1 # tune: 1..9")
    bench.parent = bench.commit()
    assert set(bench.propose().parameters) == {"A"}


def test_two_files_may_use_the_same_name(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"a.py": "N = 1  # tune: 1..99\n", "b.py": "N = 1  # tune: 1..99\n"})
    proposal = bench.propose()
    assert set(proposal.parameters) == {"a.py:N", "b.py:N"}
    for name in ("a.py", "b.py"):
        assert bench.text(name) == f"N = {proposal.parameters[f'{name}:N']}  # tune: 1..99\n"


def test_a_target_without_parameters_explains_the_comment(tmp_path: Path) -> None:
    bench = Bench(tmp_path, {"train.py": "LR = 3e-4\n"})
    with pytest.raises(ConfigError, match=r"LR = 3e-4  # tune: 1e-5\.\.1e-2 log"):
        bench.propose()


def test_without_optuna_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path, {"train.py": SMALL})
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(ProposerUnusable, match=r"pip install 'autoresearch\[tune\]'"):
        Tune(bench.context)
