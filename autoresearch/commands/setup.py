"""`autoresearch setup`: make an experiment and measure its baseline.

Nothing is left behind when the baseline cannot be measured: the same command, corrected, works.
"""

import json
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import typer

from autoresearch import baseline, detect, evaluators, frozen, git, proposers, scaffold
from autoresearch import experiment as places
from autoresearch.baseline import Established
from autoresearch.commands import questions, ready_made, setup_report
from autoresearch.commands.ready_made import Choice
from autoresearch.commands.selection import discover
from autoresearch.config import Config
from autoresearch.dashboard import progress
from autoresearch.errors import ConfigError, Interrupted, UsageError
from autoresearch.experiment import Experiment
from autoresearch.lane import Lane
from autoresearch.scaffold import Answers
from autoresearch.session import Session, open_session
from autoresearch.store import Store

DOMAINS = ("engineering", "marketing", "content", "prompts", "custom")


@dataclass(frozen=True, kw_only=True)
class Options:
    """How setup goes about it."""

    domain: str | None = None
    name: str | None = None
    scope: str = "project"
    include_dirty: bool = False
    skip_baseline: bool = False
    yes: bool = False


def setup(path: Path, options: Options, answers: Answers) -> int:
    """Make an experiment from the answers, asking for missing ones at a terminal."""
    if options.scope not in ("project", "user"):
        raise UsageError(f"--scope is project or user, not {options.scope!r}.")
    if options.include_dirty and options.skip_baseline:
        raise UsageError("--include-dirty has no effect with --skip-baseline: leave one out.")
    try:
        return _setup(path, options, answers)
    except typer.Abort:
        raise Interrupted("Stopped at a question: no experiment was made.") from None


def _setup(path: Path, options: Options, answers: Answers) -> int:
    is_asking = sys.stdin.isatty() and sys.stdout.isatty() and not options.yes
    repository = _repository(path, is_asking=is_asking, yes=options.yes)
    git.head_commit(repository)
    files = [
        entry for entry in git.tracked_paths(repository) if not entry.startswith(".autoresearch/")
    ]
    answers = _relative_to_root(answers, repository)
    domain = options.domain or (_ask_domain() if is_asking else "custom")
    places.check_name("domain", domain)
    name = options.name or _ask_name(repository, domain, options.scope, is_asking=is_asking)
    experiment = places.place(domain, name, options.scope, repository.root)
    _refuse_to_overwrite(experiment, repository)
    answers, choice = ready_made.choose(
        answers,
        scaffold.domain_defaults(domain),
        repository,
        files,
        is_asking=is_asking,
        take_suggestions=options.yes,
    )
    if is_asking or options.yes:
        answers = questions.fill_in(answers, repository, files, take_suggestions=options.yes)
    answers = _complete(answers, choice, experiment, repository, files, options)
    cost = ready_made.cost(choice, repository, is_needed=not options.skip_baseline)
    config = _make(experiment, repository, answers, choice)
    setup_report.say_made(experiment, repository, include_dirty=options.include_dirty)
    missing = config.missing()
    if cost:
        print(f"Cost: {cost.rstrip('.')}. The baseline takes two evaluations.")
    if missing or options.skip_baseline:
        setup_report.say_unmeasured(experiment, missing)
        return 0
    if cost and is_asking and not typer.confirm("Measure it now?", default=True):
        setup_report.say_unmeasured(experiment, [])
        return 0
    _measure(experiment, repository, config, options)
    return 0


def list_experiments(path: Path, *, as_json: bool = False) -> int:
    """Name all experiments that can be seen from here."""
    experiments = discover(path)
    if as_json:
        fields = [
            {"id": one.id, "scope": one.scope, "directory": str(one.directory)}
            for one in experiments
        ]
        print(json.dumps(fields, indent=2))
        return 0
    for one in experiments:
        prefix = "" if one.scope == "project" else "user:"
        print(f"{prefix}{one.id}\t{one.directory}")
    if not experiments:
        print("There is no experiment here. `autoresearch setup` makes one.")
    return 0


def _make(
    experiment: Experiment, repository: git.Repository, answers: Answers, choice: Choice | None
) -> Config:
    """Write the experiment's folder; nothing of it stays when that fails."""
    program = scaffold.program_text(experiment, answers)
    if choice is None:
        text = scaffold.config_text(answers)
        config = _validated(text)
        scaffold.write(experiment, text, program)
        return config
    evaluator, values = choice.evaluator, choice.values
    _validated(scaffold.config_text(answers, evaluator, values))
    try:
        experiment.directory.mkdir(parents=True)
        evaluator.install(experiment.directory)
        if choice.is_complete:
            root = repository.root / repository.prefix
            values = evaluator.set_up(experiment.directory, root, values)
        text = scaffold.config_text(answers, evaluator, values)
        config = _validated(text)
        scaffold.write(experiment, text, program)
    except BaseException:
        _take_back(experiment, repository)
        raise
    return config


def _measure(
    experiment: Experiment, repository: git.Repository, config: Config, options: Options
) -> None:
    reporter = progress.reporter(config.evaluate.goal)
    try:
        with open_session(experiment, repository, config, reporter) as session:
            reporter.say(f"Measuring the baseline: {config.evaluate.command}")
            established = _establish(session, include_dirty=options.include_dirty)
            reporter.close()
    except BaseException:
        reporter.close()
        _take_back(experiment, repository)
        print(f"Nothing was kept of {experiment.id}.", file=sys.stderr)
        raise
    setup_report.say_measured(experiment, config, established)


def _establish(session: Session, *, include_dirty: bool) -> Established:
    lane = Lane(session)
    source = baseline.store_baseline(session, include_dirty=include_dirty)
    files = session.store.files(source)
    measuring = evaluators.measuring_options(session.experiment.directory)
    rules = frozen.rules(session.config, [entry.path for entry in files], measuring)
    baseline.check_repository(session, files, rules)
    return baseline.establish(lane, source, rules, probe=session.config.evaluate.probe)


def _take_back(experiment: Experiment, repository: git.Repository) -> None:
    """Remove what this setup made. The folder was not there before."""
    cache = places.cache_directory(experiment, repository)
    if (cache / "git").exists():
        store = Store(cache / "git", repository)
        store.delete_refs(experiment.refs)
        store.delete_refs(experiment.branch_ref)
    shutil.rmtree(cache, ignore_errors=True)
    shutil.rmtree(experiment.directory)
    domain = experiment.directory.parent
    if not any(domain.iterdir()):
        domain.rmdir()
    if [entry.name for entry in domain.parent.iterdir()] == [".gitignore"]:
        shutil.rmtree(domain.parent)


def _repository(path: Path, *, is_asking: bool, yes: bool) -> git.Repository:
    try:
        return git.find_repository(path)
    except ConfigError as error:
        if "not in a git repository" not in str(error) or not (is_asking or yes):
            raise
        if not yes and not typer.confirm(
            f"{path} is not a git repository. Make it one, and commit what is in it?"
        ):
            raise
    git.initialise(path)
    return git.find_repository(path)


def _relative_to_root(answers: Answers, repository: git.Repository) -> Answers:
    """Paths that were typed in a subdirectory mean paths in it; commands run there."""
    prefix = repository.prefix
    if not prefix:
        return answers
    root = repository.root

    def moved(patterns: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(
            pattern
            if (root / pattern).exists() and not (root / prefix / pattern).exists()
            else prefix + pattern.removeprefix("./")
            for pattern in patterns
        )

    return replace(
        answers,
        directory=prefix.rstrip("/"),
        target=moved(answers.target),
        frozen=moved(answers.frozen),
        link=moved(answers.link),
    )


def _refuse_to_overwrite(experiment: Experiment, repository: git.Repository) -> None:
    if experiment.directory.exists():
        raise ConfigError(
            f"{experiment.id} exists already. Edit {experiment.config_path}, choose another "
            f"--name, or remove it: `rm -r {experiment.directory}` and "
            f"`git branch -D {experiment.branch}`."
        )
    if git.ref_exists(repository, experiment.branch_ref):
        raise ConfigError(
            f"The branch {experiment.branch} exists already. Rename it "
            f"(`git branch -m {experiment.branch} NEW`), or choose another --name."
        )


def _validated(text: str) -> Config:
    try:
        config = scaffold.parse(text, "These answers")
        proposers.check(config.proposer.use)
    except ConfigError as error:
        raise UsageError(str(error)) from None
    return config


def _ask_domain() -> str:
    return str(typer.prompt(f"Domain ({', '.join(DOMAINS)}, or your own)", default="engineering"))


def _ask_name(repository: git.Repository, domain: str, scope: str, *, is_asking: bool) -> str:
    slug = re.sub(r"[^A-Za-z0-9_-]+", "-", repository.root.name).strip("-") or "experiment"
    suggested, count = slug, 1
    while places.place(domain, suggested, scope, repository.root).directory.exists():
        count += 1
        suggested = f"{slug}-{count}"
    # Bare `setup`, repeated, must refuse and not make one experiment after another.
    return str(typer.prompt("Name", default=suggested)) if is_asking else slug


def _complete(
    answers: Answers,
    choice: Choice | None,
    experiment: Experiment,
    repository: git.Repository,
    files: Sequence[str],
    options: Options,
) -> Answers:
    """Fill in what the domain assumes and what follows from the rest; say what was chosen."""
    defaults = scaffold.domain_defaults(experiment.domain)
    done = replace(answers)
    told = [done.command]
    if choice:
        told += ready_made.what_trees_need(choice)
        done.command = ready_made.command_of(experiment, done.directory)
        print(f"Evaluator: {choice.evaluator.name} ({choice.evaluator.summary})")
    done.goal = done.goal or (choice.evaluator.goal if choice else "") or defaults["goal"]
    done.time_budget = done.time_budget or defaults["time_budget"]
    done.direction = defaults["direction"] if done.direction == "" else done.direction
    done.patience = defaults["patience"]
    done.max_cost_usd = defaults["max_cost_usd"] if done.network else 0
    if re.fullmatch(r"[-+]?\d+(\.\d+)?", str(done.direction)):
        done.direction = float(done.direction)
    if experiment.scope == "user":
        done.repo = str(repository.root)
    for path in detect.named_but_ignored(repository, "\n".join(told)):
        if path not in done.link:
            done.link = (*done.link, path)
            print(f"Linking {path}: the command names it, and git does not hold it.")
    if choice:
        held = [*files, *git.uncommitted_paths(repository)] if options.include_dirty else files
        for problem in ready_made.readable_by_the_proposer(choice, repository, held, done.link):
            print(problem)
    if done.propose:
        done.proposer = "command"
    elif not done.proposer:
        done.proposer, why = detect.proposer(repository.root, files, done.target)
        print(f"Proposer: {done.proposer} ({why}).")
    return done
