"""One trial's steps, from a stored candidate to a row: object, measure, decide, apply.

Each step writes the journal before or after its effect so that, after a crash, doing the open
step again ends in the same place. The loop, the baseline and `try` all go through here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from autoresearch import git, judge, measuring
from autoresearch.errors import Protected
from autoresearch.paths import readable
from autoresearch.records import Applied, Decided, Proposed
from autoresearch.session import Session
from autoresearch.trial import Candidate, Role, Run, RunStatus, Status, Trial, Verdict
from autoresearch.workspace import Rules, Snapshot

PACK_EVERY = 100
VERDICTS = {
    RunStatus.CRASH: Status.CRASH,
    RunStatus.TIMEOUT: Status.TIMEOUT,
    RunStatus.INVALID: Status.INVALID,
    RunStatus.SKIP: Status.SKIP,
    RunStatus.CANCELLED: Status.INTERRUPTED,
}


@dataclass
class Lane:
    """The place where one trial at a time happens."""

    session: Session

    def store(
        self,
        number: int,
        parent: str,
        snapshot: Snapshot,
        idea: str,
        *,
        proposer: str,
        attempt: int = 0,
    ) -> Candidate:
        """Make what was proposed a commit under a ref, so that nothing can lose it."""
        experiment, store = self.session.experiment, self.session.store
        idea = readable(idea) or _describe(snapshot)
        commit = parent
        if snapshot.changed and not snapshot.frozen_touched:
            self.session.engine.expect(snapshot.tree)
        if snapshot.changed or snapshot.frozen_touched:
            message = (
                f"{idea or f'trial {number}'}\n\n"
                f"Autoresearch-Trial: {experiment.id} {number}\n"
                f"Autoresearch-Proposer: {proposer}"
            )
            commit = store.commit(snapshot.tree, [parent], message)
            store.set_ref(experiment.candidate_ref(number, attempt), commit)
        return Candidate(
            commit=commit,
            tree=snapshot.tree,
            parent=parent,
            idea=idea,
            changed=snapshot.changed,
            dropped=tuple(map(readable, snapshot.dropped)),
            frozen_touched=snapshot.frozen_touched,
            invalid=readable(snapshot.invalid),
        )

    def candidate_of(self, trial: Trial, rules: Rules) -> Candidate:
        """A trial's candidate, from the record and the stored commit."""
        paths = [change.path for change in self.session.store.changes(trial.parent, trial.commit)]
        return Candidate(
            commit=trial.commit,
            tree=trial.tree,
            parent=trial.parent,
            idea=trial.idea,
            changed=tuple(path for path in paths if not rules.frozen.match(path)),
            dropped=trial.dropped,
            frozen_touched=tuple(path for path in paths if rules.frozen.match(path)),
            invalid=trial.invalid,
        )

    def propose(self, number: int, candidate: Candidate, **details: object) -> None:
        """Write down that there is a candidate. From here on it is measured, whatever happens."""
        self.session.append(
            Proposed(
                n=number,
                candidate=candidate.commit,
                tree=candidate.tree,
                idea=candidate.idea,
                dropped=candidate.dropped,
                invalid=candidate.invalid,
                **details,  # type: ignore[arg-type]
            ),
            sync=True,
        )

    def objection(self, candidate: Candidate) -> Verdict | None:
        """Why a candidate is not measured at all, None when it is."""
        if candidate.frozen_touched:
            paths = _named(candidate.frozen_touched)
            return Verdict(status=Status.TAMPERED, reason=f"touched frozen files: {paths}")
        if candidate.invalid:
            return Verdict(status=Status.INVALID, reason=candidate.invalid)
        if not candidate.changed:
            outside = _named(candidate.dropped)
            hint = f"; changed outside it: {outside}" if outside else ""
            return Verdict(status=Status.NO_CHANGE, reason=f"nothing changed in the target{hint}")
        earlier = self.session.state.trees.get(candidate.tree)
        if earlier is not None:
            return self._duplicate(earlier)
        return None

    def _duplicate(self, earlier: int) -> Verdict:
        trial = self.session.state.trials.get(earlier)
        result = ""
        if trial is not None and trial.value is not None:
            result = f": {self.session.config.evaluate.metric} {trial.value:.6g}, {trial.status}"
        return Verdict(status=Status.DUPLICATE, reason=f"the same files as trial {earlier}{result}")

    def verdict(self, number: int, tree: str, attempt: int = 0) -> Verdict:
        """Check and measure a candidate until the judge has seen enough."""
        session = self.session
        session.check_disk()
        rule = session.config.judge.rule
        with session.machine(number):
            if failed := measuring.failed_check(session, number, tree, attempt):
                return failed
            while True:
                # What was measured before a crash of the tool counts.
                runs = session.state.trials[number].runs
                if runs and runs[-1].status in VERDICTS:
                    return Verdict(status=VERDICTS[runs[-1].status], reason=runs[-1].reason)
                step = judge.next_step(rule, self._evidence(runs))
                match step:
                    case judge.Measure(role, index):
                        is_candidate = role == Role.CANDIDATE
                        measured = tree if is_candidate else session.state.incumbent_tree
                        measuring.measure(session, number, role, measured, index, attempt=attempt)
                    case judge.Keep(reason, numbers):
                        status = Status.KEEP
                        return Verdict(status=status, reason=reason, rule=rule, numbers=numbers)
                    case judge.Discard(reason, numbers):
                        status = Status.DISCARD
                        return Verdict(status=status, reason=reason, rule=rule, numbers=numbers)

    def _evidence(self, runs: Sequence[Run]) -> judge.Evidence:
        measured = [run for run in runs if run.status == RunStatus.MEASURED]
        return judge.Evidence(
            goal=self.session.config.evaluate.goal,
            candidate=tuple(run for run in measured if run.role == Role.CANDIDATE),
            incumbent_value=self.session.state.incumbent_value,
        )

    def conclude(self, number: int, verdict: Verdict) -> Trial:
        """Decide a trial, which is its commit point, and apply the decision."""
        self.session.append(
            Decided(
                n=number,
                status=verdict.status,
                reason=verdict.reason,
                rule=verdict.rule,
                numbers=verdict.numbers,
            ),
            sync=True,
        )
        return self.apply(number)

    def apply(self, number: int) -> Trial:
        """Bring the branch where the decision wants it. Doing it twice does no harm.

        Raises Protected when somebody else moved the branch.
        """
        session, state = self.session, self.session.state
        trial = state.trials[number]
        if trial.status == Status.KEEP:
            self.move_branch(state.branch_at, trial.commit)
        session.append(Applied(n=number))
        if number and number % PACK_EVERY == 0:
            session.store.pack_refs()
        trial = state.trials[number]
        session.reporter.finished(trial, state)
        return trial

    def refuse_checked_out(self) -> None:
        """Raise Protected when a checkout stands on the branch: moving it would move that."""
        experiment = self.session.experiment
        if places := git.branch_checkouts(self.session.repository, experiment.branch_ref):
            raise Protected(
                f"The branch {experiment.branch} is checked out in {places[0]}, where its moving "
                "would change your files. Switch that checkout to another branch, then run again."
            )

    def move_branch(self, old: str, new: str) -> None:
        """Compare-and-swap the experiment's branch. Raises Protected when it is elsewhere."""
        experiment, store = self.session.experiment, self.session.store
        self.refuse_checked_out()
        if store.move_ref(experiment.branch_ref, new, old or None):
            return
        found = store.resolve(experiment.branch_ref)
        if found != new:
            cure = f"`git update-ref {experiment.branch_ref} {old or new}`"
            raise Protected(
                f"The branch {experiment.branch} was moved by somebody else (expected "
                f"{old[:10] or 'none'}, found {(found or 'none')[:10]}). Nothing was forced. "
                f"Put it back: {cure}, then run again."
            )


def _describe(snapshot: Snapshot) -> str:
    return f"changed {_named(snapshot.changed)}" if snapshot.changed else ""


def _named(paths: Sequence[str], limit: int = 5) -> str:
    more = f" and {len(paths) - limit} more" if len(paths) > limit else ""
    return ", ".join(map(readable, paths[:limit])) + more
