"""A repository with experiments whose journals were written by the real thing."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import tomli_w

from autoresearch.experiment import FOLDER, Experiment
from autoresearch.history import History
from autoresearch.records import (
    Applied,
    Decided,
    EpochOpened,
    Proposed,
    RunFinished,
    Stopped,
    TrialStarted,
)
from autoresearch.trial import Role, Run, RunStatus, Status


@dataclass
class Recorded:
    """One experiment and what was tried in it."""

    root: Path
    experiment: Experiment
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(10**6)))
    head: str = ""

    @contextmanager
    def history(self) -> Iterator[History]:
        history = History(self.experiment.files)
        try:
            yield history
        finally:
            history.close()

    def baseline(self, value: float, **metrics: float) -> None:
        with self.history() as history:
            epoch = EpochOpened(epoch=1, digest="d", reason="the first", baseline="b" * 40)
            history.append(epoch)
        self.head = git(self.root, "rev-parse", "HEAD")
        self.trial(Status.KEEP, value, "baseline", **metrics)

    def trial(
        self,
        status: Status,
        value: float | None,
        idea: str,
        *,
        reason: str = "",
        log: str = "",
        **metrics: float,
    ) -> int:
        """One trial: a commit on top of the incumbent, a run, a decision."""
        number = next(self.numbers)
        parent = self.head
        commit, tree = parent, git(self.root, "rev-parse", f"{parent}^{{tree}}")
        if number > 0:
            commit, tree = self.commit(parent, f"speed = {number}\n")
        with self.history() as history:
            numbers = {} if value is None else {"value": value}
            if value is not None and number > 0:
                numbers["incumbent"] = history.state.incumbent_value or 0.0
            history.append(TrialStarted(n=number, parent=parent, proposer="command"))
            history.append(Proposed(n=number, candidate=commit, tree=tree, idea=idea))
            run = Run(
                role=Role.CANDIDATE,
                tree=tree,
                index=0,
                seed=11,
                status=RunStatus.CRASH if value is None else RunStatus.MEASURED,
                metrics={} if value is None else {"p50_ms": value, **metrics},
                seconds=4.2,
                cpu_seconds=3.9,
                peak_mb=120.4,
                log=self._write_log(number, log) if log else "",
            )
            history.append(RunFinished(n=number, run=run))
            history.append(Decided(n=number, status=status, reason=reason, numbers=numbers))
            history.append(Applied(n=number))
        if status == Status.KEEP:
            self.head = commit
        return number

    def begin(self) -> None:
        """Start a trial and come no further, as a killed run does."""
        with self.history() as history:
            number = next(self.numbers)
            history.append(TrialStarted(n=number, parent=self.head, proposer="command"))

    def stop(self, reason: str) -> None:
        with self.history() as history:
            history.append(Stopped(reason=reason))

    def commit(self, parent: str, content: str) -> tuple[str, str]:
        """Store a commit that changes `handler.py`, without touching the checkout."""
        blob = git(self.root, "hash-object", "-w", "--stdin", stdin=content)
        tree = git(self.root, "mktree", stdin=f"100644 blob {blob}\thandler.py\n")
        return git(self.root, "commit-tree", "-p", parent, "-m", "candidate", tree), tree

    def damage(self, line: int) -> None:
        """Change one byte in a line of the journal, counted from 1."""
        path = self.experiment.files.journal
        lines = path.read_bytes().splitlines(keepends=True)
        lines[line - 1] = lines[line - 1].replace(b'"at":', b'"at" ', 1)
        path.write_bytes(b"".join(lines))
        self.experiment.files.summary.unlink(missing_ok=True)

    def _write_log(self, number: int, text: str) -> str:
        path = self.experiment.trial_directory(number) / "candidate-0" / "evaluate.log"
        path.parent.mkdir(parents=True)
        path.write_text(text)
        return str(path.relative_to(self.experiment.directory))


@dataclass
class Laboratory:
    """A repository in which experiments can be set up."""

    root: Path

    def experiment(
        self, identity: str = "engineering/speed", *, direction: str = "lower", **evaluate: str
    ) -> Recorded:
        domain, name = identity.split("/")
        experiment = Experiment(domain, name, "project", self.root / FOLDER / domain / name)
        experiment.directory.mkdir(parents=True)
        table = {
            "goal": "answer faster",
            "target": ["handler.py"],
            "evaluate": {
                "command": "python bench.py",
                "metric": "p50_ms",
                "direction": direction,
                **evaluate,
            },
        }
        experiment.config_path.write_text(tomli_w.dumps(table))
        return Recorded(self.root, experiment)


def git(root: Path, *arguments: str, stdin: str = "") -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@localhost")
    answer = subprocess.run(
        ["git", "-C", str(root), *identity, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.stdout.strip()


def new_laboratory(root: Path) -> Laboratory:
    root.mkdir()
    git(root, "init", "-q")
    (root / "handler.py").write_text("speed = 0\n")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "start")
    return Laboratory(root)
