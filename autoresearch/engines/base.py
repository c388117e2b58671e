"""The shape that all engines have."""

from concurrent.futures import Future
from typing import Protocol

from autoresearch.evaluation import Job
from autoresearch.supervise import Outcome


class Engine(Protocol):
    """Runs jobs somewhere.

    `submit` never raises for a bad candidate. Cancelling the future also stops a running job; it
    is then done, with outcome `cancelled`, when nothing of the job is left. `lost` is the
    infrastructure's fault and never counts against a candidate.
    """

    name: str
    slots: int

    def expect(self, tree: str) -> None:
        """Begin to get ready for measuring `tree`, while the caller still stores it."""
        ...

    def submit(self, job: Job) -> Future[Outcome]:
        """Start a job."""
        ...

    def close(self) -> None:
        """Return when nothing of ours runs any more."""
        ...
