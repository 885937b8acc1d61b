"""Makes the service of a worker, from its checked options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineman.config.checked_options import CheckedOptions
from lineman.config.worker_description import WorkerDescription
from lineman.net.service import Service

if TYPE_CHECKING:  # only workers with TLS need it
    from lineman.net.stream.tlsstream import Challenges


def new_service(
    worker: WorkerDescription, plan: CheckedOptions, challenges: Challenges | None
) -> Service:
    """The service of a worker, from its plan.

    Args:
        worker: the worker.
        plan: its checked options.
        challenges: answers for a certificate authority, if the worker gets its own certificate.
    """
    return Service(
        worker,
        worker.callbacks,
        plan.limits,
        tls_context=None if plan.tls is None else plan.tls.context,
        subprotocols=tuple(plan.given.subprotocols),
        trusted_proxies=plan.trusted_proxies,
        real_ip_header=plan.real_ip_header,
        compression=plan.compression,
        challenges=challenges,
        client_fingerprints=frozenset() if plan.tls is None else plan.tls.options.fingerprints,
        proxy_protocol=plan.given.proxy_protocol,
        slow_readers=plan.slow_readers,
    )
