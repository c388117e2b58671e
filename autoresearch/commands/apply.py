"""`autoresearch apply`: bring a trial into the user's own branch, as commits of theirs.

The user's git makes the commits and moves the branch, so their identity, signature and
`post-merge` hook count; hooks that look at a commit being written (`pre-commit`, `commit-msg`) do
not run.
"""

import json
import os
import shlex
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from autoresearch import applying, git
from autoresearch import experiment as places
from autoresearch.applying import Past, Step, Way
from autoresearch.commands.changes import print_diff
from autoresearch.commands.selection import Selection, find_trial, select
from autoresearch.dashboard import commit_message
from autoresearch.dashboard.safe_text import one_line
from autoresearch.errors import ConfigError, GitError, Protected, UsageError
from autoresearch.paths import readable
from autoresearch.store import Store
from autoresearch.trial import Status, Trial

_MOST_PATHS = 10


class Form(StrEnum):
    """How a trial is brought."""

    SQUASHED = "squashed"  # one commit
    COMMITS = "commits"  # one for each trial on the way
    STAGED = "staged"  # in the files and the index, not committed
    PATCH = "patch"  # on standard output


def form_of(*, commits: bool, no_commit: bool, patch: bool) -> Form:
    """The form that the options mean. Raises UsageError for more than one."""
    if commits + no_commit + patch > 1:
        raise UsageError("Choose one of --commits, --no-commit and --patch.")
    chosen = {Form.COMMITS: commits, Form.STAGED: no_commit, Form.PATCH: patch}
    return next((form for form, is_chosen in chosen.items() if is_chosen), Form.SQUASHED)


@dataclass(frozen=True)
class _Commit:
    """One commit that is to be made, or was made."""

    trial: Trial
    tree: str
    message: str
    id: str = ""

    @property
    def subject(self) -> str:
        return self.message.partition("\n")[0]


@dataclass(frozen=True)
class _Wish:
    """What the user asked for."""

    selection: Selection
    past: Past
    trial: Trial
    form: Form
    subject: str

    @property
    def name(self) -> str:
        return f"trial {self.trial.number} of {self.selection.experiment.id}"

    @property
    def is_best(self) -> bool:
        return self.trial.number == self.selection.state.incumbent_trial

    @property
    def commit(self) -> str:
        # An epoch may have put the incumbent's frozen files back: then another commit is the best.
        best = self.selection.state.incumbent  # none while all trials were imported
        return best if best and self.is_best else self.trial.commit


def apply(
    path: Path, experiment: str | None, word: str, form: Form, subject: str, *, as_json: bool
) -> int:
    """Bring what leads from the baseline to a trial, as far as HEAD does not hold it yet."""
    if subject and form in (Form.COMMITS, Form.PATCH):
        raise UsageError(f"--message is for one commit: leave it out with --{form}.")
    if as_json and form == Form.PATCH:
        raise UsageError("--patch prints a patch: leave --json out.")
    selection = select(path, experiment)
    chosen, trial = selection.experiment, find_trial(selection, word)
    repository = places.repository_of(chosen, selection.config, path)
    checkout = git.find_repository(path)
    if checkout.common_dir != repository.common_dir:
        raise ConfigError(f"{chosen.id} is about {repository.root}: go to a checkout of that.")
    wish = _Wish(selection, applying.read_past(chosen), trial, form, subject)
    if not wish.commit:
        raise ConfigError(f"Trial {trial.number} has no files: there is nothing to apply.")
    if trial.status is None:
        raise ConfigError(f"Trial {trial.number} has not ended yet.")
    if form != Form.PATCH:
        _refuse_unsuitable(chosen, path, checkout)
    head = git.head_commit(checkout)
    # Its own git directory: a run may be at work in the experiment's.
    with tempfile.TemporaryDirectory(prefix="autoresearch-") as folder:
        store = Store(Path(folder, "git"), repository)
        way = applying.find_way(store, wish.past, trial, wish.commit, head)
        if form == Form.PATCH:
            if way.steps:
                tree, _ = applying.merge(store, way.base, way.base, wish.commit)
                _print_patch(store.patch(way.base, tree))
            return 0
        commits = _commits(store, wish, way, head)
        paths = [change.path for change in store.changes(head, commits[-1].tree)] if commits else []
        made = _bring(store, checkout, head, commits, form) if commits else []
    if trial.status != Status.KEEP:
        reason = one_line(trial.reason)
        print(f"Trial {trial.number} was not kept: {trial.status}, {reason}", file=sys.stderr)
    print(_as_json(wish, made, paths) if as_json else "\n".join(_lines(wish, made, paths)))
    return 0


def _refuse_unsuitable(chosen: places.Experiment, path: Path, checkout: git.Repository) -> None:
    """Raise Protected where a new commit would be in the way of something else."""
    if operation := git.operation_in_progress(checkout):
        raise Protected(f"A {operation} is in progress in {checkout.root}. Finish or abort it.")
    ref = git.head_ref(checkout)
    for one in (chosen, *places.discover(path)):
        if one.branch_ref == ref:
            raise Protected(
                f"{checkout.root} stands on {one.branch}, which belongs to the experiment. Go to "
                "your own branch (`git switch NAME`), then apply."
            )


def _commits(store: Store, wish: _Wish, way: Way, head: str) -> list[_Commit]:
    """What is to be committed, in order. Raises Protected on conflicts."""
    commits: list[_Commit] = []
    base, ours, since = way.base, store.tree_of(head), way.since
    for step in way.steps if wish.form == Form.COMMITS else way.steps[-1:]:
        tree, conflicts = applying.merge(store, base, ours, step.commit)
        if conflicts:
            raise _conflict(wish, conflicts)
        if tree != ours:
            commits.append(_Commit(step.trial, tree, _message(wish, way, step, since)))
            since = step.trial.number
        base, ours = step.commit, tree
    return commits


def _message(wish: _Wish, way: Way, step: Step, since: int) -> str:
    experiment, config = wish.selection.experiment, wish.selection.config
    goal, trial = config.evaluate.goal, step.trial
    before, after = _values(wish, trial, since)
    brought = [one.trial for one in way.steps]
    subject = wish.subject or config.goal
    if wish.form == Form.COMMITS:
        before, after = trial.numbers.get("incumbent"), trial.value
        brought, subject = [], trial.idea
    return commit_message.message(
        commit_message.subject(subject, f"Apply trial {trial.number} of {experiment.id}"),
        commit_message.change(goal, before, after),
        experiment.id,
        trial,
        applying.trailers(experiment.id, trial.number, since),
        goal,
        config.goal,
        brought,
    )


def _values(wish: _Wish, trial: Trial, since: int) -> tuple[float | None, float | None]:
    """The numbers of trial `since` and of `trial`, None where they cannot be compared."""
    state = wish.selection.state
    epoch = state.epoch if wish.is_best else trial.epoch
    earlier = wish.past.trials.get(since)
    first = earlier.value if earlier and earlier.epoch == epoch else None
    if since == 0 and epoch == state.epoch:
        first = state.baseline_value
    return first, state.incumbent_value if wish.is_best else trial.value


def _conflict(wish: _Wish, paths: Iterable[str]) -> Protected:
    number = wish.trial.number
    merge = f"`git merge {wish.selection.experiment.branch}` or " if wish.is_best else ""
    return Protected(
        f"Nothing was changed: the same was changed in HEAD and by {wish.name}, in "
        f"{_named(paths)}. To resolve it by hand: {merge}"
        f"`autoresearch apply {number} --patch | git apply --3way`."
    )


def _bring(
    store: Store, checkout: git.Repository, head: str, commits: Sequence[_Commit], form: Form
) -> list[_Commit]:
    """Make the commits and move the checkout to the last. Raises Protected where work is lost."""
    room = applying.find_room(store, checkout, head, commits[-1].tree)
    if room.blocked:
        raise Protected(
            f"Nothing was changed: {_named(room.blocked)} would be overwritten and is not "
            "committed. Commit, stash or move it, then apply."
        )
    made, parent = [], head
    for commit in commits:
        parent = git.commit_as_user(checkout, commit.tree, parent, commit.message)
        made.append(_Commit(commit.trial, commit.tree, commit.message, parent))
    if room.alike:  # as `try` leaves them: git would refuse to overwrite them with the same
        git.change_checkout(
            checkout, "update-index", "-z", "--add", "--remove", "--replace", "--stdin",
            stdin=b"".join(os.fsencode(path) + b"\0" for path in room.alike),
        )  # fmt: skip
    how = ["--squash"] if form == Form.STAGED else ["--no-squash", "--ff-only"]
    try:
        git.change_checkout(
            checkout, "-c", "merge.autoStash=false", "-c", "merge.verifySignatures=false",
            "merge", "-q", *how, parent,
        )  # fmt: skip
    except GitError as error:
        raise GitError(f"git would not bring it into {checkout.root}: {error}") from None
    return made


def _print_patch(patch: bytes) -> None:
    """As it is into a pipe; for reading on a terminal."""
    if sys.stdout.isatty():
        print_diff(patch.decode("utf-8", "backslashreplace"))
    else:
        sys.stdout.buffer.write(patch)


def _lines(wish: _Wish, made: Sequence[_Commit], paths: Sequence[str]) -> list[str]:
    name, count = wish.name, len(made)
    files = f"{len(paths)} file{'' if len(paths) == 1 else 's'}"
    if not made:
        if wish.trial.number == 0:
            return [f"There is nothing to apply: {name} is its baseline."]
        if wish.commit == wish.trial.parent:
            return [f"There is nothing to apply: {name} changed nothing."]
        return [f"There is nothing to apply: your files hold {name} already."]
    if wish.form == Form.STAGED:
        lines = [f"Brought {name} into your files, staged and not committed ({files})."]
        if len(paths) <= _MOST_PATHS:
            lines.append(f"Undo: git restore --staged --worktree -- {shlex.join(paths)}")
        return lines
    return [
        f"Applied {name} as {count} commit{'' if count == 1 else 's'} ({files}):",
        *(f"  {commit.id[:7]} {commit.subject}" for commit in made),
        f"Undo: git reset --keep HEAD~{count}   (git revert, when it is shared already)",
    ]


def _as_json(wish: _Wish, made: Sequence[_Commit], paths: Sequence[str]) -> str:
    is_committed = wish.form != Form.STAGED
    return json.dumps(
        {
            "experiment": wish.selection.experiment.id,
            "trial": wish.trial.number,
            "verdict": wish.trial.status,
            "form": wish.form,
            "commits": [
                {"commit": one.id, "trial": one.trial.number, "subject": one.subject}
                for one in made
                if is_committed
            ],
            "paths": list(paths),
        }
    )


def _named(paths: Iterable[str]) -> str:
    return ", ".join(map(readable, paths))
