"""What a service says on its standard error."""

from __future__ import annotations

import logging
import sys


def set_up() -> None:
    """Sends lineman's log to standard error, unless the program has set up logging itself."""
    logger = logging.getLogger("lineman")
    if logging.getLogger().handlers or logger.handlers:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s [%(process)d] %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


def reopen() -> None:
    """Opens the log file anew, after it was renamed; nothing where there is none."""
