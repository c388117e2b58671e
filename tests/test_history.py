"""One experiment's record: whatever became of the files beside it, the journal is the truth."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from autoresearch import history
from autoresearch.errors import Protected
from autoresearch.history import Files, History, read_all, read_state
from autoresearch.records import (
    Abandoned,
    Applied,
    Decided,
    EpochOpened,
    Proposed,
    RunFinished,
    SessionOpened,
    Stopped,
    TrialStarted,
)
from autoresearch.state import State
from autoresearch.trial import Role, Run, RunStatus, Status


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(
        journal=tmp_path / "journal.jsonl",
        results=tmp_path / "results.tsv",
        summary=tmp_path / "summary.json",
    )


def add_trial(record: History, number: int, value: float = 9.0, *, steps: int = 5) -> None:
    """One trial, or its first steps as a killed run leaves them."""
    run = Run(
        role=Role.CANDIDATE,
        tree=f"tree{number}",
        index=0,
        seed=1,
        status=RunStatus.MEASURED,
        metrics={"cost": value},
    )
    status = Status.KEEP if number % 3 == 0 else Status.DISCARD
    records = [
        TrialStarted(n=number, parent="c", proposer="command"),
        Proposed(n=number, candidate=f"c{number}", tree=f"tree{number}", idea=f"idea {number}"),
        RunFinished(n=number, run=run),
        Decided(n=number, status=status, reason="r", numbers={"value": value}),
        Applied(n=number),
    ]
    for one in records[:steps]:
        record.append(one)


def make(files: Files, trials: int) -> State:
    """An experiment with that many trials after the baseline, closed in good order."""
    record = History(files)
    if record.state.epoch == 0:
        record.append(SessionOpened(version="1", pid=1))
        record.append(EpochOpened(epoch=1, digest="d", reason="the first", baseline="c0"))
    for number in range(record.state.next_number, record.state.next_number + trials + 1):
        add_trial(record, number, 10.0 + number)
    record.close()
    return record.state


def rows(files: Files) -> list[int]:
    return [int(line.split("\t")[4]) for line in files.results.read_text().splitlines()[1:]]


def reopened(files: Files) -> State:
    record = History(files)
    record.close()
    return record.state


def everything(state: State) -> dict:
    return asdict(state) | {"keep_all": None}


def test_a_new_experiment_has_an_empty_record_and_leaves_no_file(files):
    assert reopened(files) == State()
    assert read_state(files) == State()
    assert list(files.journal.parent.iterdir()) == []


def test_the_next_start_knows_all_that_the_last_one_knew(files):
    state = make(files, 5)
    assert files.summary.exists()
    assert everything(read_state(files)) == everything(state)
    assert everything(reopened(files)) == everything(state)
    assert everything(read_all(files)) == everything(state)


SUMMARIES = {
    "deleted": lambda text: None,
    "empty": lambda text: "",
    "half": lambda text: text[: len(text) // 2],
    "no line end": lambda text: text[:-1],
    "zeros": lambda text: "\0" * len(text),
    "garbage": lambda text: "hello\nworld\n",
    "a list": lambda text: "[]\n[]\n[]\n",
    "another version": lambda text: text.replace('"version": 1', '"version": 99'),
    "another value": lambda text: text.replace('"incumbent_value": 10.0', '"incumbent_value": 1.0'),
    "an unknown field": lambda text: text.replace('"epoch"', '"epochs"', 1),
    "another offset": lambda text: text.replace('"offset": ', '"offset": 1', 1),
    "a negative offset": lambda text: text.replace('"offset": ', '"offset": -', 1),
    "a text offset": lambda text: text.replace('"offset": ', '"offset": "a", "x": ', 1),
}


@pytest.mark.parametrize("harm", SUMMARIES.values(), ids=SUMMARIES)
def test_the_summary_is_only_a_shortcut(files, harm):
    state = make(files, 5)
    harmed = harm(files.summary.read_text())
    if harmed is None:
        files.summary.unlink()
    else:
        files.summary.write_text(harmed)
    assert everything(read_state(files)) == everything(state)
    assert everything(reopened(files)) == everything(state)
    assert rows(files) == list(range(6))


def test_a_summary_that_is_no_text_is_no_error(files):
    state = make(files, 2)
    files.summary.write_bytes(b"\xff\xfe" * 100)
    assert everything(read_state(files)) == everything(state)
    files.summary.unlink()
    files.summary.mkdir()
    assert everything(read_state(files)) == everything(state)


def test_what_came_after_the_summary_is_read_from_the_journal(files):
    make(files, 3)
    old = files.summary.read_bytes()
    state = make(files, 3)
    files.summary.write_bytes(old)  # as after a kill: the summary is behind
    assert everything(read_state(files)) == everything(state)
    assert everything(reopened(files)) == everything(state)


def test_a_journal_that_lost_its_end_in_a_power_cut_wins_over_the_summary(files):
    make(files, 3)
    whole, behind = files.journal.read_bytes(), files.summary.read_bytes()
    make(files, 3)
    ahead = files.summary.read_bytes()
    files.journal.write_bytes(whole)
    expected = everything(read_all(files))
    assert everything(read_state(files)) == expected
    assert everything(reopened(files)) == expected
    assert ahead != behind


def test_another_journal_that_grew_past_the_old_summary_is_read_from_its_start(files):
    make(files, 2)
    stale = files.summary.read_bytes()
    files.journal.unlink()
    files.results.unlink()
    files.summary.unlink()
    state = make(files, 9)
    files.summary.write_bytes(stale)
    assert everything(read_state(files)) == everything(state), "`status` must not see a mixture"
    assert everything(reopened(files)) == everything(state)


def test_damage_in_the_part_that_the_summary_covers_is_noticed_at_the_next_start(files):
    make(files, 3)
    damaged = files.journal.read_bytes().replace(b"idea 2", b"idea 3")
    files.journal.write_bytes(damaged)
    with pytest.raises(Protected, match="is damaged"):
        History(files)
    assert files.journal.read_bytes() == damaged


def test_a_torn_last_line_is_cut_and_the_trial_goes_on(files):
    state = make(files, 3)
    with files.journal.open("ab") as file:
        file.write(b'{"type":"started","n":4')
    assert everything(read_state(files)) == everything(state), "reading does not write"
    assert files.journal.read_bytes().endswith(b'"n":4')
    assert everything(reopened(files)) == everything(state)
    assert files.journal.read_bytes().endswith(b"}\n")


def test_a_kill_at_any_record_of_a_trial_leaves_one_row_a_trial(files):
    make(files, 2)
    before = {path: path.read_bytes() for path in (files.journal, files.results, files.summary)}
    for steps in range(6):
        for path, content in before.items():
            path.write_bytes(content)
        record = History(files)
        add_trial(record, 3, steps=steps)
        del record  # killed: nothing is closed
        again = History(files)
        assert [t.number for t in again.state.open_trials] == ([3] if 0 < steps < 5 else [])
        assert rows(files) == ([0, 1, 2, 3] if steps == 5 else [0, 1, 2])
        if again.state.open_trials:
            phase = again.state.trials[3].phase
            finish = {"started": 1, "proposed": 3 if steps == 3 else 2, "decided": 4}[phase]
            for one in _rest(3, finish):
                again.append(one)
            assert rows(files) == [0, 1, 2, 3]
        again.close()


def _rest(number: int, done: int) -> list:
    collected: list = []

    class Collector:
        def append(self, one: object) -> None:
            collected.append(one)

    add_trial(Collector(), number)  # type: ignore[arg-type]
    return collected[done:]


def test_a_row_that_a_crash_kept_from_being_written_is_caught_up(files):
    make(files, 3)
    kept = files.results.read_text().splitlines(keepends=True)
    files.results.write_text("".join(kept[:-1]) + kept[-1][:20])
    reopened(files)
    assert files.results.read_text() == "".join(kept)


def test_a_deleted_results_file_comes_back_whole(files):
    make(files, 250)  # more than the state holds in full
    whole = files.results.read_text()
    files.results.unlink()
    reopened(files)
    assert files.results.read_text() == whole


def test_an_abandoned_trial_has_no_row(files):
    record = History(files)
    add_trial(record, 0)
    record.append(TrialStarted(n=1, parent="c", proposer="claude"))
    record.append(Abandoned(n=1, reason="rate limit"))
    add_trial(record, 1)
    record.close()
    assert rows(files) == [0, 1]


def test_a_repair_leaves_a_record_that_can_be_used(files):
    make(files, 4)
    lines = files.journal.read_bytes().splitlines(keepends=True)
    damaged = b"".join([*lines[:9], b"zap\n", *lines[9:], b'{"torn'])
    files.journal.write_bytes(damaged)
    with pytest.raises(Protected, match="Line 10 "):
        read_all(files)

    dropped, copy = history.repair(files)

    assert dropped == 1
    assert copy.read_bytes() == damaged.removesuffix(b'{"torn')
    assert rows(files) == list(range(5))
    assert reopened(files).trial_count == 4
    make(files, 0)
    assert rows(files) == list(range(6))


def test_the_cost_of_a_summary_does_not_grow_with_each_trial(files, monkeypatch):
    monkeypatch.setattr(history, "_SUMMARY_RECORDS", 20)
    record, written, last = History(files), 0, b""
    for number in range(60):
        add_trial(record, number)
        now = files.summary.read_bytes() if files.summary.exists() else b""
        written += now != last
        last = now
    assert 5 < written < 16
    del record  # killed
    assert everything(read_state(files)) == everything(read_all(files))


def test_a_reader_sees_whole_trials_while_another_process_writes(files):
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITE_TRIALS, str(files.journal.parent)], stdout=subprocess.PIPE
    )
    assert writer.stdout.readline() == b"ready\n"
    seen = []
    while writer.poll() is None:
        seen.append(read_state(files).trial_count)
        read_all(files)
    assert writer.returncode == 0
    assert seen == sorted(seen)
    assert read_state(files).trial_count == 199


WRITE_TRIALS = """
import sys
from pathlib import Path
from autoresearch import history
from autoresearch.records import Applied, Decided, TrialStarted
from autoresearch.trial import Status

place = Path(sys.argv[1])
history._SUMMARY_RECORDS = 10
record = history.History(
    history.Files(place / "journal.jsonl", place / "results.tsv", place / "summary.json")
)
print("ready", flush=True)
for number in range(200):
    record.append(TrialStarted(n=number, parent="c", proposer="command"))
    record.append(Decided(n=number, status=Status.DISCARD, reason="r" * 5000))
    record.append(Applied(n=number))
record.close()
"""

FILL_THE_DISK = """
import json, sys
from pathlib import Path
from autoresearch.errors import Protected
from autoresearch.history import Files, History
from autoresearch.records import Applied, Decided, Stopped, TrialStarted
from autoresearch.trial import Status

place = Path(sys.argv[1])
record = History(Files(place / "journal.jsonl", place / "results.tsv", place / "summary.json"))
number = record.state.next_number
try:
    try:
        while True:
            record.append(TrialStarted(n=number, parent="c", proposer="command"))
            record.append(Decided(n=number, status=Status.DISCARD, reason="r" * 50), sync=True)
            record.append(Applied(n=number))
            number += 1
    finally:
        record.close()  # must not hide why it ended
except Protected as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="mounting needs root")
def test_a_full_disk_ends_a_run_with_a_sentence_and_the_next_one_goes_on(tmp_path):
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        (place / "ballast").write_bytes(b"x" * 600_000)
        answer = subprocess.run(
            [sys.executable, "-c", FILL_THE_DISK, str(place)], capture_output=True, text=True
        )
        assert answer.returncode == 0, answer.stderr
        assert "cannot be written (No space left" in answer.stdout
        (place / "ballast").unlink()
        files = Files(place / "journal.jsonl", place / "results.tsv", place / "summary.json")
        count = len(read_all(files).finished)
        assert count > 20
        record = History(files)
        for trial in record.state.open_trials:
            record.append(Decided(n=trial.number, status=Status.INTERRUPTED, reason="r"))
            record.append(Applied(n=trial.number))
        record.append(Stopped(reason="done"))
        record.close()
        assert rows(files) == [t.number for t in read_all(files).finished]
        assert json.loads(files.summary.read_text().splitlines()[1])["stop_reason"] == "done"
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)
