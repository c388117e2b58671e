"""results.tsv: one row a trial, whatever was printed, named or cut short."""

import os
import sys
from pathlib import Path

import pytest

from autoresearch import results
from autoresearch.errors import Protected
from autoresearch.trial import Status, Trial


def trial(number: int, **fields) -> Trial:
    fields = {
        "status": Status.KEEP,
        "phase": "applied",
        "parent": "p" * 40,
        "proposer": "command",
        "commit": f"{number:040x}"[::-1],
        "idea": f"idea {number}",
        "value": 1.5,
        "metrics": {"cost": 1.5},
        "started_at": 1_700_000_000.0,
        "finished_at": 1_700_000_002.5,
        "isolation": "none",
    } | fields
    return Trial(number=number, **fields)


def numbers(path: Path) -> list[int]:
    header, *rows = path.read_text().splitlines()
    assert header == results.HEADER.strip("\n")
    for row in rows:
        assert len(row.split("\t")) == len(results.COLUMNS), row
    return [int(row.split("\t")[4]) for row in rows]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results.tsv"


def test_a_row_is_what_readers_of_the_earlier_files_expect():
    assert results.row(trial(3, commit="abcdef0123456789")).split("\t") == [
        "abcdef0",
        "1.500000",
        "keep",
        "idea 3",
        "3",
        "2023-11-14T22:13:22Z",
        "2.500",
        "cost=1.5",
        "ppppppp",
        "command",
        "",
        "none\n",
    ]


def test_what_is_not_there_has_a_cell_all_the_same():
    row = results.row(
        trial(3, value=None, status=Status.CRASH, commit="", parent="", metrics={}, idea="")
    )
    assert row.split("\t")[:4] == ["-", "N/A", "crash", ""]
    assert row.split("\t")[8] == "-"
    assert results.row(trial(3, idea="", reason="exited with status 1")).split("\t")[3] == (
        "exited with status 1"
    )
    assert results.row(trial(3, value=0.0, cost_usd=0.0)).split("\t")[1::9] == [
        "0.000000",
        "0.0000",
    ]


@pytest.mark.parametrize(
    ("idea", "cell"),
    [
        ("two\nlines\tand tabs\r\n", "two lines and tabs"),
        ("\x1b[31mred\x1b[0m\x07", "[31mred [0m"),
        ("a\u2028b\x85c\x00d", "a b c d"),
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@x", "'@x"),
        ("\t =x", "'=x"),
        ("caf\udce9", "caf\\udce9"),
        ("日本語", "日本語"),
        ("x" * 500, "x" * 199 + "…"),
    ],
)
def test_a_description_from_an_agent_breaks_no_row_and_runs_in_no_spreadsheet(path, idea, cell):
    results.append(path, trial(1, idea=idea, proposer="a\tb", metrics={"m\n;x": 1.0}))
    assert numbers(path) == [1]
    row = path.read_text().splitlines()[1].split("\t")
    assert row[3] == cell
    assert row[7] == "m ,x=1"
    assert row[9] == "a b"


def test_rows_missed_in_a_crash_are_caught_up_once(path):
    results.append(path, trial(0))
    results.append(path, trial(1))
    decided = [trial(number) for number in range(4)]
    assert results.catch_up(path, decided) == 2
    assert numbers(path) == [0, 1, 2, 3]
    assert results.catch_up(path, iter(decided)) == 0
    assert numbers(path) == [0, 1, 2, 3]


def test_a_row_torn_at_any_byte_is_cut_and_written_again(path):
    decided = [trial(0), trial(1)]
    for one in decided:
        results.append(path, one)
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        results.catch_up(path, decided)
        assert path.read_bytes() == whole


def test_long_rows_are_not_written_twice(path):
    """200 trials are known; with 50 metrics each, their rows are far more than one block."""
    metrics = {f"a rather long name of a metric {n}": n / 7 for n in range(50)}
    decided = [trial(number, metrics=metrics, idea="é" * 199) for number in range(200)]
    for one in decided:
        results.append(path, one)
    assert path.stat().st_size > 500_000
    assert results.catch_up(path, decided) == 0
    with path.open("ab") as file:
        file.write(b"abcdef0\t1.5" + b"x" * 100_000)
    assert results.catch_up(path, [*decided, trial(200)]) == 1
    assert numbers(path) == list(range(201))


def test_a_file_that_the_user_emptied_gets_its_header_again(path):
    path.write_bytes(b"")
    assert results.catch_up(path, [trial(0)]) == 1
    assert numbers(path) == [0]


def test_a_rebuild_replaces_what_was_there(path):
    path.write_text("garbage")
    results.rebuild(path, [trial(0), trial(1)])
    assert numbers(path) == [0, 1]
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux")
def test_a_full_disk_is_said_and_names_the_file(tmp_path):
    full = tmp_path / "results.tsv"
    full.symlink_to("/dev/full")
    with pytest.raises(Protected, match=r"results\.tsv cannot be written .*No space left"):
        results.append(full, trial(1))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_that_may_not_be_written_is_said(path):
    results.append(path, trial(0))
    path.chmod(0o444)
    with pytest.raises(Protected, match="cannot be written"):
        results.catch_up(path, [trial(0), trial(1)])
