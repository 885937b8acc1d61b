"""Accepts the connections of a listening socket, and waits a moment where there is no room."""

from __future__ import annotations

import errno
import logging
import socket

from lineman.net import preamble, syscalls
from lineman.net.connection import Connection
from lineman.net.poller import Handler
from lineman.net.service import Service

# Accepted in one wake-up, so that a storm of connects does not starve those that are open.
ACCEPTS = 64
# Out of descriptors: look again after this time instead of spinning on the ready listener.
ACCEPT_PAUSE = 0.5


class Acceptor(Handler):
    """A listening socket in the poller.

    Args:
        service: whose connections come from it.
        listener: bound, listening and non-blocking.
    """

    def __init__(self, service: Service, listener: socket.socket) -> None:
        self._service = service
        self._socket = listener
        self._fd = listener.fileno()
        service.poller.add(self._fd, self)

    def on_events(self, events: int) -> None:
        """Accepts what waits."""
        service = self._service
        for _ in range(ACCEPTS):
            try:
                accepted = syscalls.accept(self._socket)
            except OSError as error:
                self._pause(error)
                return
            if accepted is None:
                return
            service.accepted += 1
            if service.proxy_protocol is None:
                Connection(service, *accepted)
            else:
                preamble.receive(service, *accepted)

    def _pause(self, error: OSError) -> None:
        """Stops accepting for a moment: out of descriptors or memory, the listener stays ready."""
        service = self._service
        what = "file descriptors" if error.errno in (errno.EMFILE, errno.ENFILE) else "resources"
        service.log.log(
            logging.ERROR,
            "accept failures",
            "cannot accept connections: out of %s (%s); raise the limit: ulimit -n, LimitNOFILE=",
            what,
            error.strerror,
        )
        service.poller.modify(self._fd, 0)
        service.loop.call_later(ACCEPT_PAUSE, self._resume)

    def _resume(self) -> None:
        if self._fd >= 0:
            self._service.poller.modify(self._fd, 1)

    def on_fault(self) -> None:
        """Goes on: a fault while accepting concerns that one connection."""

    def flush(self) -> None:
        """Has nothing to write."""

    def close(self) -> None:
        """Stops listening."""
        if self._fd >= 0:
            self._service.poller.forget(self._fd)
            self._socket.close()
            self._fd = -1
