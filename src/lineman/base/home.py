"""The home directory of this user; in a container a user may have none."""

from __future__ import annotations

import os
from pathlib import Path

from lineman.errors import ConfigError


def home(instead: str) -> Path:
    """The home directory.

    Args:
        instead: what the error says to set if there is none.

    Raises:
        ConfigError: this user has none.
    """
    try:
        return Path.home()
    except RuntimeError:
        raise ConfigError(
            f"user {os.geteuid()} has no home directory here, and HOME is not set",
            f"set {instead}, or HOME",
        ) from None
