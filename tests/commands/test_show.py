"""`autoresearch show`, `diff` and `compare`: what exactly was tried, and what it did."""

import json

import pytest
from laboratory import Laboratory, Recorded

from autoresearch.commands.compare import compare
from autoresearch.commands.diff import diff
from autoresearch.commands.show import show
from autoresearch.errors import ConfigError, GitError, UsageError
from autoresearch.state import RECENT
from autoresearch.trial import Status


@pytest.fixture
def recorded(laboratory: Laboratory) -> Recorded:
    """A baseline, a discarded and a kept trial, and one that crashed."""
    recorded = laboratory.experiment()
    recorded.baseline(10.0, peak_mb=100.0)
    recorded.trial(Status.DISCARD, 11.0, "unroll the loop", reason="no better", peak_mb=90.0)
    recorded.trial(Status.KEEP, 8.0, "cache the regex", reason="better", peak_mb=150.0)
    recorded.trial(
        Status.CRASH, None, "use simd", reason="exit status 1", log="start\n\x1b[31mboom\n"
    )
    return recorded


def test_a_trial_is_shown_with_its_idea_its_numbers_its_change_and_the_way_back(
    laboratory: Laboratory, recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    assert show(laboratory.root, None, "2", False) == 0
    printed = capsys.readouterr().out
    assert "Trial 2 of engineering/speed: keep" in printed
    assert "cache the regex" in printed
    assert "8, the best then was 10 (+20.0%)" in printed
    assert "peak_mb" in printed
    assert "handler.py" in printed
    assert "-speed = 0\n+speed = 2\n" in printed
    assert "autoresearch restore 2 -e engineering/speed" in printed


def test_a_crash_is_shown_with_the_end_of_its_log_which_cannot_colour_the_terminal(
    laboratory: Laboratory, recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    show(laboratory.root, None, "#3", False)
    printed = capsys.readouterr().out
    assert "exit status 1" in printed
    assert "candidate-0/evaluate.log" in printed
    assert "boom" in printed
    assert "\x1b" not in printed


@pytest.mark.parametrize(("word", "number"), [("best", 2), ("baseline", 0), ("#1", 1)])
def test_trials_have_words(
    word: str,
    number: int,
    laboratory: Laboratory,
    recorded: Recorded,
    capsys: pytest.CaptureFixture[str],
) -> None:
    show(laboratory.root, None, word, True)
    assert json.loads(capsys.readouterr().out)["trial"] == number


def test_json_holds_the_diff_and_the_value_that_had_to_be_beaten(
    laboratory: Laboratory, recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    show(laboratory.root, None, "1", True)
    content = json.loads(capsys.readouterr().out)
    assert content["incumbent_value"] == 10.0
    assert content["change_percent"] == -10.0
    assert content["files"] == ["handler.py"]
    assert "+speed = 1" in content["diff"]
    assert content["metrics"] == {"p50_ms": 11.0, "peak_mb": 90.0}


def test_an_old_trial_is_found_in_a_long_journal(
    laboratory: Laboratory, recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    from autoresearch.records import Applied, Decided, TrialStarted

    with recorded.history() as history:
        for number in range(4, RECENT + 10):
            history.append(TrialStarted(n=number, parent=recorded.head, proposer="command"))
            history.append(Decided(n=number, status=Status.NO_CHANGE, reason="nothing changed"))
            history.append(Applied(n=number))
    show(laboratory.root, None, "1", False)
    assert "unroll the loop" in capsys.readouterr().out


def test_a_trial_that_never_was_is_a_sentence(laboratory: Laboratory, recorded: Recorded) -> None:
    with pytest.raises(ConfigError, match="no trial 9: the last one is 3"):
        show(laboratory.root, None, "9", False)
    with pytest.raises(UsageError, match="`best` or `baseline`"):
        show(laboratory.root, None, "latest", False)


def test_no_trials_at_all_is_a_sentence(laboratory: Laboratory) -> None:
    laboratory.experiment()
    with pytest.raises(ConfigError, match="no trials yet"):
        show(laboratory.root, None, "best", False)


def test_without_its_commit_a_trial_is_still_shown(
    laboratory: Laboratory, recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    remove_loose_objects(laboratory, recorded)
    assert show(laboratory.root, None, "2", False) == 0
    printed = capsys.readouterr().out
    assert "cache the regex" in printed
    assert "No diff: The commit" in printed


def test_diff_of_one_trial_is_what_it_changed(
    laboratory: Laboratory, recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    assert diff(laboratory.root, None, "3", None) == 0
    assert "-speed = 2\n+speed = 3\n" in capsys.readouterr().out


def test_diff_of_two_trials_goes_from_the_first_to_the_second(
    laboratory: Laboratory, recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    diff(laboratory.root, None, "baseline", "best")
    assert "-speed = 0\n+speed = 2\n" in capsys.readouterr().out


def test_diff_of_the_baseline_alone_says_what_to_write(
    laboratory: Laboratory, recorded: Recorded
) -> None:
    with pytest.raises(UsageError, match="autoresearch diff baseline best"):
        diff(laboratory.root, None, "baseline", None)


def test_diff_says_when_a_commit_is_gone(laboratory: Laboratory, recorded: Recorded) -> None:
    remove_loose_objects(laboratory, recorded)
    with pytest.raises(GitError, match="was deleted, or this is another clone"):
        diff(laboratory.root, None, "2", None)


def test_compare_of_two_trials_is_old_new_and_difference(
    laboratory: Laboratory, recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(laboratory.root, None, ["baseline", "best"], True) == 0
    assert json.loads(capsys.readouterr().out) == {
        "p50_ms": {"old": 10.0, "new": 8.0, "diff": -2.0},
        "peak_mb": {"old": 100.0, "new": 150.0, "diff": 50.0},
    }


def test_compare_of_more_is_keyed_by_trial_and_null_where_a_metric_is_missing(
    laboratory: Laboratory, recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    compare(laboratory.root, None, ["0", "2", "3"], True)
    content = json.loads(capsys.readouterr().out)
    assert list(content) == ["2", "3"]
    assert content["3"]["p50_ms"] == {"old": 10.0, "new": None, "diff": None}


def test_compare_says_in_words_which_way_the_metric_went(
    laboratory: Laboratory, recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    compare(laboratory.root, None, ["baseline", "1", "best"], False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["NAME", "BASELINE", "#1", "CHANGE", "#2", "CHANGE"]
    assert lines[1].split() == ["p50_ms", "10", "11", "10.0%", "worse", "8", "20.0%", "better"]
    assert lines[2].split() == ["peak_mb", "100", "90", "-10.0%", "150", "+50.0%"]


def test_compare_needs_two(laboratory: Laboratory, recorded: Recorded) -> None:
    with pytest.raises(UsageError, match="at least two"):
        compare(laboratory.root, None, ["1"], False)


def remove_loose_objects(laboratory: Laboratory, recorded: Recorded) -> None:
    """Lose the commits of all candidates, as a clone that never had them."""
    for number in (1, 2, 3):
        commit, _ = _commit_of(recorded, number)
        (laboratory.root / ".git" / "objects" / commit[:2] / commit[2:]).unlink()


def _commit_of(recorded: Recorded, number: int) -> tuple[str, str]:
    with recorded.history() as history:
        trial = history.state.trials[number]
    return trial.commit, trial.tree
