"""Which commit the next trial starts from: pure functions of the state.

A strategy is a module with one function and a line in the table.
"""

from autoresearch.state import State
from autoresearch.strategies import greedy

_STRATEGIES = {"greedy": greedy.next_parent}


def next_parent(strategy: str, state: State) -> str:
    """The commit that the next trial starts from."""
    return _STRATEGIES[strategy](state)
