"""Why the unchanged code cannot be measured, or not as the user thinks, and what to do about it."""

from pathlib import Path

from autoresearch import evaluation, git
from autoresearch.errors import ConfigError
from autoresearch.frozen import OWN_FOLDER
from autoresearch.session import Session
from autoresearch.trial import Role, Status


def likely_cause(session: Session) -> str:
    """Why emptying the target may not change the number, and what to do."""
    root = str(session.repository.root)
    command = session.config.evaluate.command
    if any(root in text for text in (command, *session.config.evaluate.option_texts)):
        return (
            f"The command names your own checkout ({root}): use paths relative to it, so that "
            "each candidate is measured in a tree of its own."
        )
    if installed := _editable_install(session):
        source = "src" if (session.repository.root / "src").is_dir() else "."
        return (
            f"A Python environment imports from your own checkout (an editable install, "
            f"{installed}): put the tree first, for example "
            f"`PYTHONPATH={source} {command}`."
        )
    return (
        "Is the command using files outside the repository, an installed copy of the package, "
        "or another file than the target? Or does it succeed with an empty target too? Then have "
        "a --check, or the evaluator (expect_output), look at what it does."
    )


def _editable_install(session: Session) -> str:
    root = session.repository.root
    environment = evaluation.base_environment().get("VIRTUAL_ENV", "")
    places = [Path(environment)] if environment else []
    places += [root / path for path in (".venv", "venv", *session.config.link)]
    for word in session.config.evaluate.command.split():
        if "/bin/" in word:
            places.append(Path(root / word).parent.parent)
    for place in places:
        for pattern in ("*.pth", "__editable__*"):
            for file in place.glob(f"lib/python*/site-packages/{pattern}"):
                if str(root) in file.read_text(errors="replace"):
                    return file.name
    return ""


def unmeasurable(
    session: Session, status: Status, reason: str, role: Role = Role.BASELINE
) -> ConfigError:
    """What to say, and what to do, when the unchanged code cannot be measured."""
    session.stop.raise_if_requested()
    experiment = session.experiment
    number = session.state.incumbent_trial if role == Role.INCUMBENT else 0
    logs = sorted(
        experiment.trial_directory(number).rglob("*.log"), key=lambda path: path.stat().st_mtime
    )
    output = evaluation.tail(logs[-1]) if logs else ""
    advice = _advice(session, status, output)
    shown = (
        f"\n--- last lines of its output ---\n{output}\n---" if output else " It printed nothing."
    )
    return ConfigError(f"The {role} cannot be measured: {reason}. {advice}{shown}")


def _advice(session: Session, status: Status, output: str) -> str:
    config = session.config
    if absent := absent_from_trees(session, output):
        options = " ".join(f"--link {path}" for path in absent)
        return (
            f"Your checkout has {', '.join(absent)}, which git does not hold, so the tree that is "
            f"measured has not. Commit it; or, if it is data or a tool that no candidate changes, "
            f"name it with {options} (`link` in config.toml); or, if it is built from the target, "
            "build it in the evaluation (`make && ./bench`, or an evaluator's option prepare)."
        )
    if evaluation.own_reason(output):
        return ""  # it says itself what is wrong
    match status:
        case Status.TIMEOUT:
            return (
                f"It gets {config.evaluate.hard_limit:g} s (--time-budget times stop_after): "
                "give it more, or make it do less."
            )
        case Status.INVALID:
            return "Print the metric, or name it with --metric, or find it with --pattern."
        case Status.CHECK:
            return "The unchanged code must pass its own checks."
        case _:
            return (
                "Does the command work in a fresh clone of the repository? It runs in a copy that "
                "has only what git holds; folders such as data or .venv are added with --link."
            )


def absent_from_trees(session: Session, output: str) -> list[str]:
    """Untracked or ignored paths of the checkout that the command or its output names."""
    repository, config = session.repository, session.config
    there = [*git.ignored_paths(repository), *git.uncommitted_paths(repository)]
    text = "\n".join([config.evaluate.command, *config.evaluate.option_texts, output])
    found = []
    for path in there:
        plain = path.rstrip("/")
        if plain in config.link or plain.startswith(OWN_FOLDER) or "__pycache__" in plain:
            continue
        if not session.store.read_file(session.state.baseline or "HEAD", plain) and _names(
            text, plain
        ):
            found.append(plain)
    return found[:5]


def _names(text: str, path: str) -> bool:
    name = path.rpartition("/")[2]
    return any(
        f"{before}{wanted}{after}" in f" {text} "
        for wanted in {path, name}
        for before in " '\"/\n=("
        for after in " '\"/\n:,)"
    )
