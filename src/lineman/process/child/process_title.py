"""The title that `ps` shows for a process, if the extra `titles` is installed."""

from __future__ import annotations

PREFIX = "lineman: "
# The master's title begins with this; the path of the program follows.
MASTER = "master of "


def set_title(text: str) -> None:
    """Names this process; nothing happens without `setproctitle`."""
    try:
        from setproctitle import setproctitle  # an extra
    except ImportError:
        return
    setproctitle(f"{PREFIX}{text}")
