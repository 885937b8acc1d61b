"""What speaks to a gateway process by hand in several of its tests."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

from kit.gateway import System, said_on
from kit.waiting import DEADLINE
from lineman import Client
from lineman.brokers.base import Broker
from lineman.gateway.wire import messages
from lineman.gateway.wire.messages import Hello, new_hello
from lineman.links.framing import encode_frames


def echo(client: Client, message: str | bytes) -> None:
    """Answers with the same."""
    client.send(message)


class Peer:
    """Something that speaks to a gateway process by hand."""

    def __init__(self, system: System) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(system.paths[0])
        self._stream = self.socket.makefile("rb")
        self._heard = self._hear()
        system.peers.append(self)

    def say(self, *batch: messages.Message) -> None:
        self.socket.sendall(b"".join(encode_frames(list(batch))[0]))

    def close(self) -> None:
        """Closes the connection."""
        self._stream.close()
        self.socket.close()

    def hear(self) -> Iterator[Any]:
        """The messages that come from now on, until the other side closes."""
        return self._heard

    def _hear(self) -> Iterator[Any]:
        with contextlib.suppress(ConnectionResetError):
            yield from said_on(self._stream, messages.TO_BUSINESS)

    def wait_for(self, kind: type) -> Any:
        return next(message for message in self.hear() if isinstance(message, kind))


def worker(system: System, slot: int = 0) -> Peer:
    """A business worker that does nothing by itself."""
    peer = Peer(system)
    peer.say(new_hello(4711, slot=slot))
    peer.wait_for(Hello)
    return peer


class Loud(Broker):
    """A broker whose messages the test writes; it is there at once."""

    async def start(self) -> None:
        self._enter(True)

    def publish(self, topic: str, payload: bytes) -> None:
        pass

    def subscribe(self, topics: Any) -> None:
        pass

    def unsubscribe(self, topics: Any) -> None:
        pass

    async def close(self) -> None:
        self._end()
