"""`autoresearch try`: measure what somebody edited in a checkout of their own.

The agent edits, the tool decides: it never judges itself.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from autoresearch import experiment as places
from autoresearch import git
from autoresearch.checkout import Checkout
from autoresearch.commands.selection import find
from autoresearch.dashboard import numbers, progress
from autoresearch.errors import ConfigError, Interrupted, UsageError
from autoresearch.lane import Lane
from autoresearch.records import Stopped, TrialStarted
from autoresearch.recovery import prepare
from autoresearch.session import Session, open_session
from autoresearch.trial import BY_HAND, Candidate, Status, Trial, Verdict
from autoresearch.workspace import Rules


@dataclass(frozen=True)
class _Open:
    """What both forms of the command need."""

    session: Session
    lane: Lane
    rules: Rules
    checkout: Checkout
    base: str


def try_(path: Path, experiment: str | None, message: str, *, as_json: bool = False) -> int:
    """Measure the checkout's difference inside target; keep it, or put its files back."""
    if not message.strip():
        raise UsageError("Say what you changed: `autoresearch try -m TEXT`.")
    with _opened(path, experiment, as_json=as_json) as opened:
        session, state = opened.session, opened.session.state
        if opened.base != state.incumbent:
            raise ConfigError(
                f"Nothing was measured: your files stand at {opened.base[:7]}, and the best so far "
                f"is {state.incumbent[:7]} (trial {state.incumbent_trial}). `autoresearch try "
                "--sync` merges it into your files; then try again."
            )
        snapshot = opened.checkout.snapshot(opened.base, opened.rules)
        if conflicted := opened.checkout.conflicted(snapshot.changed):
            raise ConfigError(f"Resolve the conflicts in {', '.join(conflicted)} first.")
        number = state.next_number
        candidate = opened.lane.store(
            number, opened.base, snapshot, message.strip(), proposer=BY_HAND
        )
        session.append(TrialStarted(n=number, parent=opened.base, proposer=BY_HAND))
        opened.lane.propose(number, candidate)
        trial = opened.lane.conclude(number, _verdict(opened.lane, number, candidate))
        touched = (*snapshot.changed, *snapshot.frozen_touched)
        left: tuple[str, ...] = ()
        if trial.status == Status.KEEP:
            opened.checkout.set_base(trial.commit)
            touched = ()
        elif trial.status == Status.INTERRUPTED:
            touched = ()
        else:
            left = opened.checkout.put_back(opened.base, trial.commit, touched)
            opened.checkout.set_base(opened.base)
        put_back = tuple(path for path in touched if path not in left)
        _report(session, trial, put_back, left, as_json=as_json)
        session.append(Stopped(reason=f"tried: {trial.status}"))
        session.stop.raise_if_requested()
    return 0


def sync(path: Path, experiment: str | None, *, as_json: bool = False) -> int:
    """Merge the incumbent into the checkout's target files, without measuring."""
    with _opened(path, experiment, as_json=as_json) as opened:
        session, incumbent = opened.session, opened.session.state.incumbent
        snapshot = opened.checkout.snapshot(opened.base, opened.rules)
        if opened.base == incumbent:
            _say(as_json, {"synced": [], "conflicts": []}, "Your files stand at the best so far.")
            return 0
        if snapshot.changed:
            saved = session.store.commit(snapshot.tree, [opened.base], "Before a sync")
            session.store.set_ref(f"{session.experiment.refs}before-sync/{saved[:12]}", saved)
        merged = opened.checkout.merge(opened.base, incumbent, opened.rules)
        opened.checkout.set_base(incumbent)
        lines = [f"Your files now stand at the best so far ({incumbent[:7]})."]
        if merged.written:
            lines.append(f"Merged into: {', '.join(merged.written)}")
        if merged.conflicts:
            lines.append(f"Conflicts are left for you in: {', '.join(merged.conflicts)}")
        fields = {"synced": list(merged.written), "conflicts": list(merged.conflicts)}
        _say(as_json, fields, "\n".join(lines))
        session.append(Stopped(reason="synced a checkout"))
    return 0


@contextmanager
def _opened(path: Path, experiment: str | None, *, as_json: bool) -> Iterator[_Open]:
    chosen, choice = find(path, experiment)
    config = chosen.load_config()
    here = git.find_repository(path)
    repository = places.repository_of(chosen, config, path)
    if here.common_dir != repository.common_dir:
        raise ConfigError(f"{chosen.id} is about {repository.root}: go to a checkout of that.")
    reporter: progress.Reporter = progress.QuietReporter(config.evaluate.goal)
    if not as_json:
        reporter = progress.reporter(config.evaluate.goal)
        if choice:
            reporter.say(choice)
    try:
        with open_session(chosen, repository, config, reporter) as session:
            lane = Lane(session)
            rules = prepare(lane)
            checkout = Checkout(chosen, session.store, here)
            base = checkout.base(otherwise=session.state.baseline)
            yield _Open(session, lane, rules, checkout, base)
    finally:
        reporter.close()


def _verdict(lane: Lane, number: int, candidate: Candidate) -> Verdict:
    try:
        return lane.objection(candidate) or lane.verdict(number, candidate.tree)
    except Interrupted:
        return Verdict(status=Status.INTERRUPTED, reason="stopped before it was measured")


def _report(
    session: Session,
    trial: Trial,
    put_back: tuple[str, ...],
    left: tuple[str, ...],
    *,
    as_json: bool,
) -> None:
    state, metric = session.state, session.config.evaluate.metric
    is_kept = trial.status == Status.KEEP
    undo = f"autoresearch restore {trial.number} --files" if put_back else ""
    fields = {
        "experiment": session.experiment.id,
        "trial": trial.number,
        "verdict": str(trial.status),
        "reason": trial.reason,
        "metric": metric,
        "value": trial.value,
        "best": state.incumbent_value,
        "metrics": dict(trial.metrics),
        "commit": trial.commit,
        "put_back": list(put_back),
        "left_alone": list(left),
        "dropped": list(trial.dropped),
        "undo": undo,
        "log": trial.runs[-1].log if trial.runs else "",
    }
    lines = [f"{trial.status}: {trial.reason}"]
    if is_kept:
        lines.append(f"Committed on {session.experiment.branch}; your files stay as they are.")
    elif trial.status == Status.INTERRUPTED:
        lines.append("Your files stay as they are.")
    elif put_back:
        lines.append(f"Your files were put back. To have the change again: {undo}")
    if left:
        lines.append(f"Left alone, because they were edited meanwhile: {', '.join(left)}")
    if trial.dropped:
        lines.append(f"Outside the target, so not measured: {', '.join(trial.dropped[:10])}")
    lines.append(f"Best so far: {numbers.number(state.incumbent_value)}")
    _say(as_json, fields, "\n".join(lines))


def _say(as_json: bool, fields: Mapping[str, object], text: str) -> None:
    print(json.dumps(fields) if as_json else text)
