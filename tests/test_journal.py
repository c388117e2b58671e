"""The record survives what crashes, full disks and bad memory do to a file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from autoresearch.errors import Protected
from autoresearch.journal import Journal
from autoresearch.records import Applied, Decided, Proposed, SessionOpened, TrialStarted
from autoresearch.trial import Status

NEEDS_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")


def records() -> list:
    return [
        SessionOpened(version="1", pid=7),
        TrialStarted(n=1, parent="p" * 40, proposer="command"),
        Proposed(n=1, candidate="c" * 40, tree="t" * 40, idea="größer, \u2028 in two\nlines"),
        Decided(n=1, status=Status.KEEP, reason="better", numbers={"value": 1.5}),
        Applied(n=1),
    ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def written(path: Path, some: list | None = None) -> bytes:
    journal = Journal(path)
    for record in records() if some is None else some:
        journal.append(record, sync=True)
    journal.close()
    return path.read_bytes()


def kinds(path: Path) -> list[str]:
    return [line.record.type for line in Journal(path).read()]


def test_what_was_appended_is_read_in_order(path):
    written(path)
    assert kinds(path) == ["session", "started", "proposed", "decided", "applied"]
    found = [line.record for line in Journal(path).read()]
    assert found[2].idea == "größer, \u2028 in two\nlines"
    assert found[3].numbers == {"value": 1.5}
    assert all(record.at > 1.7e9 for record in found)


def test_a_name_that_is_not_utf_8_does_not_end_the_run(path):
    awkward = Proposed(n=1, candidate="c", tree="t", idea="caf\udce9", dropped=("caf\udce9.txt",))
    written(path, [awkward])
    (line,) = Journal(path).read()
    assert line.record.dropped[0].startswith("caf")
    path.read_bytes().decode("utf-8")


def test_reading_can_go_on_where_it_ended(path):
    written(path)
    lines = list(Journal(path).read())
    assert [line.record.type for line in Journal(path).read(lines[2].end)] == ["decided", "applied"]
    assert lines[-1].end == path.stat().st_size == Journal(path).end


def test_an_experiment_without_a_journal_has_an_empty_record(path):
    journal = Journal(path)
    assert list(journal.read()) == []
    assert journal.cut_torn_line() == 0
    assert journal.repair() == (0, None)
    assert journal.checksum(None) == 0
    assert not path.exists(), "looking at it must not make it"


def test_a_crash_at_any_byte_of_the_last_line_costs_that_line_only(path):
    whole = written(path)
    start = whole.rstrip(b"\n").rfind(b"\n") + 1
    for end in range(start, len(whole)):
        path.write_bytes(whole[:end])
        assert kinds(path) == ["session", "started", "proposed", "decided"]

        journal = Journal(path)
        assert journal.cut_torn_line() == end - start
        assert path.read_bytes() == whole[:start]

        journal.append(Applied(n=9))
        journal.close()
        assert kinds(path) == ["session", "started", "proposed", "decided", "applied"]


def test_a_torn_line_longer_than_a_block_is_found(path):
    whole = written(path)
    with path.open("ab") as file:
        file.write(b'{"type":"proposed"' + b"x" * 200_000)
    assert Journal(path).cut_torn_line() == 200_018
    assert path.read_bytes() == whole


def test_a_journal_that_is_one_torn_line_becomes_empty(path):
    path.write_bytes(b'{"type":"session"')
    assert Journal(path).cut_torn_line() == 17
    assert path.read_bytes() == b""


@pytest.mark.parametrize("line", [1, 2, 3, 4, 5])
def test_one_flipped_bit_is_refused_with_the_line_and_touches_nothing(path, line):
    lines = written(path).splitlines(keepends=True)
    for position in range(0, len(lines[line - 1]) - 1, 7):
        flipped = bytearray(lines[line - 1])
        flipped[position] ^= 4
        damaged = b"".join([*lines[: line - 1], bytes(flipped), *lines[line:]])
        path.write_bytes(damaged)
        with pytest.raises(Protected, match=rf"Line {line} of .*doctor --repair") as caught:
            kinds(path)
        assert caught.value.exit_code == 5
        assert Journal(path).cut_torn_line() == 0
        assert path.read_bytes() == damaged


@pytest.mark.parametrize(
    "damage",
    [
        b"\n",
        b"{}\n",
        b"garbage\n",
        b"\x00" * 300 + b"\n",
        b'{"type":"unknown","crc":"00000000"}\n',
        b"\xff\xfe\r\n",
    ],
)
def test_a_foreign_line_in_the_middle_is_refused(path, damage):
    first, *rest = written(path).splitlines(keepends=True)
    path.write_bytes(b"".join([first, damage, *rest]))
    with pytest.raises(Protected, match="Line 2 of"):
        kinds(path)


def test_a_line_with_the_right_checksum_and_a_wrong_content_is_refused(path):
    from autoresearch.journal import _seal

    path.write_bytes(_seal(b'{"type":"applied","n":"many"}'))
    with pytest.raises(Protected, match="Line 1 of"):
        kinds(path)


def test_a_repair_drops_the_damaged_lines_and_keeps_a_copy_of_all(path):
    lines = written(path).splitlines(keepends=True)
    damaged = b"".join([lines[0], b"dam\raged\n", *lines[1:3], lines[3][:-9] + b"\n", lines[4]])
    path.write_bytes(damaged)

    dropped, copy = Journal(path).repair()

    assert dropped == 2
    assert copy.read_bytes() == damaged
    assert kinds(path) == ["session", "started", "proposed", "applied"]
    assert sorted(path.parent.iterdir()) == sorted([path, copy])


def test_a_whole_journal_is_not_rewritten_by_a_repair(path):
    before = written(path), path.stat().st_ino
    assert Journal(path).repair() == (0, None)
    assert (path.read_bytes(), path.stat().st_ino) == before


def test_an_open_journal_goes_on_in_the_repaired_file(path):
    journal = Journal(path)
    for record in records():
        journal.append(record)
    path.write_bytes(path.read_bytes().replace(b"command", b"commend"))
    assert journal.repair()[0] == 1
    journal.append(Applied(n=2))
    assert kinds(path) == ["session", "proposed", "decided", "applied", "applied"]


def test_the_checksum_that_appending_carries_on_is_that_of_the_file(path):
    journal, checksum = Journal(path), 0
    for record in records():
        _, checksum = journal.append(record, checksum)
    assert checksum == journal.checksum(None) == journal.checksum(path.stat().st_size)
    assert journal.checksum(10) != checksum
    assert journal.checksum(0) == 0


def test_a_journal_is_told_from_another_by_its_last_line(path, tmp_path):
    written(path)
    journal, end = Journal(path), path.stat().st_size
    seal = journal.seal_before(end)
    assert seal
    assert journal.seal_before(0) == journal.seal_before(end - 1) == ""
    assert journal.seal_before(end + 1) != seal
    other = Journal(tmp_path / "other.jsonl")
    assert other.seal_before(end) == ""
    other.append(SessionOpened(version="another", pid=8))
    assert other.seal_before(other.end) not in ("", seal)


def test_a_child_process_does_not_hold_the_journal_open(path):
    journal = Journal(path)
    journal.append(Applied(n=1))
    flags = [os.get_inheritable(fd) for fd in range(3, 64) if _is(fd, path)]
    assert flags == [False]


def _is(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


# Disks that are full

APPEND_UNTIL_REFUSED = """
import resource, signal, sys
from pathlib import Path
from autoresearch.errors import Protected
from autoresearch.journal import Journal
from autoresearch.records import Applied

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path(sys.argv[1])
if len(sys.argv) > 2:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
journal, done = Journal(path), 0
try:
    while done < 100_000:
        journal.append(Applied(n=done), sync=True)
        done += 1
except Protected as error:
    print(done, error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    if len(sys.argv) > 2:
        journal.append(Applied(n=-1))
"""


def append_until_refused(*arguments: object) -> tuple[int, str]:
    answer = subprocess.run(
        [sys.executable, "-c", APPEND_UNTIL_REFUSED, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=True,
    )
    count, _, message = answer.stdout.partition(" ")
    return int(count), message


@NEEDS_LINUX
@pytest.mark.parametrize("extra", [0, 1, 30, 58, 59])
def test_a_write_that_comes_short_leaves_the_earlier_records_whole(path, extra):
    count, message = append_until_refused(path, 1000 + extra)
    assert count > 10
    assert "Free some space" in message
    numbers = [line.record.n for line in Journal(path).read()]
    assert numbers == [*range(count), -1], "and what comes after there is space again follows"


@NEEDS_LINUX
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_full_disk_stops_the_run_and_costs_no_record(tmp_path):
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting is not allowed here")
    try:
        count, message = append_until_refused(place / "journal.jsonl")
        assert count > 100
        assert "No space left" in message
        found = [line.record.n for line in Journal(place / "journal.jsonl").read()]
        assert found == list(range(count))
        assert Journal(place / "journal.jsonl").cut_torn_line() == 0
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_journal_that_cannot_be_written_says_so(tmp_path):
    with pytest.raises(Protected, match="cannot be written"):
        Journal(tmp_path / "nowhere" / "journal.jsonl").append(Applied(n=1))
