"""How numbers look to people. The only place that formats them for reading."""

import math
from collections.abc import Sequence
from datetime import datetime

NONE = "-"
_DIGITS = 6


def number(value: float | None) -> str:
    """`value` with six significant digits; whole numbers in full; `-` for none."""
    if value is None:
        return NONE
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    if not 1e-4 <= abs(value) < 1e15:
        return f"{value:.{_DIGITS}g}"
    text = f"{value:.{_decimals(value)}f}"
    return _without_minus_zero(text.rstrip("0").rstrip(".") if "." in text else text)


def column(values: Sequence[float | None]) -> list[str]:
    """The values as they stand under each other, with equally many decimals."""
    texts = [number(value) for value in values]
    if any("e" in text for text in texts):
        return texts
    decimals = max((len(text.partition(".")[2]) for text in texts), default=0)
    if decimals > _DIGITS:
        return texts
    return [
        text
        if value is None or not math.isfinite(value)
        else _without_minus_zero(f"{value:.{decimals}f}")
        for text, value in zip(texts, values, strict=True)
    ]


def percent(value: float | None) -> str:
    """A change in percent with its sign: `+5.2%`, `-0.04%`, `0.0%`."""
    if value is None:
        return NONE
    decimals = 0 if abs(value) >= 1000 else 1 if abs(value) >= 0.1 else 2
    text = f"{value:+.{decimals}f}"
    return "0.0%" if float(text) == 0 else f"{text}%"


def duration(seconds: float | None) -> str:
    """Seconds as `80ms`, `4.2s`, `42s`, `3m10s`, `1h05m` or `2d03h`."""
    if seconds is None:
        return NONE
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    minutes = whole // 60
    if minutes < 24 * 60:
        return f"{minutes // 60}h{minutes % 60:02}m"
    hours = minutes // 60
    return f"{hours // 24}d{hours % 24:02}h"


def cost(usd: float) -> str:
    """US dollars, to the cent, and finer below one."""
    return f"${usd:.2f}" if usd >= 1 else f"${usd:.4f}"


def moment(seconds: float) -> str:
    """Seconds since the epoch as local date and time, to the minute."""
    return datetime.fromtimestamp(seconds).strftime("%Y-%m-%d %H:%M")


def _decimals(value: float) -> int:
    return max(0, _DIGITS - 1 - math.floor(math.log10(abs(value))))


def _without_minus_zero(text: str) -> str:
    return text[1:] if text.startswith("-") and float(text) == 0 else text
