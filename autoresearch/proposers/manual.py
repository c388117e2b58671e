"""A person edits the workspace and presses Enter."""

import select
import sys

from autoresearch.errors import ConfigError
from autoresearch.proposers.base import Context, Proposal, ProposalFailed, Request


class Manual:
    """Shows where the workspace is, and waits."""

    name = "manual"
    can_fix = True
    asks_a_person = True

    def __init__(self, context: Context) -> None:
        self._is_stopping = context.is_stopping
        if not sys.stdin.isatty():
            raise ConfigError(
                "The proposer `manual` needs a terminal. Without one, choose another: "
                "`--propose CMD` (any command that edits files), `--proposer tune` (declared "
                "parameters), or let an agent drive with `autoresearch try -m TEXT`."
            )

    def propose(self, request: Request) -> Proposal:
        """Wait for a line: the description of the change, or nothing."""
        print(f"\nEdit the files in {request.directory}")
        print(f"(what was tried: {request.briefing / 'history.md'})")
        print("Then describe the change and press Enter: ", end="", flush=True)
        while not select.select([sys.stdin], [], [], 0.2)[0]:
            if self._is_stopping():
                raise ProposalFailed("stopped")
        line = sys.stdin.readline()
        if not line:
            raise ProposalFailed("the terminal was closed")
        return Proposal(idea=line.strip())
