"""Numbers in a short form with their unit, for operators. Pure."""

from __future__ import annotations

from datetime import UTC, datetime


def size(count: float) -> str:
    """Bytes: `0`, `812`, `1.2K`, `340M`; K is 1024."""
    return _scaled(count, 1024.0)


def number(count: float) -> str:
    """How many: `0`, `0.3`, `12`, `1.2k`, `34M`; k is 1000."""
    return _scaled(count, 1000.0).replace("K", "k")


def _scaled(count: float, step: float) -> str:
    if 0 < count < 9.95 and count != round(count):
        return f"{count:.1f}" if count >= 0.05 else "<0.1"
    for unit in ("", "K", "M", "G", "T"):
        if count < step * 0.9995 or unit == "T":
            return f"{count:.1f}{unit}" if unit and count < 9.95 else f"{count:.0f}{unit}"
        count /= step
    raise AssertionError


def span(seconds: float) -> str:
    """A length of time in its two largest units: `0s`, `59s`, `5m12s`, `3h05m`, `12d04h`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02}h"


def delay(seconds: float) -> str:
    """A delay: `0ms`, `12ms`, `1.2s`."""
    return f"{seconds * 1000:.0f}ms" if seconds < 0.9995 else f"{seconds:.1f}s"


def share(value: float) -> str:
    """A share of one core: `0%`, `7%`, `180%`."""
    return f"{value * 100:.0f}%"


def date(seconds: float) -> str:
    """A time, given in seconds since 1970: `2027-01-02 10:20 UTC`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
