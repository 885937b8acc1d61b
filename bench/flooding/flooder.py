"""Floods a server for some seconds, from many connections of one process.

    python flooder.py KIND CONNECTIONS PORT SECONDS [CA]

It runs with low priority, so that a measuring client on the same core does not wait for it.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import ssl
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from flooding.kinds import HANDSHAKE, KINDS, UPDATES, Kind, updater

KIND_OF = {kind.title: kind for kind in (*KINDS, UPDATES)}
ROOM = bytearray(1024 * 1024)


class Flooder:
    """One connection, which is opened again when it has ended.

    Args:
        kind: of the flood.
        port: on this machine.
        tls: how TLS is spoken; None for plain TCP.
        selector: tells when the socket is ready.
    """

    def __init__(
        self, kind: Kind, port: int, tls: ssl.SSLContext | None, selector: selectors.BaseSelector
    ) -> None:
        self._kind = kind
        self._port = port
        self._context = tls
        self._selector = selector
        self._connect()

    def _connect(self) -> None:
        self._tcp = socket.create_connection(("127.0.0.1", self._port))
        self._tls: ssl.SSLObject | None = None
        self._is_ready = self._is_last = False
        self._waiting = memoryview(b"")
        if self._context is not None:
            self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
            self._tls = self._context.wrap_bio(self._in, self._out, server_hostname="localhost")
            self._shake_hands(self._tls)
        else:
            self._begin()
        self._tcp.setblocking(False)
        events = selectors.EVENT_READ | selectors.EVENT_WRITE
        self._selector.register(self._tcp, events, self)

    def _shake_hands(self, tls: ssl.SSLObject) -> None:
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                self._tcp.sendall(self._out.read())
                self._in.write(self._tcp.recv(65536))
            else:
                break
        self._begin()

    def _begin(self) -> None:
        self._is_ready = True
        if self._tls is not None and self._kind.updates:
            update = updater(self._tls)
            for _ in range(self._kind.updates):
                update()
        self._say(HANDSHAKE if self._kind.is_open else b"")

    def _say(self, data: bytes) -> None:
        if self._tls is not None:
            if data:
                self._tls.write(data)
            data = self._out.read()
        self._waiting = memoryview(data)

    def serve(self, events: int) -> None:
        """Sends and reads as much as the socket takes and gives."""
        try:
            if events & selectors.EVENT_READ and not self._tcp.recv_into(ROOM):
                self._end()
                return
            if events & selectors.EVENT_WRITE:
                if not self._waiting:
                    if self._is_last:
                        self._selector.modify(self._tcp, selectors.EVENT_READ, self)
                        self._tcp.shutdown(socket.SHUT_WR)
                        return
                    self._is_last = self._kind.is_brief
                    self._say(self._kind.data)
                self._waiting = self._waiting[self._tcp.send(self._waiting) :]
        except BlockingIOError:
            pass
        except OSError:
            self._end()

    def _end(self) -> None:
        self._selector.unregister(self._tcp)
        self._tcp.close()
        self._connect()


def main(title: str, count: str, port: str, seconds: str, ca: str = "") -> None:
    """Floods; prints nothing."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    tls = ssl.create_default_context(cafile=ca) if ca else None
    end = time.monotonic() + float(seconds)
    with selectors.DefaultSelector() as selector, contextlib.suppress(ConnectionError):
        for _ in range(int(count)):
            Flooder(KIND_OF[title], int(port), tls, selector)
        while time.monotonic() < end:
            for key, events in selector.select(1):
                key.data.serve(events)


if __name__ == "__main__":
    main(*sys.argv[1:])
