"""One start of the tool on one experiment: what it needs, opened in order and closed in order.

Opening takes the experiment's lock, waits for what an earlier, killed run left behind, clears its
stale locks and replays the journal. Only one session writes to an experiment at a time.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Protocol

import filelock
import psutil

from autoresearch import __version__, git, runner
from autoresearch import experiment as places
from autoresearch.config import Config
from autoresearch.engines import Engine
from autoresearch.engines.local import LocalEngine
from autoresearch.errors import Interrupted, Locked, Protected
from autoresearch.experiment import Experiment
from autoresearch.history import History
from autoresearch.records import Record, SessionOpened
from autoresearch.state import State
from autoresearch.store import Store
from autoresearch.supervise import Supervisor, wait_for_earlier
from autoresearch.trial import Trial
from autoresearch.workspace import Tree

WAITING_FOR_YOU = "waiting for you"  # the phase in which the terminal belongs to a person
MIN_FREE_BYTES = 64_000_000
MIN_FREE_INODES = 200


class Reporter(Protocol):
    """Shows a person what is going on."""

    def phase(self, number: int, what: str, limit_seconds: float | None) -> None:
        """Something begins that can take up to `limit_seconds`."""
        ...

    def finished(self, trial: Trial, state: State) -> None:
        """A trial was decided and applied."""
        ...

    def failed(self, reason: str) -> None:
        """A trial failed, or none was made."""
        ...

    def say(self, text: str) -> None:
        """Something that a person should know."""
        ...

    def hang_up(self) -> None:
        """The terminal is gone: show nothing any more."""
        ...


@dataclass
class Stop:
    """Whether the user asked to end. Signal handlers only set the flag; work looks at it."""

    requested: bool = False
    reason: str = ""

    def __call__(self) -> bool:
        return self.requested

    def raise_if_requested(self) -> None:
        """Raise Interrupted when the user asked to end."""
        if self.requested:
            raise Interrupted(f"Stopped: {self.reason}.")


@dataclass
class Session:
    """An open experiment."""

    experiment: Experiment
    repository: git.Repository
    config: Config
    store: Store
    history: History
    supervisor: Supervisor
    reporter: Reporter
    stop: Stop
    runner: runner.Runner
    cache: Path
    engine: Engine = field(init=False)
    workspace: Tree = field(init=False)

    def __post_init__(self) -> None:
        self._open_trees()

    @property
    def state(self) -> State:
        """Where the experiment stands."""
        return self.history.state

    def append(self, record: Record, *, sync: bool = False) -> None:
        """Write one journal record."""
        self.history.append(record, sync=sync)

    def phase(self, number: int, what: str, limit_seconds: float | None = None) -> None:
        """Say what is going on, to the person watching and to `status`."""
        self.runner = self.runner.at(number, what, limit_seconds)
        runner.write(self.experiment.runner_path, self.runner)
        self.reporter.phase(number, what, limit_seconds)

    def use_config(self, config: Config) -> None:
        """Go on with another config."""
        self.engine.close()  # it may still be laying out a tree
        self.config = config
        self._open_trees()

    @contextlib.contextmanager
    def machine(self, number: int) -> Iterator[None]:
        """Hold the machine: two evaluations at once spoil each other's numbers.

        Raises Interrupted when the user asks to end while it waits.
        """
        if self.config.share_machine:
            yield
            return
        lock = filelock.FileLock(places.cache_root() / "machine.lock")
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            self.phase(number, "waiting for the machine")
            while not lock.is_locked:
                self.stop.raise_if_requested()
                with contextlib.suppress(filelock.Timeout):
                    lock.acquire(timeout=0.2)
        try:
            yield
        finally:
            lock.release()

    def check_disk(self) -> None:
        """Raise Protected when the disk is nearly full."""
        for path in (self.experiment.directory, self.cache, self.repository.common_dir):
            numbers = os.statvfs(path)
            free = numbers.f_bavail * numbers.f_frsize
            if free < MIN_FREE_BYTES:
                raise Protected(
                    f"The disk with {path} is nearly full ({free / 1e6:.0f} MB left). "
                    "Free some space, then run again: nothing that was decided is lost."
                )
            if numbers.f_files and numbers.f_favail < MIN_FREE_INODES:
                raise Protected(f"The disk with {path} has no room for more files.")

    def _open_trees(self) -> None:
        self.store.hide(self.config.link)
        trees = self.cache / "trees"
        self.engine = LocalEngine(self.store, self.supervisor, trees, self.config, self.stop)
        self.workspace = Tree(
            self.store, trees / "workspace", links=self.config.link, keep=self.config.keep
        )


@contextlib.contextmanager
def open_session(
    experiment: Experiment,
    repository: git.Repository,
    config: Config,
    reporter: Reporter,
    *,
    detached: bool = False,
) -> Iterator[Session]:
    """Open an experiment for writing.

    Raises Locked when another run holds it, Protected when the disk is full or commands of an
    earlier run cannot be ended.
    """
    with _experiment_lock(experiment), _signals(reporter) as stop:
        cache = places.cache_directory(experiment, repository)
        cache.mkdir(parents=True, exist_ok=True)
        wait_for_earlier(cache / "lifeguard.lock")
        store = Store(cache / "git", repository)
        store.clear_stale_locks(experiment.refs, experiment.branch_ref)
        history = History(experiment.files)
        supervisor = Supervisor(cache / "lifeguard.lock")
        me = runner.Runner(
            pid=os.getpid(),
            pid_started=psutil.Process().create_time(),
            started_at=time.time(),
            detached=detached,
        )
        runner.write(experiment.runner_path, me)
        session = Session(
            experiment=experiment,
            repository=repository,
            config=config,
            store=store,
            history=history,
            supervisor=supervisor,
            reporter=reporter,
            stop=stop,
            runner=me,
            cache=cache,
        )
        try:
            session.check_disk()
            session.append(SessionOpened(version=__version__, pid=me.pid))
            yield session
        finally:
            session.engine.close()
            experiment.runner_path.unlink(missing_ok=True)
            history.close()


@contextlib.contextmanager
def _experiment_lock(experiment: Experiment) -> Iterator[None]:
    lock = filelock.FileLock(experiment.lock_path)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        other = runner.read(experiment.runner_path)
        who = f"process {other.pid}" if other else "another process"
        raise Locked(
            f"{experiment.id} is being run by {who}. `autoresearch status` shows it, "
            "`autoresearch stop` ends it."
        ) from None
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _signals(reporter: Reporter) -> Iterator[Stop]:
    """Have Ctrl-C and SIGTERM set a flag; a second one ends at once, the commands with it."""
    stop = Stop()

    def ask(number: int, frame: FrameType | None) -> None:
        if stop.requested:
            os._exit(130)  # the lifeguard sees our end and ends the commands
        stop.requested = True
        stop.reason = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name

    def hang_up(number: int, frame: FrameType | None) -> None:
        reporter.hang_up()

    handlers: dict[signal.Signals, Callable[[int, FrameType | None], None]] = {
        signal.SIGINT: ask,
        signal.SIGTERM: ask,
        signal.SIGHUP: hang_up,
    }
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        del handlers[signal.SIGHUP]  # nohup: whoever started us has taken care of it
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
