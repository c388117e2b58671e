"""Any shell command, run in the workspace, with `$AUTORESEARCH_BRIEFING` in its environment."""

import re

from autoresearch.errors import ConfigError
from autoresearch.evaluation import failed_reason, tail
from autoresearch.proposers.base import Context, Proposal, ProposalFailed, Request
from autoresearch.supervise import Command, wait

_IDEA = re.compile(r"^[ \t]*IDEA:[ \t]*(.+?)[ \t]*$", re.MULTILINE)


class CommandProposer:
    """Runs `[proposer] command`; the last `IDEA: …` line that it prints is the description."""

    name = "command"
    can_fix = True
    asks_a_person = False

    def __init__(self, context: Context) -> None:
        self._supervisor = context.supervisor
        self._config = context.config.proposer
        self._is_stopping = context.is_stopping
        if not self._config.command.strip():
            raise ConfigError(
                "The proposer `command` needs a command: --propose CMD, or `command` under "
                "[proposer] in config.toml."
            )

    def propose(self, request: Request) -> Proposal:
        """Run the command. Raises ProposalFailed when it does not end well."""
        execution = self._supervisor.start(
            Command(
                command=self._config.command,
                directory=request.directory,
                environment=request.environment,
                log=request.log,
                seconds=self._config.time_limit,
            )
        )
        outcome = wait(execution, self._is_stopping)
        if reason := failed_reason(outcome, "the proposer"):
            last = tail(request.log, lines=1)
            raise ProposalFailed(f"{reason}: {last}" if last else reason)
        ideas = _IDEA.findall(tail(request.log, lines=1000))
        return Proposal(idea=ideas[-1] if ideas else "")
