"""Calls the program's `on_master_stop` when all its processes have ended.

The master never runs the program's code. So a process of the program's user runs the program up to
`Worker.run_all()`, calls the function, and ends.
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable

from lineman.errors import ConfigError
from lineman.process.master.describing import Describing
from lineman.process.master.master_setting import Setting
from lineman.process.master.reactor import Reactor
from lineman.process.messages.role import BLOCKED, Role

logger = logging.getLogger("lineman")

# Seconds until the process must have ended: the command `stop` waits for it.
TIMEOUT = 10.0


def begin(
    reactor: Reactor, setting: Setting, on_done: Callable[[], object]
) -> Describing[None] | None:
    """Starts the process; None if that is not possible.

    Args:
        reactor: the master's event loop.
        setting: with what the master was started.
        on_done: called when the process has ended, or is not possible.
    """

    def ended(found: ConfigError | None) -> None:
        if found is not None:
            logger.error("on_master_stop was not called, or has failed: %s", found)
        on_done()

    try:
        return Describing(
            reactor,
            setting.program,
            setting.rights.describer,
            BLOCKED,
            time.monotonic(),
            lambda told: None,
            ended,
            functools.partial(Role, moment="stop"),
            TIMEOUT,
        )
    except (ConfigError, OSError) as error:
        logger.error("on_master_stop is not called: %s", error)
        on_done()
        return None
