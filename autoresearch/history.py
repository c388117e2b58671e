"""The record of one experiment: its journal, the state that adds up from it, the files beside it.

Reading is quick however long the journal is: a summary of the state stands beside it, and only
what came after the summary is read. The summary can be deleted at any time.
"""

import contextlib
import json
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from autoresearch import results
from autoresearch.journal import Journal
from autoresearch.records import Applied, Record
from autoresearch.state import State, fold
from autoresearch.trial import Trial

# A summary is written when this many records, or this share of all, came after the last one, so
# that its cost per trial stays the same as the journal grows.
_SUMMARY_RECORDS = 1000
_SUMMARY_SHARE = 0.1


@dataclass(frozen=True)
class Files:
    """Where one experiment's record is."""

    journal: Path
    results: Path
    summary: Path


@dataclass(frozen=True)
class _Summary:
    """A state, and how much of which journal it adds up from."""

    offset: int = 0
    checksum: int = 0  # of the journal's first `offset` bytes
    seal: str = ""  # of the last line in them
    state: State = field(default_factory=State)


class History:
    """One experiment's record, open for appending. The caller holds the experiment's lock."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._journal = Journal(files.journal)
        self._journal.cut_torn_line()
        summary = _read_summary(files.summary)
        if self._journal.checksum(summary.offset) != summary.checksum:
            summary = _Summary()
        start, self.state = summary.offset, summary.state
        self._since_summary = 0
        self._total = 0
        for line in self._journal.read(start):
            self.state.apply(line.record)
            self._since_summary += 1
        self._total = self._since_summary + start // 300  # a line is about 300 bytes
        self._checksum = self._journal.checksum(None)
        if files.results.exists():
            results.catch_up(files.results, _applied(self.state))
        elif self.state.trials:
            results.rebuild(files.results, _applied(read_all(files)))

    def append(self, record: Record, *, sync: bool = False) -> None:
        """Write `record`, take it into account, and add a row to results.tsv when a trial ended.

        With `sync`, return only when it is on the disk. Raises Protected when that fails.
        """
        written, self._checksum = self._journal.append(record, self._checksum, sync=sync)
        self.state.apply(written)
        self._since_summary += 1
        self._total += 1
        if isinstance(written, Applied):
            results.append(self._files.results, self.state.trials[written.n])
            if self._since_summary > max(_SUMMARY_RECORDS, _SUMMARY_SHARE * self._total):
                self.write_summary()

    def write_summary(self) -> None:
        """Store the state, so that the next start reads only what comes after."""
        fresh = self._files.summary.with_name(f"{self._files.summary.name}.new")
        end = self._journal.end
        seal = self._journal.seal_before(end)
        head = json.dumps({"offset": end, "checksum": self._checksum, "seal": seal})
        content = f"{head}\n{self.state.to_json()}\n"
        try:
            fresh.write_text(f"{content}{_checksum(content)}\n", encoding="utf-8")
            fresh.replace(self._files.summary)
        except OSError:  # it is only a shortcut: a full disk must not hide why a run ends
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)
            return
        self._since_summary = 0

    def close(self) -> None:
        """Store the summary and close the journal."""
        if self._since_summary:
            self.write_summary()
        self._journal.close()


def read_state(files: Files) -> State:
    """Where an experiment stands now, without a lock and without writing anything."""
    journal, summary = Journal(files.journal), _read_summary(files.summary)
    if journal.seal_before(summary.offset) != summary.seal:
        summary = _Summary()  # of another journal
    for line in journal.read(summary.offset):
        summary.state.apply(line.record)
    return summary.state


def read_all(files: Files) -> State:
    """Like `read_state`, with every trial: reads the whole journal."""
    return fold((line.record for line in Journal(files.journal).read()), keep_all=True)


def repair(files: Files) -> tuple[int, Path | None]:
    """Drop damaged journal lines and derive the other files anew.

    Returns how many lines were dropped, and where the copy of the old journal is.
    """
    journal = Journal(files.journal)
    journal.cut_torn_line()
    dropped, copy = journal.repair()
    files.summary.unlink(missing_ok=True)
    if files.journal.exists():
        results.rebuild(files.results, _applied(read_all(files)))
    return dropped, copy


def _applied(state: State) -> list[Trial]:
    return [trial for trial in state.finished if trial.phase == "applied"]


def _read_summary(path: Path) -> _Summary:
    """The summary that is stored, or an empty one."""
    try:
        content, checksum, _ = path.read_text(encoding="utf-8").rsplit("\n", 2)
        if checksum != _checksum(f"{content}\n"):
            return _Summary()
        head, body = content.split("\n", 1)
        return _Summary(**json.loads(head), state=State.from_json(body))
    except (OSError, ValueError, KeyError, TypeError):
        return _Summary()  # it is only a shortcut: without it the journal is read


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"
