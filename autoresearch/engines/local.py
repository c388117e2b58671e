"""Evaluations on this machine, one at a time, each in a pristine tree."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from autoresearch.config import Config
from autoresearch.evaluation import Job
from autoresearch.store import Store
from autoresearch.supervise import Command, Outcome, Supervisor, wait
from autoresearch.trial import Role
from autoresearch.workspace import Tree


class LocalEngine:
    """Lays a job's tree out in the cache and runs its command there."""

    name = "local"
    slots = 1

    def __init__(
        self,
        store: Store,
        supervisor: Supervisor,
        trees: Path,
        config: Config,
        is_stopping: Callable[[], bool],
    ) -> None:
        self._is_stopping = is_stopping
        self._supervisor = supervisor
        self._config = config
        self._ahead = ThreadPoolExecutor(max_workers=1)
        self._expected: tuple[str, Future[None]] | None = None
        self._trees = {
            role: Tree(store, trees / role, links=config.link, keep=config.keep)
            for role in (Role.CANDIDATE, Role.INCUMBENT)
        }

    def expect(self, tree: str) -> None:
        """Begin to lay out a candidate. It takes another processor's time, not the caller's."""
        place = self._trees[Role.CANDIDATE]
        self._expected = tree, self._ahead.submit(place.lay_out, tree)

    def submit(self, job: Job) -> Future[Outcome]:
        """Lay out the tree, prepare it when that is due, and start the command."""
        place = Role.CANDIDATE if job.role == Role.CANDIDATE else Role.INCUMBENT
        tree = self._trees[place]
        if not self._was_expected(place, job.tree):
            tree.lay_out(job.tree)
        if self._config.evaluate.prepare:
            outcome = self._prepare(tree, job)
            if outcome is not None:
                return _done(outcome)
        return self._start(tree, job, job.command, job.log)

    def close(self) -> None:
        """End everything that still runs."""
        self._ahead.shutdown()
        self._supervisor.close()

    def _was_expected(self, place: Role, tree: str) -> bool:
        """Whether the tree was laid out ahead; waits for it. Each layout serves one job."""
        expected, self._expected = self._expected, None
        if expected is None:
            return False
        expected[1].result()
        return place == Role.CANDIDATE and expected[0] == tree

    def _prepare(self, tree: Tree, job: Job) -> Outcome | None:
        """Run `prepare` when its inputs changed; the outcome when it failed."""
        command = self._config.evaluate.prepare
        if not tree.needs_preparing(command):
            return None
        tree.unprepare()
        tree.lay_out(job.tree)
        log = job.log.with_name("prepare.log")
        outcome = wait(self._start(tree, job, command, log), self._is_stopping)
        if outcome.status == "exited" and outcome.exit_code == 0:
            tree.prepared(tree.needs_preparing(command))
            return None
        job.log.write_bytes(log.read_bytes())
        return outcome

    def _start(self, tree: Tree, job: Job, command: str, log: Path) -> Future[Outcome]:
        return self._supervisor.start(
            Command(
                command=command,
                directory=tree.root / job.directory,
                environment={**job.environment, "PWD": str(tree.root / job.directory)},
                log=log,
                seconds=job.seconds,
            )
        )


def _done(outcome: Outcome) -> Future[Outcome]:
    future: Future[Outcome] = Future()
    future.set_result(outcome)
    return future
