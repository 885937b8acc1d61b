"""What a worker serves with in this process: its service, and what is looked after beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lineman.net.listening.proxy_lists import ListWatch
from lineman.net.service import Service
from lineman.runtime import certificate_reload as hotswap
from lineman.runtime import memory

if TYPE_CHECKING:  # which know this module, or which a worker without TLS does without
    from lineman.config.options import Plan
    from lineman.net.stream.tlsstream import Challenges
    from lineman.tls.openssl.tickets import TicketSecret
    from lineman.worker import Worker


def new_service(worker: Worker, plan: Plan, challenges: Challenges | None) -> Service:
    """What serves a worker as its plan says.

    Args:
        worker: whose it is.
        plan: its options, read.
        challenges: proofs for a certificate authority, where the worker gets its own.
    """
    return Service(
        worker,
        worker.callbacks,
        plan.limits,
        tls_context=None if plan.tls is None else plan.tls.context,
        origins=plan.origins,
        subprotocols=tuple(plan.given.subprotocols),
        trusted_proxies=plan.trusted_proxies,
        real_ip_header=plan.real_ip_header,
        compression=plan.compression,
        challenges=challenges,
        client_fingerprints=frozenset() if plan.tls is None else plan.tls.options.fingerprints,
        proxy_protocol=plan.given.proxy_protocol,
        slow_readers=plan.slow_readers,
    )


def attend(service: Service, plan: Plan, secret: TicketSecret | None, name: str) -> None:
    """Has memory, certificates and lists of proxies looked after while a service runs.

    Args:
        service: which.
        plan: of its worker.
        secret: of its TLS session tickets.
        name: whose tickets they are.
    """
    memory.watch(service)
    if plan.tls is not None:
        hotswap.share_tickets(plan.tls, secret, name)
        hotswap.watch(plan.tls, service)
    if plan.proxy_lists.has_files:
        ListWatch(service, plan.proxy_lists)
