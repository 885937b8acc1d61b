"""Raises the limit of open files for the processes of a program."""

from __future__ import annotations

import logging
import resource

logger = logging.getLogger("lineman")

# With a lower limit a service meets it before other limits of the machine.
ENOUGH = 10_000


def raise_open_files() -> int:
    """Raises this process' limit of open files to the hard one; children inherit it.

    Returns:
        The limit. If it is too low, the log says so.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (OSError, ValueError):
            pass  # the kernel's own limit, fs.nr_open, is lower
    if soft < ENOUGH:
        logger.warning(
            "each process may open only %d files, which limits the number of clients; raise the "
            "hard limit: "
            "ulimit -Hn, LimitNOFILE=65536 in the systemd unit, or --ulimit nofile=65536 in a "
            "container",
            soft,
        )
    return soft
