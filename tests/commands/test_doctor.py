"""`autoresearch doctor`: a damaged record is named, and mended without losing anything more."""

import json

import pytest
from filelock import FileLock
from laboratory import Laboratory, Recorded

from autoresearch.commands.doctor import doctor
from autoresearch.commands.log import log
from autoresearch.errors import Locked
from autoresearch.trial import Status


@pytest.fixture
def recorded(laboratory: Laboratory) -> Recorded:
    recorded = laboratory.experiment()
    recorded.baseline(10.0)
    recorded.trial(Status.KEEP, 8.0, "cache the regex")
    recorded.trial(Status.DISCARD, 9.0, "unroll the loop")
    return recorded


def test_a_whole_journal_is_said_to_be_whole(
    laboratory: Laboratory, recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor(laboratory.root, None, False) == 0
    assert "engineering/speed: the journal is whole (2 trials)." in capsys.readouterr().out


def test_a_damaged_line_is_named_and_nothing_is_changed(
    laboratory: Laboratory, recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded.damage(8)
    before = recorded.experiment.files.journal.read_bytes()
    assert doctor(laboratory.root, None, False) == 5
    assert "Line 8 of" in capsys.readouterr().out
    assert recorded.experiment.files.journal.read_bytes() == before


def test_repair_keeps_a_copy_and_the_log_can_be_read_again(
    laboratory: Laboratory, recorded: Recorded, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded.damage(8)
    before = recorded.experiment.files.journal.read_bytes()
    assert doctor(laboratory.root, None, True) == 0
    assert "dropped 1 damaged line" in capsys.readouterr().out
    (copy,) = recorded.experiment.directory.glob("journal.jsonl.damaged-*")
    assert copy.read_bytes() == before
    assert doctor(laboratory.root, None, False) == 0
    capsys.readouterr()
    log(laboratory.root, None, None, False, "json", None, None, None, 0, False)
    assert len(json.loads(capsys.readouterr().out)["trials"]) == 3
    rows = recorded.experiment.files.results.read_text().splitlines()
    assert len(rows) == 1 + 3


def test_repair_leaves_the_lock_free_for_the_next_run(
    laboratory: Laboratory, recorded: Recorded
) -> None:
    recorded.damage(8)
    doctor(laboratory.root, None, True)
    with FileLock(recorded.experiment.lock_path).acquire(blocking=False):
        pass


def test_repair_waits_for_no_run_and_disturbs_none(
    laboratory: Laboratory, recorded: Recorded
) -> None:
    recorded.damage(8)
    before = recorded.experiment.files.journal.read_bytes()
    with FileLock(recorded.experiment.lock_path), pytest.raises(Locked, match="autoresearch stop"):
        doctor(laboratory.root, None, True)
    assert recorded.experiment.files.journal.read_bytes() == before


def test_repair_of_everything_leaves_whole_journals_alone(
    laboratory: Laboratory, recorded: Recorded
) -> None:
    other = laboratory.experiment("engineering/size")
    other.baseline(1.0)
    recorded.damage(8)
    with FileLock(other.experiment.lock_path):
        assert doctor(laboratory.root, None, True) == 0
