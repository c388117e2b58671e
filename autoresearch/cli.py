"""The Typer app: declares commands and options; imports a command's body only when it is called."""

import io
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated, Optional

import typer

from autoresearch import __version__
from autoresearch.errors import AutoresearchError, Protected

MORE = "Look at results"
DRIVE = "Drive a run"
CARE = "Take care"

app = typer.Typer(
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help=(
        "An experiment loop that you can leave alone overnight and trust in the morning.\n\n"
        "Give it a git repository, a command that prints a number, and something that proposes "
        "changes. It keeps what improves the number, throws the rest away without losing it, and "
        "shows what happened. Begin with `autoresearch setup`, or see `autoresearch demo`."
    ),
)

# What several commands take.
PathOption = Annotated[
    Path, typer.Option("--path", help="The project, when it is not the current directory.")
]
ExperimentOption = Annotated[
    Optional[str],  # noqa: UP045 - Typer resolves these at run time
    typer.Option("--experiment", "-e", metavar="D/N", help="Which experiment: domain/name."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
HERE = Path()


def _version(wanted: bool) -> None:
    if wanted:
        print(f"autoresearch {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    if debug:
        os.environ["AUTORESEARCH_DEBUG"] = "1"


@app.command()
def setup(
    domain: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="engineering, marketing, content, prompts, custom, or your own word."),
    ] = None,
    name: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="The experiment's name; the repository's when left out."),
    ] = None,
    target: Annotated[
        list[str], typer.Option(metavar="GLOB", help="What may be changed. Repeatable.")
    ] = [],  # noqa: B006
    eval_command: Annotated[
        str, typer.Option("--eval", metavar="CMD", help="The command that prints the number.")
    ] = "",
    evaluator: Annotated[
        str, typer.Option(metavar="NAME", help="A ready-made evaluator instead of --eval.")
    ] = "",
    evaluator_option: Annotated[
        list[str], typer.Option(metavar="K=V", help="What it is told. Repeatable.")
    ] = [],  # noqa: B006
    metric: Annotated[str, typer.Option(help="NAME in the printed line `NAME: NUMBER`.")] = "",
    direction: Annotated[
        str, typer.Option(help="lower, higher, or a number to get close to.")
    ] = "",
    pattern: Annotated[
        str, typer.Option(metavar="RE", help="Finds the number instead; one group.")
    ] = "",
    goal: Annotated[str, typer.Option(help="What better means, in a sentence.")] = "",
    time_budget: Annotated[
        str, typer.Option(metavar="TIME", help="For one evaluation: 90s, 5m, 1h30m; bare: minutes.")
    ] = "",
    scope: Annotated[
        str, typer.Option(help="project: in the repository; user: in your home directory.")
    ] = "project",
    constraints: Annotated[str, typer.Option(help="What the proposer must respect.")] = "",
    frozen: Annotated[
        list[str], typer.Option(metavar="GLOB", help="What must not be changed. Repeatable.")
    ] = [],  # noqa: B006
    link: Annotated[
        list[str],
        typer.Option(metavar="PATH", help="An ignored folder that is needed (data, .venv)."),
    ] = [],  # noqa: B006
    check: Annotated[
        list[str], typer.Option(metavar="CMD", help="Must pass before measuring. Repeatable.")
    ] = [],  # noqa: B006
    proposer: Annotated[str, typer.Option(help="command, tune or manual.")] = "",
    propose: Annotated[
        str, typer.Option(metavar="CMD", help="A command that makes one change.")
    ] = "",
    path: PathOption = HERE,
    include_dirty: Annotated[
        bool, typer.Option("--include-dirty", help="Take uncommitted changes into the baseline.")
    ] = False,
    skip_baseline: Annotated[
        bool, typer.Option("--skip-baseline", help="Do not measure now.")
    ] = False,
    no_probe: Annotated[
        bool, typer.Option("--no-probe", help="Do not test that the target is what is measured.")
    ] = False,
    show_list: Annotated[bool, typer.Option("--list", help="Name the experiments here.")] = False,
    show_evaluators: Annotated[
        bool, typer.Option("--list-evaluators", help="Show the ready-made evaluators.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing; take what is suggested.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make an experiment: what may change, what is measured, who proposes."""
    from autoresearch.commands import setup as command
    from autoresearch.scaffold import Answers

    if show_list:
        raise typer.Exit(command.list_experiments(path, as_json=as_json))
    if show_evaluators:
        from autoresearch.commands import ready_made

        if evaluator:
            raise typer.Exit(ready_made.describe(evaluator, as_json=as_json))
        raise typer.Exit(ready_made.list_evaluators(as_json=as_json))
    answers = Answers(
        goal=goal,
        target=tuple(target),
        frozen=tuple(frozen),
        link=tuple(link),
        checks=tuple(check),
        command=eval_command,
        evaluator=evaluator,
        evaluator_options=tuple(evaluator_option),
        metric=metric,
        direction=direction,
        pattern=pattern,
        time_budget=time_budget,
        constraints=constraints,
        proposer=proposer,
        propose=propose,
        probe=not no_probe,
    )
    options = command.Options(
        domain=domain,
        name=name,
        scope=scope,
        include_dirty=include_dirty,
        skip_baseline=skip_baseline,
        yes=yes,
    )
    raise typer.Exit(command.setup(path, options, answers))


@app.command()
def run(
    experiment: ExperimentOption = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the last active experiment.")
    ] = False,
    single: Annotated[bool, typer.Option("--single", help="One trial (the default).")] = False,
    loop: Annotated[bool, typer.Option("--loop", help="Trial after trial, until a limit.")] = False,
    max_experiments: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=0, metavar="N", help="Stop after N trials of this run (0: no limit)."),
    ] = None,
    max_time: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="TIME", help="Begin no trial after this time: 8h, 90m."),
    ] = None,
    max_cost: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(
            min=0, metavar="USD", help="Stop when proposer and evaluator have cost this much."
        ),
    ] = None,
    patience: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(min=0, metavar="N", help="Stop after N trials without a gain."),
    ] = None,
    until: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option(metavar="VALUE", help="Stop when the metric is at least this good."),
    ] = None,
    proposer: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="command, tune or manual, instead of the config's."),
    ] = None,
    propose: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="CMD", help="Have this command make the changes."),
    ] = None,
    model: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="The proposer's model, for proposers that have one."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would happen; do nothing.")
    ] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Run in the background; see status and stop.")
    ] = False,
    as_json: JsonOption = False,
    path: PathOption = HERE,
    is_background: Annotated[bool, typer.Option("--is-background", hidden=True)] = False,
) -> None:
    """Run trials: propose, measure, keep or discard."""
    from autoresearch.commands import run as command

    options = command.Options(
        max_experiments=max_experiments,
        max_time=max_time,
        max_cost=max_cost,
        patience=patience,
        until=until,
        proposer=proposer,
        propose=propose,
        model=model,
    )
    raise typer.Exit(
        command.run(
            path,
            experiment,
            options,
            resume=resume,
            single=single,
            loop=loop,
            dry_run=dry_run,
            detach=detach,
            as_json=as_json,
            is_background=is_background,
        )
    )


@app.command()
def log(
    experiment: ExperimentOption = None,
    domain: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="All experiments of this domain."),
    ] = None,
    dashboard: Annotated[bool, typer.Option("--dashboard", help="One row an experiment.")] = False,
    format: Annotated[
        str, typer.Option("--format", help="terminal, csv, markdown or json.")
    ] = "terminal",
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--output", "-o", metavar="FILE", help="Write it there."),
    ] = None,
    count: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("-n", min=0, metavar="N", help="The last N trials (0: all)."),
    ] = None,
    status: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(metavar="S", help="Only trials that ended so: keep, discard, crash, …"),
    ] = None,
    top: Annotated[int, typer.Option(min=0, metavar="N", help="The best N trials.")] = 0,
    as_json: JsonOption = False,
    path: PathOption = HERE,
) -> None:
    """Show what happened: an experiment's trials, or all experiments."""
    from autoresearch.commands import log as command

    raise typer.Exit(
        command.log(
            path, experiment, domain, dashboard, format, output, count, status, top, as_json
        )
    )


@app.command("try", rich_help_panel=DRIVE)
def try_(
    message: Annotated[
        str, typer.Option("-m", "--message", metavar="TEXT", help="What you changed, and why.")
    ] = "",
    experiment: ExperimentOption = None,
    sync: Annotated[
        bool, typer.Option("--sync", help="Merge the best so far into your files; measure nothing.")
    ] = False,
    as_json: JsonOption = False,
    path: PathOption = HERE,
) -> None:
    """Measure what you edited in your own checkout; keep it, or put your files back."""
    from autoresearch.commands import try_ as command

    if sync:
        raise typer.Exit(command.sync(path, experiment, as_json=as_json))
    raise typer.Exit(command.try_(path, experiment, message, as_json=as_json))


@app.command(rich_help_panel=DRIVE)
def status(
    experiment: ExperimentOption = None, as_json: JsonOption = False, path: PathOption = HERE
) -> None:
    """Say whether a run is going on, how far it is, and what to do next."""
    from autoresearch.commands import status as command

    raise typer.Exit(command.status(path, experiment, as_json))


@app.command(rich_help_panel=DRIVE)
def stop(experiment: ExperimentOption = None, path: PathOption = HERE) -> None:
    """End a run that is going on; its trial in flight is put back and recorded."""
    from autoresearch.commands import stop as command

    raise typer.Exit(command.stop(path, experiment))


TrialArgument = Annotated[str, typer.Argument(metavar="N", help="A trial: 3, best or baseline.")]


@app.command(rich_help_panel=MORE)
def show(
    trial: TrialArgument,
    experiment: ExperimentOption = None,
    as_json: JsonOption = False,
    path: PathOption = HERE,
) -> None:
    """Show one trial: idea, diff, metrics, runs, reason, log."""
    from autoresearch.commands import show as command

    raise typer.Exit(command.show(path, experiment, trial, as_json))


@app.command(rich_help_panel=MORE)
def diff(
    a: TrialArgument,
    b: Annotated[
        Optional[str],  # noqa: UP045
        typer.Argument(metavar="[M]", help="Another trial; its parent when left out."),
    ] = None,
    experiment: ExperimentOption = None,
    path: PathOption = HERE,
) -> None:
    """Show the difference in code between two trials, or of one to its parent."""
    from autoresearch.commands import diff as command

    raise typer.Exit(command.diff(path, experiment, a, b))


@app.command(rich_help_panel=MORE)
def compare(
    trials: Annotated[
        list[str], typer.Argument(metavar="A B …", help="Trials: 3, best, baseline.")
    ],
    experiment: ExperimentOption = None,
    as_json: JsonOption = False,
    path: PathOption = HERE,
) -> None:
    """Put the metrics of trials side by side; the first is the reference."""
    from autoresearch.commands import compare as command

    raise typer.Exit(command.compare(path, experiment, trials, as_json))


@app.command(rich_help_panel=DRIVE)
def apply(
    trial: Annotated[str, typer.Argument(metavar="[N]", help="A trial: 3, or best.")] = "best",
    commits: Annotated[
        bool, typer.Option("--commits", help="One commit for each trial on the way to it.")
    ] = False,
    no_commit: Annotated[
        bool, typer.Option("--no-commit", help="Into your files and the index only.")
    ] = False,
    patch: Annotated[
        bool, typer.Option("--patch", help="Print it for `git apply`; change nothing.")
    ] = False,
    message: Annotated[
        str, typer.Option("-m", "--message", metavar="TEXT", help="The subject, not the goal.")
    ] = "",
    experiment: ExperimentOption = None,
    as_json: JsonOption = False,
    path: PathOption = HERE,
) -> None:
    """Bring the best, or trial N, into your own branch as one commit.

    Never overwrites uncommitted work. Commit hooks do not run; `post-merge` does.
    """
    from autoresearch.commands import apply as command

    form = command.form_of(commits=commits, no_commit=no_commit, patch=patch)
    raise typer.Exit(command.apply(path, experiment, trial, form, message, as_json=as_json))


@app.command(rich_help_panel=CARE)
def restore(
    trial: TrialArgument,
    branch: Annotated[
        str, typer.Option(metavar="NAME", help="Make this branch (default: <experiment>-<N>).")
    ] = "",
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--output", "-o", metavar="DIR", help="Write the files there instead."),
    ] = None,
    files: Annotated[
        bool, typer.Option("--files", help="Write its target files into your checkout instead.")
    ] = False,
    experiment: ExperimentOption = None,
    path: PathOption = HERE,
) -> None:
    """Bring any trial back, kept or not. Never overwrites work."""
    from autoresearch.commands import restore as command

    raise typer.Exit(command.restore(path, experiment, trial, branch, output, files))


@app.command("import", rich_help_panel=CARE)
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="results.tsv, a ledger, a log.")],
    experiment: Annotated[
        str,
        typer.Option("--experiment", "-e", metavar="D/N", help="The experiment to make of it."),
    ],
    metric: Annotated[
        str, typer.Option(metavar="NAME", help="The metric, where the file does not say it.")
    ] = "",
    direction: Annotated[
        str, typer.Option(help="lower, higher, or a number to get close to.")
    ] = "",
    scope: Annotated[
        str, typer.Option(help="project: in the repository; user: in your home directory.")
    ] = "project",
    as_json: JsonOption = False,
    path: PathOption = HERE,
) -> None:
    """Take over a history: karpathy's, Gluepy's, labloop's, pi-autoresearch's, or our own."""
    from autoresearch.commands import import_ as command

    raise typer.Exit(
        command.import_(path, file, experiment, metric, direction, scope, as_json=as_json)
    )


@app.command(rich_help_panel=CARE)
def doctor(
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend the record; a copy of it is kept.")
    ] = False,
    experiment: ExperimentOption = None,
    path: PathOption = HERE,
) -> None:
    """Check an experiment's record for damage."""
    from autoresearch.commands import doctor as command

    raise typer.Exit(command.doctor(path, experiment, repair))


@app.command()
def demo(
    trials: Annotated[int, typer.Option(min=1, help="How many trials.")] = 24,
    output: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--output", "-o", metavar="DIR", help="Where the demo repository is made."),
    ] = None,
) -> None:
    """See it work: a real search in a repository of its own, without account or network."""
    from autoresearch.commands import demo as command

    raise typer.Exit(command.demo(output, trials))


def main() -> None:
    """Run the command line; errors become one sentence and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a path need not be UTF-8, nor the locale
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except AutoresearchError as error:
        _end(str(error), error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader, such as `head`, has seen enough
        sys.exit(0)
    except KeyboardInterrupt:
        _end("Stopped.", 130)
    except OSError as error:
        _end(*_explained(error))
    except Exception as error:
        _end(
            f"This is a bug of autoresearch ({type(error).__name__}: {error}). "
            "`autoresearch --debug …` shows where.",
            1,
        )


def _explained(error: OSError) -> tuple[str, int]:
    place = f" ({os.fsdecode(error.filename)})" if error.filename else ""
    return (
        f"{error.strerror or error}{place}. Nothing that was decided is lost.",
        Protected.exit_code,
    )


def _end(message: str, exit_code: int) -> None:
    if os.environ.get("AUTORESEARCH_DEBUG"):
        traceback.print_exc()
    text = message.encode("utf-8", "backslashreplace").decode()
    print(f"autoresearch: {text}", file=sys.stderr)
    sys.exit(exit_code)
