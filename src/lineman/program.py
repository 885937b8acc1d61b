"""A program's workers, described for the master that will run them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lineman import options
from lineman.process.description import Description, Place

if TYPE_CHECKING:
    from lineman.worker import Worker


def describe(workers: Sequence[Worker], settings: Mapping[str, Any]) -> Description:
    """What a master has to know of these workers; every option is checked.

    Raises:
        ConfigError: what cannot work, and the fix.
    """
    twins: Counter[str] = Counter()
    places = []
    for worker in workers:
        places.append(_place(worker, twins[worker.address]))
        twins[worker.address] += 1
    return Description(tuple(places), dict(settings))


def _place(worker: Worker, twin: int) -> Place:
    files = options.tls_files(worker)
    # What only root may read is looked at by the children, who get it from a master that is root.
    is_checked = not any(os.path.exists(file) and not os.access(file, os.R_OK) for file in files)
    plan = options.read(worker, open_files=is_checked or os.geteuid() == 0)
    processes = plan.processes
    return Place(
        address=worker.address,
        twin=twin,
        title=worker.name or plan.url,
        scheme=plan.address.scheme,
        host=plan.address.host,
        port=plan.address.port,
        count=processes.count,
        backlog=plan.limits.backlog,
        user=processes.user,
        group=processes.group,
        files=tuple(files),
        is_checked=is_checked,
        is_reloadable=processes.reloadable,
        rules=processes.rules,
    )


def find(workers: Sequence[Worker], address: str, twin: int) -> Worker | None:
    """The worker that a description called so; None where the program has changed."""
    same = [worker for worker in workers if worker.address == address]
    return same[twin] if twin < len(same) else None
