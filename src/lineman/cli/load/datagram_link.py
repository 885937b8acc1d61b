"""One client of a load test over UDP: a socket of its own, a datagram for each message."""

from __future__ import annotations

import socket

from lineman.cli.load.load_link import READ, LinkState, LoadLink
from lineman.cli.websocket_client.failures import of_error

AT_A_TIME = 64  # datagrams read before the other clients have their turn


class DatagramLink(LoadLink):
    """One client of a load test over UDP, open from the beginning. See `LoadLink`."""

    __slots__ = ()

    kind = socket.SOCK_DGRAM

    def connect(self, now: int, source: str | None = None) -> None:
        """Takes a port of its own, and answers of this service only."""
        self.began = now
        try:
            self._socket.setblocking(False)
            self._socket.connect(self._net.place)
        except OSError as error:
            self._fail(of_error(error, self._net.opening.target), now)
            return
        self._net.links[self._fd] = self
        self._watch(READ)
        self._open(now)

    def on_event(self, events: int, now: int) -> None:
        """Takes the datagrams that have come, or the error that the service's machine has sent."""
        receive, buffer = self._socket.recv_into, self._net.buffer
        try:
            for _ in range(AT_A_TIME):
                count = receive(buffer)
                self._user.on_message(self, bytes(buffer[:count]), now)
        except BlockingIOError:
            pass
        except OSError as error:
            self._fail(of_error(error, self._net.opening.target), now)
        if self.state is LinkState.OPEN:
            self._user.after_read(self, now)

    def send(self, message: str | bytes, count: int, now: int) -> None:
        """Sends a datagram `count` times; one that the system does not take is lost."""
        data = self._talk.encode(message)
        try:
            for _ in range(count):
                self._socket.send(data)
        except BlockingIOError:
            pass
        except OSError as error:
            self._fail(of_error(error, self._net.opening.target), now)

    def say_goodbye(self, now: int, timeout: int) -> None:
        """Nobody is told: UDP has no connections."""
        self.drop(now)

    def give_up(self, now: int) -> None:
        """Nothing came in time: what is unanswered counts as lost, and the client goes on."""
        self._user.on_silence(self, now)
