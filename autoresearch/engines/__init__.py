"""Where evaluations run."""

from autoresearch.engines.base import Engine

__all__ = ["Engine"]
