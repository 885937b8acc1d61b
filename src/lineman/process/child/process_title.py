"""What `ps` shows for a process, where the extra `titles` is installed."""

from __future__ import annotations

PREFIX = "lineman: "
# Followed by the path of the program.
MASTER = "master of "


def set_title(text: str) -> None:
    """Names this process; nothing happens without `setproctitle`."""
    try:
        from setproctitle import setproctitle  # an extra
    except ImportError:
        return
    setproctitle(f"{PREFIX}{text}")
