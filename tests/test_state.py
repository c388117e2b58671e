"""Where an experiment stands is what its records add up to, and nothing else."""

import math
from dataclasses import replace

from autoresearch.records import (
    Abandoned,
    Applied,
    Decided,
    EpochOpened,
    Probed,
    Proposed,
    RunFinished,
    SessionOpened,
    Stopped,
    TrialStarted,
)
from autoresearch.state import RECENT, State, fold
from autoresearch.trial import Role, Run, RunStatus, Status


def run(
    value: float | None, *, tree: str = "t", index: int = 0, role: Role = Role.CANDIDATE
) -> Run:
    return Run(
        role=role,
        tree=tree,
        index=index,
        seed=7 + index,
        status=RunStatus.CRASH if value is None else RunStatus.MEASURED,
        metrics={} if value is None else {"cost": value, "peak": 3.0},
        reason="" if value is not None else "exited with status 1",
        seconds=1.5,
        cpu_seconds=1.0,
        peak_mb=20.5,
        gpu_mb=None,
        leftovers=2,
        log=f"trials/{tree}/evaluate.log",
        isolation="none",
    )


def trial(number: int, status: Status, value: float | None = None, **more) -> list:
    """The records of one whole trial."""
    parent, tree = f"c{number - 1}", f"tree{number}"
    numbers = {} if value is None else {"value": value}
    return [
        TrialStarted(n=number, parent=parent, proposer="command", at=100.0 * number),
        Proposed(n=number, candidate=f"c{number}", tree=tree, idea=f"idea {number}", **more),
        RunFinished(n=number, run=run(value, tree=tree)),
        Decided(n=number, status=status, reason="r", numbers=numbers, at=100.0 * number + 50),
        Applied(n=number),
    ]


OPENED = [
    SessionOpened(version="1", pid=7, at=1.0),
    EpochOpened(epoch=1, digest="d1", reason="the first", baseline="c0"),
]
BASELINE = trial(0, Status.KEEP, 10.0)


def test_a_new_experiment_stands_nowhere():
    state = fold([])
    assert (state.epoch, state.next_number, state.trial_count) == (0, 0, 0)
    assert state.incumbent_value is None
    assert state.open_trials == state.finished == []


def test_the_baseline_is_the_first_incumbent_and_no_experiment():
    state = fold([*OPENED, *BASELINE])
    assert state.baseline_value == state.incumbent_value == 10.0
    assert (state.incumbent, state.incumbent_tree, state.incumbent_trial) == ("c0", "tree0", 0)
    assert (state.trial_count, state.next_number, state.since_keep) == (0, 1, 0)
    assert state.kept == [(0, 10.0)]


def test_only_what_is_kept_becomes_the_incumbent():
    state = fold(
        [
            *OPENED,
            *BASELINE,
            *trial(1, Status.KEEP, 8.0),
            *trial(2, Status.DISCARD, 9.0),
            *trial(3, Status.CRASH),
        ]
    )
    assert (state.incumbent, state.incumbent_trial, state.incumbent_value) == ("c1", 1, 8.0)
    assert state.baseline_value == 10.0
    assert state.counts == {"keep": 1, "discard": 1, "crash": 1}
    assert (state.trial_count, state.since_keep) == (3, 2)
    assert state.trees == {"tree0": 0, "tree1": 1, "tree2": 2}, "a crash may be tried again"


def test_a_trial_in_flight_is_open_at_every_step():
    records = [*OPENED, *BASELINE, *trial(1, Status.KEEP, 8.0)]
    phases = []
    state = State()
    for record in records:
        state.apply(record)
        phases.append([t.phase for t in state.open_trials])
    assert phases[2:7] == [["started"], ["proposed"], ["proposed"], ["decided"], []]
    assert phases[7:] == [["started"], ["proposed"], ["proposed"], ["decided"], []]


def test_where_the_branch_stands_is_known_between_a_decision_and_its_effect():
    """A crash in between: the next start moves the branch from there, and from nowhere else."""
    *decided, applied = trial(1, Status.KEEP, 8.0)
    state = fold([*OPENED, *BASELINE, *decided])
    assert (state.incumbent, state.branch_at) == ("c1", "c0")
    state.apply(applied)
    assert (state.incumbent, state.branch_at) == ("c1", "c1")


def test_a_trial_shows_the_numbers_of_its_first_run():
    """Later ones, of the candidate or the incumbent, are beside it."""
    state = fold([*OPENED, *BASELINE, *trial(1, Status.DISCARD, 12.0)[:3]])
    state.apply(RunFinished(n=1, run=run(13.0, tree="tree1", index=1)))
    state.apply(RunFinished(n=1, run=run(10.0, tree="tree0", role=Role.INCUMBENT)))
    assert state.trials[1].metrics["cost"] == 12.0
    assert [one.metrics["cost"] for one in state.trials[1].runs] == [12.0, 13.0, 10.0]


def test_what_a_trial_took_and_said_is_kept_in_full():
    more = {"dropped": ("notes.md",), "parameters": {"lr": "0.1"}, "cost_usd": 0.25}
    state = fold([*OPENED, *BASELINE, *trial(1, Status.DISCARD, 12.0, **more)])
    found = state.trials[1]
    assert (found.idea, found.reason, found.value) == ("idea 1", "r", 12.0)
    assert found.metrics == {"cost": 12.0, "peak": 3.0}
    assert found.seconds == 50.0
    assert (found.dropped, found.parameters, found.cost_usd) == (("notes.md",), {"lr": "0.1"}, 0.25)
    assert state.cost_usd == 0.25
    assert found.isolation == "none"


def test_a_mended_candidate_is_judged_by_its_own_runs_and_costs_both_calls():
    started, proposed, crashed, *_ = trial(1, Status.CRASH, cost_usd=0.5)
    mended = replace(proposed, attempt=1, candidate="c1fix", tree="tree1fix", cost_usd=0.25)
    state = fold([*OPENED, *BASELINE, started, proposed, crashed, mended])
    assert state.trials[1].runs == ()
    assert state.trials[1].commit == "c1fix"
    assert state.trials[1].cost_usd == state.cost_usd == 0.75
    state.apply(RunFinished(n=1, run=run(7.0, tree="tree1fix"), attempt=1))
    state.apply(Decided(n=1, status=Status.KEEP, reason="r", numbers={"value": 7.0}))
    assert (state.incumbent, state.incumbent_tree) == ("c1fix", "tree1fix")


def test_an_abandoned_trial_leaves_no_row_but_its_cost_and_its_number_is_used_again():
    started = TrialStarted(n=1, parent="c0", proposer="claude")
    state = fold([*OPENED, *BASELINE, started, Abandoned(n=1, reason="no network", cost_usd=0.5)])
    assert (state.next_number, state.cost_usd, state.trial_count) == (1, 0.5, 0)
    assert 1 not in state.trials


def test_an_abandoned_number_is_not_used_again_while_a_later_trial_is_open():
    lanes = [TrialStarted(n=n, parent="c0", proposer="claude", lane=n) for n in (1, 2)]
    state = fold([*OPENED, *BASELINE, *lanes, Abandoned(n=1, reason="no network")])
    assert state.next_number == 3
    assert [t.number for t in state.open_trials] == [2]
    state = fold([*OPENED, *BASELINE, *lanes, Abandoned(n=2, reason="no network")])
    assert state.next_number == 2


def test_a_stopped_trial_is_no_sign_that_the_search_is_stuck():
    state = fold([*OPENED, *BASELINE, *trial(1, Status.DISCARD, 11.0)])
    before = state.since_keep
    for record in trial(2, Status.INTERRUPTED):
        state.apply(record)
    assert state.since_keep == before
    assert state.counts["interrupted"] == 1


def test_a_new_epoch_starts_with_fresh_numbers_and_forgets_old_duplicates():
    state = fold([*OPENED, *BASELINE, *trial(1, Status.KEEP, 8.0)])
    again = RunFinished(n=1, run=run(80.0, tree="tree1"), epoch=2)
    state.apply(again)
    assert state.trials[1].runs[-1].metrics["cost"] == 8.0, "measured for the new epoch"
    state.apply(
        EpochOpened(
            epoch=2,
            digest="d2",
            reason="changed",
            baseline="c0x",
            incumbent="c1x",
            incumbent_tree="tree1x",
            incumbent_trial=1,
            baseline_value=100.0,
            incumbent_value=80.0,
        )
    )
    assert (state.epoch, state.digest) == (2, "d2")
    assert (state.incumbent, state.branch_at) == ("c1x", "c1"), "the branch is still to be moved"
    assert (state.baseline_value, state.incumbent_value) == (100.0, 80.0)
    assert state.trees == {"tree1x": 1}
    for record in trial(2, Status.DISCARD, 90.0):
        state.apply(replace(record, epoch=2) if isinstance(record, RunFinished) else record)
    assert state.branch_at == "c1x"
    assert state.trials[2].epoch == 2
    assert state.trials[2].metrics["cost"] == 90.0


def test_why_the_last_session_ended_is_known_until_the_next_begins():
    state = fold([*OPENED, Stopped(reason="Ctrl-C", exit_code=130)])
    assert state.stop_reason == "Ctrl-C"
    state.apply(SessionOpened(version="1", pid=8))
    assert state.stop_reason == ""


def test_a_long_experiment_keeps_its_counts_and_the_last_trials_only():
    records = [*OPENED, *BASELINE]
    for number in range(1, RECENT + 101):
        records += trial(number, Status.DISCARD, 11.0)
    state = fold(records)
    assert list(state.trials) == list(range(101, RECENT + 101))
    assert state.trial_count == RECENT + 100
    assert state.trees["tree5"] == 5, "a duplicate of an old trial is still one"
    assert len(fold(records, keep_all=True).trials) == RECENT + 101


def test_a_trial_left_open_is_not_forgotten_however_many_come_after_it():
    records = [*OPENED, *BASELINE, TrialStarted(n=1, parent="c0", proposer="command")]
    for number in range(2, RECENT + 50):
        records += trial(number, Status.DISCARD, 11.0)
    state = fold(records)
    assert [t.number for t in state.open_trials] == [1]


def test_a_state_comes_back_from_its_summary_with_every_field():
    records = [
        *OPENED,
        *BASELINE,
        Probed(value=None, target_is_measured=True),
        *trial(1, Status.KEEP, 8.0, dropped=("a", "caf\udce9"), parameters={"lr": "0.1"}),
        *trial(2, Status.CRASH, cost_usd=0.5, invalid="x is a FIFO"),
        *trial(3, Status.DISCARD, 1e308),
        TrialStarted(n=4, parent="c1", proposer="tune"),
        Proposed(n=4, candidate="c4", tree="tree4", idea="öpen\n\u2028", seconds=3.0),
        RunFinished(n=4, run=run(9.0, tree="tree4", index=1)),
        RunFinished(n=4, run=run(9.5, tree="tree1", role=Role.INCUMBENT)),
        Stopped(reason="the disk is full"),
    ]
    state = fold(records)
    default = State()
    same = [name for name in vars(state) if vars(state)[name] == vars(default)[name]]
    assert same == ["keep_all"], "the story must fill every field"

    copy = State.from_json(state.to_json())

    assert copy == state
    assert isinstance(copy.trials[1].status, Status)
    assert isinstance(copy.trials[4].runs[1].role, Role)
    assert copy.kept == [(0, 10.0), (1, 8.0)]
    more = trial(4, Status.KEEP, 5.0)[3:]
    for record in more:
        state.apply(record)
        copy.apply(record)
    assert copy == state


def test_numbers_survive_the_summary_exactly():
    value = math.pi * 1e-17
    state = fold([*OPENED, *trial(0, Status.KEEP, value)])
    assert State.from_json(state.to_json()).incumbent_value == value
