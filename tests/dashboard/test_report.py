"""What the numbers of a report mean."""

import pytest
from made_reports import NOW, make_report, trial_records

from autoresearch.dashboard import plain
from autoresearch.dashboard.report import choose_trials, counted
from autoresearch.goal import Goal
from autoresearch.records import EpochOpened
from autoresearch.state import fold
from autoresearch.trial import Status


@pytest.mark.parametrize(
    ("last_seen", "is_running", "activity"),
    [
        (60, False, "active"),
        (3 * 3600, False, "paused"),
        (3 * 86400, False, "done"),
        (3 * 86400, True, "active"),
    ],
)
def test_an_experiment_is_active_while_it_runs_and_then_grows_old(
    last_seen: float, is_running: bool, activity: str
) -> None:
    rows = (Status.KEEP, 1.0, "baseline")
    report = make_report(rows, last_seen=last_seen, is_running=is_running)
    assert report.activity == activity


def test_an_experiment_without_rows_is_idle() -> None:
    assert make_report().activity == "idle"


def test_the_counts_leave_the_baseline_out_and_add_up() -> None:
    report = make_report(
        (Status.KEEP, 10.0, "baseline"),
        (Status.KEEP, 9.0, "a"),
        (Status.DISCARD, 11.0, "b"),
        (Status.TIMEOUT, None, "c"),
        (Status.NO_CHANGE, None, "d"),
    )
    assert (report.runs, report.kept, report.discarded, report.failed) == (4, 1, 1, 1)
    assert report.rows == 5
    assert counted(report) == "4 trials: 1 kept, 1 discarded, 1 timed out, 1 without change"


def test_trials_that_were_measured_another_way_have_no_change_and_are_not_among_the_best() -> None:
    records = [EpochOpened(epoch=1, digest="a", reason="", baseline="b" * 40, at=NOW)]
    records += trial_records(0, (Status.KEEP, 100.0, "baseline"), NOW)
    records += trial_records(1, (Status.KEEP, 1.0, "good in another way"), NOW)
    second = EpochOpened(
        epoch=2,
        digest="c",
        reason="the evaluator was changed",
        baseline="b" * 40,
        incumbent="1" * 40,
        incumbent_tree="tree1",
        incumbent_trial=1,
        baseline_value=50.0,
        incumbent_value=40.0,
        at=NOW,
    )
    records += [second, *trial_records(2, (Status.DISCARD, 45.0, "later"), NOW)]
    state = fold(records, keep_all=True)
    best = choose_trials(state, Goal("p50_ms"), top=5)
    assert [trial.number for trial in best] == [2]


def test_trials_can_be_chosen_by_status_by_rank_and_from_the_end() -> None:
    records = [EpochOpened(epoch=1, digest="a", reason="", baseline="b" * 40, at=NOW)]
    rows = [
        (Status.KEEP, 10.0, "baseline"),
        (Status.DISCARD, 12.0, "a"),
        (Status.KEEP, 8.0, "b"),
        (Status.CRASH, None, "c"),
    ]
    for number, row in enumerate(rows):
        records += trial_records(number, row, NOW)
    state = fold(records, keep_all=True)

    def numbers(**filters: object) -> list[int]:
        chosen = choose_trials(state, Goal("p50_ms"), **filters)  # type: ignore[arg-type]
        return [trial.number for trial in chosen]

    assert numbers(status="keep") == [0, 2]
    assert numbers(top=2) == [2, 0]
    assert numbers(count=2) == [2, 3]
    assert numbers() == [0, 1, 2, 3]


def test_a_crash_says_why_beside_its_idea() -> None:
    report = make_report((Status.KEEP, 1.0, "baseline"), (Status.CRASH, None, "use simd"))
    assert "use simd: exit status 1" in plain.experiment(report)
