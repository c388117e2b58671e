"""Before the first trial of a session: recovery is replay.

What a crash left open in the journal is carried through with the ordinary steps, so that it ends
in exactly the old or the new state; then the baseline is made sure of.
"""

from autoresearch import baseline, evaluators, frozen, git
from autoresearch.errors import ConfigError, Protected
from autoresearch.history import read_all
from autoresearch.lane import Lane
from autoresearch.session import Session
from autoresearch.trial import BY_HAND, Status, Trial, Verdict
from autoresearch.workspace import Rules


def prepare(lane: Lane) -> Rules:
    """Carry through what a crash left open, and have a baseline that is measured as it is now.

    Raises ConfigError when the experiment cannot be measured, Protected when its branch is not
    where the journal left it.
    """
    session, state = lane.session, lane.session.state
    if missing := session.config.missing():
        raise ConfigError(
            f"Fill in {', '.join(missing)} in {session.experiment.config_path}, then run again."
        )
    source = _source(session)
    files = session.store.files(source)
    measuring = evaluators.measuring_options(session.experiment.directory)
    rules = frozen.rules(session.config, [entry.path for entry in files], measuring)
    baseline.check_repository(session, files, rules)
    _check_branch(lane)
    digest = baseline.digest_of(session, rules)
    for trial in state.open_trials:
        _carry_through(lane, trial, rules, is_comparable=digest == state.digest)
    if state.branch_at != state.incumbent:
        lane.move_branch(state.branch_at, state.incumbent)  # that of a new epoch
    if state.incumbent_value is None or _lacks_baseline(session):
        is_same = (source, digest) == (state.baseline, state.digest)
        commit = source if is_same else baseline.store_baseline(session)
        baseline.establish(lane, commit, rules, probe=session.config.evaluate.probe)
    elif digest != state.digest:
        baseline.open_epoch(lane, rules, digest)
    return rules


def interrupt(lane: Lane, number: int, rules: Rules) -> Trial:
    """End a trial whose proposer was stopped: what it had done so far is stored."""
    session, trial = lane.session, lane.session.state.trials[number]
    # The files of a `try` are safe in its checkout; those of a deleted cache are gone.
    if trial.proposer != BY_HAND and session.workspace.exists:
        snapshot = session.workspace.snapshot(rules, trial.parent)
        candidate = lane.store(number, trial.parent, snapshot, "", proposer=trial.proposer)
        lane.propose(number, candidate, interrupted=True)
    return _conclude_interrupted(lane, number)


def _conclude_interrupted(lane: Lane, number: int) -> Trial:
    reason = "stopped while its change was being made"
    return lane.conclude(number, Verdict(status=Status.INTERRUPTED, reason=reason))


def _source(session: Session) -> str:
    """The baseline; while none could be measured, HEAD, which may have been mended meanwhile.

    HEAD as well when all trials so far were imported.
    """
    state = session.state
    if state.baseline and state.incumbent_value is not None:
        return state.baseline
    head = git.head_commit(session.repository)
    is_of_head = state.baseline and session.store.resolve(f"{state.baseline}^") == head
    return state.baseline if is_of_head else head


def _lacks_baseline(session: Session) -> bool:
    """Whether trials were imported and none measured unchanged code: then ours is trial 0."""
    return not session.state.baseline and 0 not in read_all(session.experiment.files).trials


def _carry_through(lane: Lane, trial: Trial, rules: Rules, *, is_comparable: bool) -> None:
    """Go on with a trial where a crash of the tool left it."""
    if trial.phase == "decided":
        lane.apply(trial.number)
    elif trial.number == 0:
        baseline.give_up(lane.session, "the tool was ended")
    elif trial.phase == "started":
        interrupt(lane, trial.number, rules)
    elif trial.interrupted:  # and the tool with it, before that was decided
        _conclude_interrupted(lane, trial.number)
    elif not is_comparable:
        reason = "what decides a number was changed before it was measured"
        lane.conclude(trial.number, Verdict(status=Status.INTERRUPTED, reason=reason))
    else:
        candidate = lane.candidate_of(trial, rules)
        verdict = lane.objection(candidate) or lane.verdict(trial.number, trial.tree, trial.attempt)
        lane.conclude(trial.number, verdict)


def _check_branch(lane: Lane) -> None:
    session = lane.session
    experiment, state = session.experiment, session.state
    found = session.store.resolve(experiment.branch_ref)
    if not state.baseline and found is not None:
        why = "the imported trials' tool made it" if state.epoch else "but not its record"
        raise Protected(
            f"The branch {experiment.branch} exists already, {why}. Rename it "
            f"(`git branch -m {experiment.branch} NEW`) or delete it, then run again."
        )
    lane.refuse_checked_out()
    expected = {state.incumbent, state.branch_at}
    if state.incumbent and (found or "") not in expected:
        what = "moved" if found else "deleted"
        cure = f"`git update-ref {experiment.branch_ref} {state.incumbent}`"
        raise Protected(
            f"The branch {experiment.branch} was {what} by somebody else. Nothing was forced. "
            f"Put it back with {cure}, then run again."
        )
