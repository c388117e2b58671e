"""What was changed between two commits of an experiment, and how it is shown."""

import sys
from pathlib import Path

from autoresearch import experiment as places
from autoresearch.commands.selection import Selection
from autoresearch.dashboard.safe_text import visible
from autoresearch.errors import GitError
from autoresearch.store import Store

_STYLES = {"+": "green", "-": "red", "@": "cyan"}


class Changes:
    """Reads differences from the repository that an experiment is about."""

    def __init__(self, selection: Selection, path: Path) -> None:
        repository = places.repository_of(selection.experiment, selection.config, path)
        cache = places.cache_directory(selection.experiment, repository)
        self._store = Store(cache / "git", repository)
        self._refs = selection.experiment.refs

    def diff(self, old: str, new: str) -> str:
        """The difference for reading. Raises GitError when a commit is gone."""
        self._require(old, new)
        return self._store.diff(old, new)

    def files(self, old: str, new: str) -> list[str]:
        """The paths that differ. Raises GitError when a commit is gone."""
        self._require(old, new)
        return [change.path for change in self._store.changes(old, new)]

    def _require(self, *commits: str) -> None:
        for commit in commits:
            if not commit:
                raise GitError("It is not known which commit this was made from.")
            try:
                self._store.tree_of(commit)
            except GitError:
                raise GitError(
                    f"The commit {commit[:12]} is not in {self._store.repository.root}. It was "
                    f"imported from elsewhere, its ref under {self._refs} was deleted, or this is "
                    "another clone."
                ) from None


def print_diff(diff: str) -> None:
    """Print a diff: as it is into a pipe, so that it can be applied; coloured on a terminal."""
    if not sys.stdout.isatty():
        sys.stdout.write(diff)
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, soft_wrap=True)
    for line in diff.splitlines():
        is_header = line.startswith(("diff ", "index ", "+++ ", "--- "))
        style = "bold" if is_header else _STYLES.get(line[:1], "")
        console.print(Text(visible(line), style))
