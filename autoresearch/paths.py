"""Which paths a list of patterns means.

Patterns are relative to the repository's root. `*` and `?` stop at `/`, `**` does not, and a
pattern that names a directory means everything below it.
"""

import re
from collections.abc import Iterable
from functools import lru_cache


class Patterns:
    """A list of patterns, compiled."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self.patterns = tuple(patterns)
        self._expressions = [
            re.compile(_translate(pattern), re.DOTALL) for pattern in self.patterns
        ]

    def match(self, path: str) -> bool:
        """Whether any pattern means `path`."""
        return any(expression.fullmatch(path) for expression in self._expressions)

    def unmatched(self, paths: Iterable[str]) -> list[str]:
        """The patterns that mean none of `paths`."""
        paths = list(paths)
        return [
            pattern
            for pattern, expression in zip(self.patterns, self._expressions, strict=True)
            if not any(expression.fullmatch(path) for path in paths)
        ]


def readable(path: str) -> str:
    """`path` for people and records: bytes that are not UTF-8 are written out."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")


@lru_cache
def _translate(pattern: str) -> str:
    pattern = pattern.removeprefix("./").rstrip("/")
    if pattern in ("", "."):
        return ".*"
    # A pattern also means the file of just that name: frameworks have folders called `[id]`.
    return f"(?:{re.escape(pattern)}|{_glob(pattern)})(?:/.*)?"


def _glob(pattern: str) -> str:
    parts, position = [], 0
    while position < len(pattern):
        if pattern.startswith("**/", position):
            parts.append("(?:[^/]+/)*")
            position += 3
        elif pattern.startswith("**", position):
            parts.append(".*")
            position += 2
        elif pattern[position] == "*":
            parts.append("[^/]*")
            position += 1
        elif pattern[position] == "?":
            parts.append("[^/]")
            position += 1
        elif pattern[position] == "[" and (end := pattern.find("]", position + 2)) > 0:
            parts.append(_characters(pattern[position + 1 : end]))
            position = end + 1
        else:
            parts.append(re.escape(pattern[position]))
            position += 1
    return "".join(parts)


def _characters(inside: str) -> str:
    """`[abc]`, `[a-z]` or `[!abc]`, which never mean a `/`."""
    is_negated = inside.startswith("!") and len(inside) > 1
    # What `re` gives a meaning of its own: `[[`, `--`, `&&`, `~~`, `||`.
    escaped = re.sub(r"[\\\[\]^&~|]|(?<=-)-", r"\\\g<0>", inside[1:] if is_negated else inside)
    found = f"(?!/)[{'^' if is_negated else ''}{escaped}]"
    try:
        re.compile(found)
    except re.error:  # a range that runs backwards
        return re.escape(f"[{inside}]")
    return found
