"""Tells once that a worker of several processes sends to the clients of one process alone."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lineman.worker import Worker

logger = logging.getLogger("lineman")


def tell(worker: Worker) -> None:
    """Logs it at the first use in this process."""
    worker._is_split = False
    logger.warning(
        "%s runs in %d processes, and worker.broadcast and worker.connections reach the clients of "
        "one process alone; fix: use Gateway, whose groups and send_to_all reach every client, "
        "or count=1",
        worker.name or worker.address,
        worker.count,
    )
