"""The loop: ask for a change, store it, measure it, decide, apply; again until a limit is reached.

Read this file first. `Loop.run` is one session's loop and `_attempt` is one trial, whose steps are
in `lane.py`. Before the first one, `recovery.prepare` carries through what a crash left open.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from autoresearch import history, proposers, strategies
from autoresearch.briefing import Briefer, Situation
from autoresearch.config import Config
from autoresearch.errors import (
    AutoresearchError,
    ConfigError,
    Interrupted,
    KeptFailing,
    ProposerUnusable,
)
from autoresearch.evaluation import base_environment
from autoresearch.lane import Lane
from autoresearch.limits import MAX_FAILURES_IN_A_ROW, Progress, budget_left, reason_to_stop
from autoresearch.proposers import (
    Context,
    Proposal,
    ProposalFailed,
    Proposer,
    Request,
    SearchExhausted,
)
from autoresearch.records import Abandoned, Stopped, TrialStarted
from autoresearch.recovery import interrupt, prepare
from autoresearch.session import WAITING_FOR_YOU, Session
from autoresearch.trial import ORDINARY, Candidate, Status, Trial, Verdict
from autoresearch.watch import ConfigWatch
from autoresearch.workspace import Snapshot

STRATEGY = "greedy"
MENDABLE = (Status.CRASH, Status.INVALID)  # what a proposer may try to mend


@dataclass
class Loop:
    """One session's loop over one experiment.

    `overridden` puts the command line over the config, each time that the file is read.
    """

    session: Session
    overridden: Callable[[Config], Config]
    is_single: bool = False

    def __post_init__(self) -> None:
        self._lane = Lane(self.session)
        self._briefer = Briefer(self.session.experiment.directory, self.session.store.diff)
        self._watch = ConfigWatch(self.session, self.overridden)
        self._ahead = ThreadPoolExecutor(max_workers=1)  # lays out while the briefing is written
        self._started = time.monotonic()
        self._cost_before = self.session.state.cost_usd
        self._trials = 0
        self._failures = 0

    def run(self) -> str:
        """Run trials until a limit is reached; returns which.

        Raises KeptFailing after five failures in a row, Interrupted when the user asks to end,
        ConfigError or Protected when nothing can be measured (any more).
        """
        reason, exit_code = "an error of the tool", 1
        try:
            reason, exit_code = self._run(), 0
        except AutoresearchError as error:
            reason, exit_code = str(error).partition("\n")[0], error.exit_code
            raise
        finally:
            self.session.append(Stopped(reason=reason, exit_code=exit_code))
        return reason

    def _run(self) -> str:
        self._rules = prepare(self._lane)
        proposer = self._make_proposer()
        while True:
            if self._watch.config_changed():
                self._rules = prepare(self._lane)
                proposer = self._make_proposer()
            if reason := self._reason_to_stop():
                return reason
            self.session.check_disk()
            try:
                trial = self._attempt(proposer)
            except SearchExhausted as exhausted:
                return str(exhausted)
            except ProposalFailed as failure:
                if self.is_single:
                    raise KeptFailing(f"No trial was made: {failure}.") from None
                number = self.session.state.next_number
                self._count_failure(number, f"no trial was made: {failure}")
                continue
            self.session.stop.raise_if_requested()
            self._trials += 1
            if trial.status in ORDINARY:
                self._failures = 0
            else:
                self._count_failure(trial.number, f"{trial.status}: {trial.reason}")

    def _attempt(self, proposer: Proposer) -> Trial:
        """One trial. Raises ProposalFailed or SearchExhausted when none came of it."""
        session, state = self.session, self.session.state
        number, parent = state.next_number, strategies.next_parent(STRATEGY, state)
        laid_out = self._ahead.submit(session.workspace.lay_out, parent)
        request = self._request(number, parent, attempt=0)
        laid_out.result()
        session.append(TrialStarted(n=number, parent=parent, proposer=proposer.name))
        try:
            candidate = self._propose(proposer, request)
        except (ProposalFailed, SearchExhausted, ConfigError, ProposerUnusable) as failure:
            if session.stop.requested:
                return interrupt(self._lane, number, self._rules)
            session.append(Abandoned(n=number, reason=str(failure)))
            raise
        verdict = self._judge(number, candidate)
        for attempt in range(1, session.config.proposer.fix_attempts + 1):
            if verdict.status not in MENDABLE or not proposer.can_fix or session.stop.requested:
                break
            mended = self._mend(proposer, number, candidate, verdict, attempt)
            if mended is None:
                break
            candidate = mended
            verdict = self._judge(number, candidate, attempt)
        trial = self._lane.conclude(number, verdict)
        self._briefer.expect(trial)
        return trial

    def _propose(self, proposer: Proposer, request: Request) -> Candidate:
        """Ask for a change, and store what then lies in the workspace."""
        proposal, seconds = self._ask(proposer, request)
        snapshot = self.session.workspace.snapshot(self._rules)
        return self._store(proposer, request, snapshot, proposal, seconds)

    def _mend(
        self, proposer: Proposer, number: int, failed: Candidate, verdict: Verdict, attempt: int
    ) -> Candidate | None:
        """Give a failed candidate back to its proposer; None when it is as before."""
        self._failed = replace(
            self.session.state.trials[number], status=verdict.status, reason=verdict.reason
        )
        request = self._request(number, failed.parent, attempt)
        try:
            proposal, seconds = self._ask(proposer, request)
        except (ProposalFailed, SearchExhausted):
            return None
        snapshot = self.session.workspace.snapshot_since(failed.parent, self._rules)
        before = (failed.tree, bool(failed.invalid), failed.frozen_touched)
        if (snapshot.tree, bool(snapshot.invalid), snapshot.frozen_touched) == before:
            return None
        proposal = replace(proposal, idea=proposal.idea or failed.idea)
        return self._store(proposer, request, snapshot, proposal, seconds)

    def _ask(self, proposer: Proposer, request: Request) -> tuple[Proposal, float]:
        """What the proposer says, and the seconds that it took."""
        if proposer.asks_a_person:
            self.session.phase(request.number, WAITING_FOR_YOU)
        else:
            limit = self.session.config.proposer.time_limit
            self.session.phase(request.number, "mending" if request.attempt else "proposing", limit)
        started = time.monotonic()
        proposal = proposer.propose(request)
        return proposal, round(time.monotonic() - started, 3)

    def _store(
        self,
        proposer: Proposer,
        request: Request,
        snapshot: Snapshot,
        proposal: Proposal,
        seconds: float,
    ) -> Candidate:
        """Make a snapshot the trial's candidate, and write that down."""
        number, attempt = request.number, request.attempt
        candidate = self._lane.store(
            number, request.parent, snapshot, proposal.idea, proposer=proposer.name, attempt=attempt
        )
        self._lane.propose(
            number,
            candidate,
            attempt=attempt,
            parameters=proposal.parameters,
            seconds=seconds,
            cost_usd=proposal.cost_usd,
        )
        return candidate

    def _judge(self, number: int, candidate: Candidate, attempt: int = 0) -> Verdict:
        objection = self._lane.objection(candidate)
        if objection is not None:
            return objection
        try:
            return self._lane.verdict(number, candidate.tree, attempt)
        except Interrupted:
            return Verdict(status=Status.INTERRUPTED, reason="stopped before it was measured")

    def _request(self, number: int, parent: str, attempt: int) -> Request:
        session, config = self.session, self.session.config
        directory = session.experiment.trial_directory(number)
        suffix = f"-fix{attempt}" if attempt else ""
        briefing = directory / f"briefing{suffix}"
        program = session.experiment.program_path
        self._briefer.write(
            briefing,
            Situation(
                number=number,
                attempt=attempt,
                parent=parent,
                state=session.state,
                config=config,
                frozen=self._rules.frozen.patterns,
                program=program.read_text(errors="replace") if program.exists() else "",
                budget_left=budget_left(config.limits, self._progress),
                failure=self._failed if attempt else None,
            ),
        )
        root = session.workspace.root
        return Request(
            number=number,
            attempt=attempt,
            workspace=root,
            directory=root / config.directory,
            briefing=briefing,
            log=directory / f"proposer{suffix}.log",
            parent=parent,
            state=session.state,
            rules=self._rules,
            environment={
                **base_environment(),
                "AUTORESEARCH_BRIEFING": str(briefing),
                "AUTORESEARCH_TRIAL": str(number),
                "AUTORESEARCH_ATTEMPT": str(attempt),
                # The workspace is no repository; git must not find another one above it.
                "GIT_CEILING_DIRECTORIES": str(root.parent),
            },
        )

    @property
    def _progress(self) -> Progress:
        return Progress(
            trials=self._trials,
            seconds=time.monotonic() - self._started,
            cost_usd=self.session.state.cost_usd - self._cost_before,
            is_single=self.is_single,
        )

    def _reason_to_stop(self) -> str:
        config = self.session.config
        return reason_to_stop(
            config.limits, self._progress, self.session.state, config.evaluate.goal
        )

    def _count_failure(self, number: int, reason: str) -> None:
        self.session.stop.raise_if_requested()
        self._failures += 1
        if self._failures >= MAX_FAILURES_IN_A_ROW:
            raise KeptFailing(
                f"Paused: {self._failures} failures in a row, the last one {reason}. "
                f"Look at {self.session.experiment.trial_directory(number)}, then run again."
            )
        self.session.reporter.failed(reason)

    def _make_proposer(self) -> Proposer:
        session = self.session
        files = session.experiment.files
        return proposers.create(
            session.config.proposer.use,
            Context(
                experiment_id=session.experiment.id,
                config=session.config,
                supervisor=session.supervisor,
                store=session.store,
                all_trials=lambda: history.read_all(files).finished,
                is_stopping=session.stop,
            ),
        )
