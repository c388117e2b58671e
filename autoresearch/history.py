"""The record of one experiment: its journal, the state that adds up from it, the files beside it.

Reading is quick however long the journal is: a summary of the state stands beside it, and only
what came after the summary is read. The summary can be deleted at any time.
"""

import json
from dataclasses import dataclass
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


class History:
    """One experiment's record, open for appending. The caller holds the experiment's lock."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._journal = Journal(files.journal)
        self._journal.cut_torn_line()
        start, checksum, state = _read_summary(files.summary)
        if self._journal.checksum(start) != checksum:
            start, state = 0, State()
        self.state = state
        self._since_summary = 0
        self._total = 0
        for line in self._journal.read(start):
            self.state.apply(line.record)
            self._since_summary += 1
        self._total = self._since_summary + start // 300  # a line is about 300 bytes
        self._checksum = self._journal.checksum(None)
        results.catch_up(files.results, _applied(self.state))

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
        head = json.dumps({"offset": self._journal.end, "checksum": self._checksum})
        fresh.write_text(f"{head}\n{self.state.to_json()}\n", encoding="utf-8")
        fresh.replace(self._files.summary)
        self._since_summary = 0

    def close(self) -> None:
        """Store the summary and close the journal."""
        if self._since_summary:
            self.write_summary()
        self._journal.close()


def read_state(files: Files) -> State:
    """Where an experiment stands now, without a lock and without writing anything."""
    start, _, state = _read_summary(files.summary)
    if start > _size(files.journal):
        start, state = 0, State()
    for line in Journal(files.journal).read(start):
        state.apply(line.record)
    return state


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


def _read_summary(path: Path) -> tuple[int, int, State]:
    """Offset and checksum of the journal's part that the summary covers, and the summary."""
    try:
        head, body = path.read_text(encoding="utf-8").split("\n", 1)
        position = json.loads(head)
        return position["offset"], position["checksum"], State.from_json(body)
    except (OSError, ValueError, KeyError, TypeError):
        return 0, 0, State()  # it is only a shortcut: without it the journal is read


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
