"""Text from agents and programs, made safe to show.

Ideas, logs and diffs are written by others. Raw, they could move the cursor, change the colours,
hide what stands beside them, or break a row in two.
"""

import re
import unicodedata

_ESCAPE_SEQUENCE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colours, cursor
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # titles, links, the clipboard
)
# Characters that reorder the text around them are as good as control characters.
_REORDERING = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_BREAKING = re.compile(rf"[\x00-\x1f\x7f-\x9f\u2028\u2029{_REORDERING}\s]+")
_INVISIBLE = re.compile(rf"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029{_REORDERING}]")


def one_line(text: str) -> str:
    """`text` on one line, without control characters or terminal escapes."""
    text = _ESCAPE_SEQUENCE.sub("", _encodable(text))
    return _BREAKING.sub(" ", text).strip()


def visible(text: str) -> str:
    r"""`text` with its lines and tabs, and every control character written out (`\x1b`)."""
    return _INVISIBLE.sub(lambda match: ascii(match[0])[1:-1], _encodable(text))


def width(text: str) -> int:
    """How many columns of a terminal `text` takes; rather one too many than one too few."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def shorten(text: str, columns: int) -> str:
    """`text` cut to at most `columns` columns, with `…` where something is missing."""
    if width(text) <= columns:
        return text
    kept, used = [], 1
    for character in text:
        used += _columns(character)
        if used > columns:
            break
        kept.append(character)
    return "".join(kept) + "…" if columns > 0 else ""


def _columns(character: str) -> int:
    if character == "\ufe0f":  # makes the character before it an emoji, which is wider
        return 1
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def _encodable(text: str) -> str:
    """Without the surrogates that stand for bytes of a file name that is not UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
