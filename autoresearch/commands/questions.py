"""What `setup` asks at a terminal, suggesting what can be seen; `--yes` takes the suggestions."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import typer

from autoresearch import detect, git
from autoresearch.scaffold import Answers


def fill_in(
    answers: Answers,
    repository: git.Repository,
    files: Sequence[str],
    *,
    take_suggestions: bool = False,
) -> Answers:
    """The answers with what was missing. Without a suggestion, `take_suggestions` leaves it so."""
    ask = _suggested if take_suggestions else _prompt
    given = replace(answers)
    if not given.target:
        given.target = _target(ask, files, given.command, is_shown=not take_suggestions)
    if not given.metric:
        printed = [
            name
            for path in files
            if path in given.command
            for name in detect.printed_metrics((repository.root / path).read_text(errors="replace"))
        ]
        question = "Metric (the NAME in the line `NAME: NUMBER`)"
        given.metric = ask(question, printed[0] if printed else None)
    if given.direction == "":
        given.direction = ask("Direction (lower, higher, or a number to get close to)", "lower")
    if not given.propose and not given.proposer:
        use, _ = detect.proposer(repository.root, files, given.target)
        if use == "manual":
            given.propose = ask("Command that makes one change (empty: you edit)", "")
    if not given.goal:
        given.goal = ask("Goal, in a sentence", "")
    if not given.link and not take_suggestions:
        given.link = tuple(
            folder
            for folder in detect.linkable(repository)
            if typer.confirm(f"{folder} is not in git. Does the evaluation need it?", default=True)
        )
    return given


def _target(
    ask: Callable[[str, str | None], str], files: Sequence[str], command: str, *, is_shown: bool
) -> tuple[str, ...]:
    likely = detect.likely_targets(files, command)
    if likely and is_shown:
        typer.echo(f"  (for example {' '.join(likely[:6])})")
    default = likely[0] if len(likely) == 1 else None
    text = ask("Files that may be changed (patterns, with spaces between)", default)
    return tuple(text.replace(",", " ").split())


def _prompt(question: str, default: str | None) -> str:
    return str(typer.prompt(question, default=default, show_default=bool(default)))


def _suggested(question: str, default: str | None) -> str:
    return default or ""
