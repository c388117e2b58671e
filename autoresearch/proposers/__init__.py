"""What changes the code. One file each, one shape (`base.Proposer`), one table."""

import importlib

from autoresearch.errors import ConfigError
from autoresearch.proposers.base import (
    Context,
    Proposal,
    ProposalFailed,
    Proposer,
    Request,
    SearchExhausted,
)

# Name -> class, imported only when it is used. The coding agents will be one table in agents.py.
_PROPOSERS = {
    "command": ("command", "CommandProposer"),
    "manual": ("manual", "Manual"),
    "tune": ("tune", "Tune"),
}

NAMES = tuple(_PROPOSERS)

__all__ = [
    "NAMES",
    "Context",
    "Proposal",
    "ProposalFailed",
    "Proposer",
    "Request",
    "SearchExhausted",
    "check",
    "create",
]


def check(name: str) -> None:
    """Raise ConfigError when there is no proposer of that name."""
    if name not in _PROPOSERS:
        raise ConfigError(
            f"There is no proposer {name!r}. There are: {', '.join(_PROPOSERS)}; a coding agent "
            "can be called through `command` (--propose 'my-agent ...')."
        )


def create(name: str, context: Context) -> Proposer:
    """The proposer of that name. Raises ConfigError or ProposerUnusable when it cannot work."""
    check(name)
    module, attribute = _PROPOSERS[name]
    loaded = importlib.import_module(f"autoresearch.proposers.{module}")
    proposer: Proposer = getattr(loaded, attribute)(context)
    return proposer
