"""One run of the evaluator, or of a check, on one tree, in an open session."""

import shutil
from dataclasses import replace
from pathlib import Path

from autoresearch import evaluation
from autoresearch.errors import Protected
from autoresearch.evaluation import Job
from autoresearch.experiment import Experiment
from autoresearch.records import RunFinished
from autoresearch.session import Session
from autoresearch.supervise import Outcome, wait
from autoresearch.trial import Role, Run, RunStatus, Status, Verdict


def measure(
    session: Session,
    number: int,
    role: Role,
    tree: str,
    index: int,
    *,
    attempt: int = 0,
    epoch: int | None = None,
) -> Run:
    """Run the evaluator once and write the run down. A lost run is made once more.

    Raises Protected when runs are lost repeatedly.
    """
    epoch = epoch or session.state.epoch
    for _ in range(2):
        name = _name(role, index, attempt, epoch)
        run = run_once(session, number, role, tree, index, name=name, epoch=epoch)
        session.append(RunFinished(n=number, run=run, attempt=attempt, epoch=epoch))
        if run.status != RunStatus.LOST:
            return run
    raise Protected(
        f"The evaluation of trial {number} was lost twice ({run.reason}): something ends the "
        "tool's own processes."
    )


def run_once(
    session: Session,
    number: int,
    role: Role,
    tree: str,
    index: int,
    *,
    name: str,
    epoch: int,
    seconds: float | None = None,
) -> Run:
    """Run the evaluator once, for at most `seconds`, with its log in a folder of that name."""
    evaluate, experiment = session.config.evaluate, session.experiment
    limit = seconds or evaluate.hard_limit
    seed = evaluation.seed_of(experiment.id, index)
    directory = experiment.trial_directory(number) / name
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "metrics.json").unlink(missing_ok=True)
    log = directory / "evaluate.log"
    session.phase(number, "measuring", limit)
    environment = evaluation.environment(
        evaluate,
        run_directory=directory,
        baseline_directory=_baseline_directory(experiment, epoch),
        private_directory=experiment.private_directory,
        trial=number,
        seed=seed,
        index=index,
    )
    facts = _Facts(environment["AUTORESEARCH_BASELINE_DIR"], directory)
    outcome = _execute(
        session,
        Job(
            tree=tree,
            role=role,
            command=evaluate.command,
            directory=session.config.directory,
            environment=environment,
            seconds=limit,
            log=log,
        ),
    )
    run = evaluation.read_run(
        outcome,
        evaluate,
        role=role,
        tree=tree,
        index=index,
        seed=seed,
        run_directory=directory,
        log_name=str(log.relative_to(experiment.directory)),
        engine=session.engine.name,
    )
    if changed := facts.put_back():
        reason = f"it changed what the baseline's evaluation had left for later ones: {changed}"
        return replace(run, status=RunStatus.INVALID, reason=reason)
    return run


def failed_check(session: Session, number: int, tree: str, attempt: int) -> Verdict | None:
    """Run the checks; the verdict when one of them failed."""
    directory = session.experiment.trial_directory(number)
    limit = session.config.evaluate.hard_limit
    for position, check in enumerate(session.config.checks):
        directory.mkdir(parents=True, exist_ok=True)
        log = directory / f"check-{position}{f'-fix{attempt}' if attempt else ''}.log"
        session.phase(number, "checking", limit)
        outcome = _execute(
            session,
            Job(
                tree=tree,
                role=Role.CANDIDATE,
                command=check.command,
                directory=session.config.directory,
                environment=evaluation.base_environment(),
                seconds=limit,
                log=log,
            ),
        )
        if outcome.status == "cancelled":
            return Verdict(status=Status.INTERRUPTED, reason="stopped")
        if reason := evaluation.failed_reason(outcome, f"the check `{check.command}`"):
            last = evaluation.tail(log, lines=1)
            return Verdict(status=Status.CHECK, reason=f"{reason}: {last}" if last else reason)
    return None


def _execute(session: Session, job: Job) -> Outcome:
    return wait(session.engine.submit(job), session.stop)


def _baseline_directory(experiment: Experiment, epoch: int) -> Path:
    """Where the run that measured the baseline of an epoch left its files.

    The baseline is trial 0's candidate; a later epoch measures it again, as the baseline.
    """
    place = experiment.trial_directory(0)
    again = place / _name(Role.BASELINE, 0, 0, epoch)
    return again if again.exists() else place / _name(Role.CANDIDATE, 0, 0, epoch)


def _name(role: Role, index: int, attempt: int, epoch: int) -> str:
    # An epoch that could not be opened must not overwrite the files of the one in force.
    again = "" if role == Role.CANDIDATE else f"epoch-{epoch}-"
    return f"{again}{role}-{index}" + (f"-fix{attempt}" if attempt else "")


class _Facts:
    """What the baseline's evaluation left for later ones: none of them may change it.

    Code under evaluation can find the place; what it changed there would count for all later
    trials.
    """

    def __init__(self, place: str, run_directory: Path) -> None:
        self._place = Path(place)
        self._before = {} if self._place == run_directory else self._read()

    def put_back(self) -> str:
        """Restore what was changed since; its names, "" when nothing was."""
        if not self._before:
            return ""
        now = self._read()
        changed = [name for name, content in self._before.items() if now.get(name) != content]
        for name in changed:
            path = self._place / name
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            path.unlink(missing_ok=True)  # it may be a link to somewhere else by now
            self._place.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self._before[name])
        return ", ".join(changed)

    def _read(self) -> dict[str, bytes]:
        if not self._place.is_dir():
            return {}
        files = (path for path in self._place.iterdir() if path.suffix == ".json")
        return {
            path.name: path.read_bytes()
            for path in files
            if path.is_file() and not path.is_symlink() and path.name != "metrics.json"
        }
