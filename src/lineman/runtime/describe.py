"""Describes a program's workers for the master that will run them."""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import TYPE_CHECKING, Any

from lineman.base import address as addresses
from lineman.config import checked_options
from lineman.config.listen_addresses import name_of
from lineman.errors import ConfigError
from lineman.process.messages.lines import clean
from lineman.process.messages.process_rules import Rules
from lineman.tls.serving.phpcontext import without_effect

if TYPE_CHECKING:  # imported at the first use: a process that serves does not need it
    from lineman.config.checked_options import CheckedOptions
    from lineman.config.worker_description import WorkerDescription
    from lineman.process.master.description import Description, Place

logger = logging.getLogger("lineman")

# The name in the log and in `status` of the process that `Worker.metrics` adds.
METRICS = "lineman metrics"
MAX_TITLE = 200


def describe(workers: Sequence[WorkerDescription], settings: Mapping[str, Any]) -> Description:
    """All that a master must know about these workers; every option is checked.

    Raises:
        ConfigError: an option that cannot work, and the fix.
    """
    from lineman.process.master.description import Description, ProgramSettings

    claims = Counter(worker.claim for worker in workers if worker.claim)
    for claim, count in claims.items():
        if count > 1:
            raise ConfigError(f"there is more than one {claim}", "give each a name of its own")
    twins: Counter[str] = Counter()
    places = []
    for worker in workers:
        name = name_of(worker.address)
        places.append(_place(worker, twins[name]))
        twins[name] += 1
    if settings.get("metrics") is not None:
        places.append(metrics_place(settings["metrics"], places))
    return Description(tuple(places), ProgramSettings(**settings))


def _place(worker: WorkerDescription, twin: int) -> Place:
    # Files that only root may read are checked by the children: a master that is root passes the
    # files to them.
    is_checked = can_read_files(worker)
    plan = checked_options.read(worker, open_files=is_checked or os.geteuid() == 0)
    for job in worker.jobs:
        job.check_process(plan.given.count)
    for line in without_effect((worker.context or {}).get("ssl")):
        logger.warning("%s", line)
    return place_of(worker, twin, plan, is_checked)


def can_read_files(worker: WorkerDescription) -> bool:
    """Whether this process may read the existing files that the worker's TLS options name."""
    files = checked_options.tls_files(worker)
    return not any(os.path.exists(file) and not os.access(file, os.R_OK) for file in files)


def place_of(worker: WorkerDescription, twin: int, plan: CheckedOptions, is_checked: bool) -> Place:
    """The place of a worker.

    Args:
        worker: the worker.
        twin, is_checked: as in `Place`.
        plan: its checked options.
    """
    from lineman.process.master.description import Place, PlaceAddress

    certificates, keys = checked_options.tls_pairs(worker)
    given = plan.given
    return Place(
        address=name_of(worker.address),
        twin=twin,
        title=clean(worker.name or ", ".join(plan.urls) or "worker without an address", MAX_TITLE),
        addresses=tuple(PlaceAddress(each.text, *astuple(each.address)) for each in plan.addresses),
        count=given.count,
        backlog=plan.limits.backlog,
        socket_mode=given.socket_mode,
        user=given.user,
        group=given.group,
        certificates=certificates,
        keys=keys,
        is_checked=is_checked,
        is_reloadable=given.reloadable,
        takes_clients=bool(plan.addresses) and worker.takes_clients,
        rules=plan.rules,
    )


def metrics_place(address: object, places: Sequence[Place]) -> Place:
    """The place of the process that serves the state to Prometheus and load balancers."""
    example = 'give an address of this machine: "127.0.0.1:9100"'
    if not isinstance(address, str) or "//" in address or not re.search(r":\d+$", address):
        raise ConfigError(f"metrics is {address!r}", example)
    where = addresses.parse(f"ws://{address}")
    if importlib.util.find_spec("prometheus_client") is None:
        raise ConfigError(
            f"metrics is {address!r}, but prometheus-client is not installed",
            f"{sys.executable} -m pip install prometheus-client",
        )
    from lineman.process.master.description import Place, PlaceAddress

    rules = [place.rules for place in places]
    return Place(
        address=f"metrics {address}",
        twin=0,
        title=METRICS,
        addresses=(PlaceAddress(address, *astuple(where)),),
        count=1,
        backlog=64,
        # It runs as the same user as the workers, so that no process listens as root without need.
        user=next((place.user for place in places if place.user), ""),
        group=next((place.group for place in places if place.user), ""),
        rules=Rules(
            drain_seconds=max(each.drain_seconds for each in rules),
            stop_timeout=max(each.stop_timeout for each in rules),
        ),
        takes_clients=False,
        module="lineman.metrics.exporter",
    )
