"""Always from the best so far. The default, and the one to begin with."""

from autoresearch.state import State


def next_parent(state: State) -> str:
    """The incumbent."""
    return state.incumbent
