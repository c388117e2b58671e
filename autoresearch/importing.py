"""A history of another tool becomes our record: rows to journal records, results.tsv and summary.

Imported trials form an epoch of their own (or several), whose baseline is no commit of ours: that
is how the next run knows that it must measure anew before it compares anything.
"""

import itertools
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from autoresearch import __version__, git
from autoresearch.experiment import Experiment
from autoresearch.goal import Goal
from autoresearch.history import Files, History, read_all
from autoresearch.importers import Row, Table
from autoresearch.records import (
    IMPORTED,
    Applied,
    Decided,
    EpochOpened,
    Proposed,
    Record,
    RunFinished,
    SessionOpened,
    Stopped,
    TrialStarted,
)
from autoresearch.state import State
from autoresearch.store import Store
from autoresearch.trial import Role, Run, RunStatus, Status

_COMMIT = re.compile(r"[0-9a-f]{4,64}", re.ASCII)
_RUNS = {
    Status.KEEP: RunStatus.MEASURED,
    Status.DISCARD: RunStatus.MEASURED,
    Status.GUARD: RunStatus.MEASURED,
    Status.CRASH: RunStatus.CRASH,
    Status.TIMEOUT: RunStatus.TIMEOUT,
    Status.INVALID: RunStatus.INVALID,
    Status.SKIP: RunStatus.SKIP,
    Status.CHECK: RunStatus.CHECK,
}  # the other trials were never run


def write(files: Files, table: Table, origin: Path, repository: git.Repository | None) -> State:
    """Write the record of `table`, which was read from the file `origin`.

    A row without a time gets that of the file: it was made then or earlier. Commits that
    `repository` has are recorded with their full id, so that their code can be seen. Raises
    Protected when the disk is full.
    """
    name, written = origin.name, round(origin.stat().st_mtime, 3)
    texts = {text for row in table.rows for text in (row.commit, row.parent)}
    commits = filter(_COMMIT.fullmatch, texts)
    known = git.find_commits(repository, commits) if repository else {}
    history = History(files)
    try:
        for record in records(table, name, known, written):
            history.append(record)
        history.append(Stopped(reason=f"imported from {name}", at=written), sync=True)
    finally:
        history.close()
    return history.state


def keep_commits(experiment: Experiment, repository: git.Repository) -> None:
    """Give a ref to each imported commit that git has.

    Those that were discarded hang on nothing else, and git would collect them some day.
    """
    trials = read_all(experiment.files).finished
    refs = {experiment.candidate_ref(one.number): one.commit for one in trials if one.tree}
    with tempfile.TemporaryDirectory(prefix="autoresearch-") as folder:
        Store(Path(folder, "git"), repository).set_refs(refs)


def records(
    table: Table, name: str, known: Mapping[str, git.Commit], written: float
) -> Iterator[Record]:
    """The journal of an imported history, in the order of its rows.

    `known` has the commits that git has; `written` is the time of rows that have none.
    """
    yield SessionOpened(version=__version__, pid=os.getpid(), engine=IMPORTED, at=written)
    goal = Goal(table.metric, table.direction)
    numbered = number(table)
    here = frozenset(commit.id for commit in known.values())
    epoch, kept, best = 0, "", None
    for position, (n, row) in enumerate(numbered):
        if position == 0 or row.segment != numbered[position - 1][1].segment:
            epoch, best = epoch + 1, None
            yield _epoch(epoch, name, at=row.at or written)
        commit = known.get(row.commit)
        parent = _commit(row.parent, known) or kept
        if commit and parent not in here:
            parent = commit.parent
        row = replace(
            row,
            commit=_commit(row.commit, known),
            parent=parent if n > 0 else "",
            at=row.at or written,
        )
        yield from _trial(n, row, epoch, best, tree=commit.tree if commit else "")
        if row.status == Status.KEEP:
            kept = row.commit
            if row.value is not None and (best is None or goal.is_better(row.value, best)):
                best = row.value
        if position == len(numbered) - 1:
            # Before the last trial is applied: from there on, no branch is expected anywhere.
            yield _closing(numbered, goal, epoch, name, at=row.at)
        yield Applied(n=n, at=row.at)


def number(table: Table) -> list[tuple[int, Row]]:
    """Each row's trial: its own number, or counted from 1 with the baseline as 0."""
    rows = table.rows
    if all(row.number is not None for row in rows):
        return [(row.number or 0, row) for row in rows]
    measured = [position for position, row in enumerate(rows) if row.value is not None]
    first = measured[0] if measured else None
    is_baseline = (
        first is not None and rows[first].status == Status.KEEP and table.begins_with_baseline
    )
    counted = itertools.count(1)
    return [
        (0 if is_baseline and position == first else next(counted), row)
        for position, row in enumerate(rows)
    ]


def _trial(n: int, row: Row, epoch: int, best: float | None, tree: str) -> Iterator[Record]:
    """The records of one row, up to its decision; `best` is what it had to beat."""
    began = max(0.001, row.at - row.seconds)
    yield TrialStarted(n=n, parent=row.parent, proposer=row.proposer, at=began)
    yield Proposed(
        n=n,
        candidate=row.commit,
        tree=tree,
        idea=row.description,
        cost_usd=row.cost_usd,
        at=began,
    )
    if row.status in _RUNS:
        run = Run(
            role=Role.CANDIDATE,
            tree=tree,
            index=0,
            seed=0,
            status=_RUNS[row.status],
            metrics=row.metrics,
            reason=row.reason,
            seconds=row.seconds,
            engine=IMPORTED,
            isolation=row.isolation,
        )
        yield RunFinished(n=n, run=run, epoch=epoch, at=row.at)
    numbers = {"value": row.value, "incumbent": best}
    yield Decided(
        n=n,
        status=row.status,
        reason=row.reason,
        rule=IMPORTED,
        numbers={key: value for key, value in numbers.items() if value is not None},
        at=row.at,
    )


def _epoch(epoch: int, name: str, *, at: float) -> EpochOpened:
    return EpochOpened(
        epoch=epoch, digest=IMPORTED, reason=f"imported from {name}", baseline="", at=at
    )


def _closing(
    numbered: Sequence[tuple[int, Row]], goal: Goal, epoch: int, name: str, *, at: float
) -> EpochOpened:
    """The last epoch again, with what its trials came to.

    The last row that was kept need not be the best: an agent may have kept it for another reason.
    """
    kept = [(n, row) for n, row in numbered if row.status == Status.KEEP and row.value is not None]
    same = [(n, row) for n, row in kept if row.segment == kept[-1][1].segment]
    if not same:
        return _epoch(epoch, name, at=at)
    best, row = min(same, key=lambda pair: goal.loss(pair[1].value or 0.0))
    return EpochOpened(
        epoch=epoch,
        digest=IMPORTED,
        reason=f"imported from {name}",
        baseline="",
        incumbent_trial=best,
        baseline_value=same[0][1].value,
        incumbent_value=row.value,
        at=at,
    )


def _commit(text: str, known: Mapping[str, git.Commit]) -> str:
    """The full id where git has it, the text where it could be one: `baseline` names none."""
    if text in known:
        return known[text].id
    return text if _COMMIT.fullmatch(text) else ""
