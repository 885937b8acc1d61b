"""Gives a running service the certificates that its files contain now, without a restart."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from lineman.net.loop.wheel import Timed

if TYPE_CHECKING:  # only workers with TLS need them
    from lineman.net.service import Service
    from lineman.tls.files.pem import Contents
    from lineman.tls.openssl.tickets import TicketSecret
    from lineman.tls.serving.live_certificates import LiveTls

logger = logging.getLogger("lineman")

# Seconds between two looks at the files.
INTERVAL = 1.0


class _Watcher(Timed):
    """An item in the service's wheel: no timer and no task of its own."""

    def __init__(self, tls: LiveTls, service: Service) -> None:
        self.filed_tick = 0
        self._tls = tls
        self._service = service

    def on_deadline(self, now: float) -> float:
        """Looks at the files; returns when to look again."""
        try:
            if self._tls.look():
                self._service.serve_tls(self._tls.context)
        except Exception:  # an error must not end the watching
            logger.exception("defect in lineman while looking at certificates")
        return now + INTERVAL


def share_tickets(tls: LiveTls, secret: TicketSecret | None, name: str) -> None:
    """Lets every process with this secret resume the TLS sessions of this worker."""
    if secret is None or tls.share_tickets(secret, name) or tls.options.ssl_context is not None:
        return
    logger.info(
        "a TLS session can be resumed in the same process only: Lineman cannot set the keys of "
        "session tickets in this Python's OpenSSL"
    )


def watch(tls: LiveTls, service: Service) -> None:
    """Watches the certificate files for as long as the service runs."""
    service.wheel.file(_Watcher(tls, service), service.wheel.now + INTERVAL)


def reload(tls: LiveTls, service: Service, contents: Contents | None) -> list[str]:
    """Reads all files again; returns a line for each certificate that could not be replaced."""
    refused = tls.reload(contents)
    service.serve_tls(tls.context)
    return refused
