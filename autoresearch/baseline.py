"""The baseline: the commit that all frozen bytes come from, its number, and what epochs are.

Trial 0 measures it. A change of what decides a number (evaluator, metric, frozen set, links,
checks) opens an epoch: baseline and incumbent are measured again, and numbers of before are not
compared with numbers of after.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autoresearch import config as configs
from autoresearch import git, measuring
from autoresearch.diagnosis import likely_cause, unmeasurable
from autoresearch.errors import ConfigError
from autoresearch.frozen import OWN_FOLDER
from autoresearch.lane import VERDICTS, Lane
from autoresearch.paths import Patterns
from autoresearch.records import Abandoned, EpochOpened, Probed, Proposed, TrialStarted
from autoresearch.session import Session
from autoresearch.store import GITLINK, Entry
from autoresearch.trial import COST, Role, Run, RunStatus, Status
from autoresearch.workspace import Rules

_PROBE_FACTOR = 5.0  # an emptied target either fails at once or takes about as long as before
_PROBE_LEAST = 10.0  # seconds


@dataclass(frozen=True)
class Established:
    """What measuring the baseline showed."""

    first: Run
    second: Run | None
    probe: Run | None


def check_repository(session: Session, files: Sequence[Entry], found: Rules) -> None:
    """Refuse what cannot work, with the reason. Raises ConfigError."""
    config, repository = session.config, session.repository
    paths = [entry.path for entry in files]
    if unmatched := found.target.unmatched(paths):
        raise ConfigError(f"The target {unmatched[0]!r} matches no file that git tracks.")
    if unmatched := Patterns(config.frozen).unmatched(paths):
        raise ConfigError(f"The frozen pattern {unmatched[0]!r} matches no file that git tracks.")
    changeable = [entry for entry in files if found.may_change(entry.path)]
    if not changeable:
        raise ConfigError("Every file of the target is frozen: there is nothing to change.")
    if modules := [entry.path for entry in changeable if entry.mode == GITLINK]:
        raise ConfigError(f"The target holds a submodule ({modules[0]}): it cannot be changed.")
    guarded = [path for path in paths if found.target.match(path) or found.frozen.match(path)]
    if filtered := session.store.filtered_paths(guarded):
        path, name = next(iter(filtered.items()))
        raise ConfigError(
            f"{path} is rewritten by the git filter {name!r} (LFS and the like): trees would hold "
            "other bytes than your checkout. Take it out of target and frozen."
        )
    if git.missing_promised_blobs(repository):
        raise ConfigError(
            "This is a partial clone that lacks files of HEAD. Fetch them: "
            "`git fetch --refetch --no-filter`."
        )
    for path in config.link:
        plain = path.rstrip("/")
        if not (repository.root / plain).exists():
            raise ConfigError(f"`link` names {path}, which is not in the checkout.")
        if any(tracked == plain or tracked.startswith(f"{plain}/") for tracked in paths):
            raise ConfigError(f"`link` names {path}, which git tracks: every tree has it already.")


def digest_of(session: Session, found: Rules) -> str:
    """The fingerprint of all that decides a number."""
    experiment = session.experiment
    evaluator = [
        (path.name, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in [*experiment.own_files, *experiment.private_files]
    ]
    content = session.config.measuring()
    content |= {"frozen": sorted(found.frozen.patterns), "evaluator": evaluator}
    return configs.digest(content)


def store_baseline(session: Session, *, include_dirty: bool = False) -> str:
    """Make our own commit: HEAD's tree plus the experiment's evaluator files."""
    repository, store = session.repository, session.store
    head = git.head_commit(repository)
    index = store.directory / "baseline.index"
    store.read_tree(index, head)
    if include_dirty:
        store.refresh(repository.root, index)
        skipped = git.skipped_paths(repository)
        changed = [
            path
            for path in store.changed_paths(repository.root, index)
            if path not in skipped and not path.startswith(f"{OWN_FOLDER}/")
        ]
        if nested := [path for path in changed if path.endswith("/")]:
            raise ConfigError(f"--include-dirty cannot take in the nested repository {nested[0]}.")
        store.stage(repository.root, index, changed)
    _put_own_files(session, index)
    message = f"Baseline of {session.experiment.id}"
    commit = store.commit(store.write_tree(index), [head], message)
    store.set_ref(f"{session.experiment.refs}baseline", commit)
    return commit


def establish(lane: Lane, baseline: str, found: Rules, *, probe: bool = True) -> Established:
    """Measure the baseline twice, then once with the target emptied; it becomes trial 0.

    Raises ConfigError when it cannot be measured or when the target is not what is measured.
    """
    session = lane.session
    tree = session.store.tree_of(baseline)
    digest = digest_of(session, found)
    state = session.state
    if (baseline, digest) != (state.baseline, state.digest):
        epoch = state.epoch if state.baseline else state.epoch + 1  # 1, but for imported trials
        session.append(
            EpochOpened(epoch=epoch, digest=digest, reason="the first", baseline=baseline)
        )
    session.append(TrialStarted(n=0, parent="", proposer="baseline"))
    session.append(Proposed(n=0, candidate=baseline, tree=tree, idea="baseline"), sync=True)
    verdict = lane.verdict(0, tree)
    if verdict.status != Status.KEEP:
        raise unmeasurable(session, verdict.status, verdict.reason)
    first = session.state.trials[0].runs[-1]
    with session.machine(0):
        second = measuring.measure(session, 0, Role.CANDIDATE, tree, index=1)
        session.stop.raise_if_requested()
        probed = None
        if probe:
            probed = _probe(lane, baseline, found, first, second, session.state.epoch)
    lane.conclude(0, verdict)
    return Established(first, second if second.status == RunStatus.MEASURED else None, probed)


def give_up(session: Session, reason: str) -> None:
    """Forget a baseline that did not work: it makes no trial."""
    if 0 in session.state.trials and session.state.trials[0].phase == "proposed":
        session.append(Abandoned(n=0, reason=reason))


def open_epoch(lane: Lane, found: Rules, digest: str) -> None:
    """Measure baseline and incumbent again, under what decides a number now.

    After an import HEAD is both, because imported numbers were measured elsewhere. Raises
    ConfigError when they cannot be measured.
    """
    session, state = lane.session, lane.session.state
    epoch = state.epoch + 1
    is_imported = not state.baseline
    if is_imported:
        reason = "the trials so far were imported"
        what = f"The trials so far were imported: measuring HEAD as the baseline of epoch {epoch}."
        baseline = store_baseline(session)
    else:
        reason = "what decides a number was changed"
        what = (
            "What decides a number was changed (evaluator, metric, checks, frozen files or "
            f"links): measuring baseline and incumbent again, as epoch {epoch}."
        )
        baseline = _with_evaluator(session, state.baseline, found, "Baseline")
    session.reporter.say(what)
    is_first = state.incumbent == state.baseline
    incumbent = (
        baseline
        if is_first
        else _with_evaluator(session, state.incumbent, found, "Incumbent", frozen_from=baseline)
    )
    values: list[float] = []
    with session.machine(state.incumbent_trial):
        for role, number, commit in (
            (Role.BASELINE, 0, baseline),
            (Role.INCUMBENT, state.incumbent_trial, incumbent),
        ):
            if role == Role.INCUMBENT and is_first:
                values.append(values[0])
                continue
            tree = session.store.tree_of(commit)
            run = measuring.measure(session, number, role, tree, index=0, epoch=epoch)
            session.stop.raise_if_requested()
            if run.status != RunStatus.MEASURED:
                raise unmeasurable(session, VERDICTS[run.status], run.reason, role)
            values.append(run.metrics[session.config.evaluate.metric])
            if is_imported and session.config.evaluate.probe:
                again = measuring.measure(session, 0, role, tree, index=1, epoch=epoch)
                session.stop.raise_if_requested()
                _probe(lane, baseline, found, run, again, epoch)
    session.append(
        EpochOpened(
            epoch=epoch,
            digest=digest,
            reason=reason,
            baseline=baseline,
            incumbent=incumbent,
            incumbent_tree=session.store.tree_of(incumbent),
            incumbent_trial=0 if is_first else state.incumbent_trial,
            baseline_value=values[0],
            incumbent_value=values[1],
        ),
        sync=True,
    )
    lane.move_branch(session.state.branch_at, incumbent)


def _put_own_files(session: Session, index: Path) -> None:
    experiment, store = session.experiment, session.store
    place = f"{OWN_FOLDER}/{experiment.id}/"
    entries = [
        Entry(
            place + path.name,
            "100755" if path.stat().st_mode & 0o100 else "100644",
            store.store_file(path),
        )
        for path in experiment.own_files
    ]
    if entries:
        store.set_entries(index, entries, removed=[])


def _with_evaluator(
    session: Session, commit: str, found: Rules, name: str, frozen_from: str | None = None
) -> str:
    """`commit` with the evaluator's files as they are now, and frozen files from the baseline."""
    store = session.store
    index = store.directory / "epoch.index"
    store.read_tree(index, commit)
    if frozen_from:
        wanted = [entry for entry in store.files(frozen_from) if found.frozen.match(entry.path)]
        keep = {entry.path for entry in wanted}
        gone = [
            entry.path
            for entry in store.files(commit)
            if found.frozen.match(entry.path) and entry.path not in keep
        ]
        store.set_entries(index, wanted, gone)
    _put_own_files(session, index)
    tree = store.write_tree(index)
    if tree == store.tree_of(commit):
        return commit
    epoch = session.state.epoch + 1
    message = f"{name} of {session.experiment.id} for epoch {epoch}"
    made = store.commit(tree, [commit], message)
    store.set_ref(f"{session.experiment.refs}epoch/{epoch}-{name.lower()}", made)
    return made


def _probe(lane: Lane, baseline: str, found: Rules, first: Run, second: Run, epoch: int) -> Run:
    """Measure once with the target emptied. Raises ConfigError when the number stays the same."""
    session, store = lane.session, lane.session.store
    index = store.directory / "probe.index"
    files = store.files(baseline)
    store.read_tree(index, baseline)
    empty = store.store_file(Path("/dev/null"))
    emptied = [
        Entry(entry.path, "100755" if entry.mode == "100755" else "100644", empty)
        for entry in files
        if found.may_change(entry.path) and entry.mode != GITLINK
    ]
    store.set_entries(index, emptied, removed=[])
    tree = store.write_tree(index)
    limit = min(
        session.config.evaluate.hard_limit, max(_PROBE_LEAST, _PROBE_FACTOR * first.seconds)
    )
    run = measuring.run_once(
        session, 0, Role.CANDIDATE, tree, 0, name="probe", epoch=epoch, seconds=limit
    )
    session.stop.raise_if_requested()
    metric = session.config.evaluate.metric
    is_measured = run.status != RunStatus.MEASURED
    if not is_measured:
        known = [r.metrics[metric] for r in (first, second) if r.status == RunStatus.MEASURED]
        spread = max(known) - min(known)
        distance = min(abs(run.metrics[metric] - value) for value in known)
        is_measured = distance > spread
    value = run.metrics[metric] if run.status == RunStatus.MEASURED else None
    cost = run.metrics.get(COST)
    session.append(Probed(value=value, target_is_measured=is_measured, cost_usd=cost))
    if not is_measured:
        raise ConfigError(
            f"The target is not what is measured: with its files emptied, {metric} is still "
            f"{value:.6g}. {likely_cause(session)} (--no-probe skips this test.)"
        )
    return run
