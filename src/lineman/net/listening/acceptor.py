"""Accepts the connections of a listening socket, and makes room for them if there is none.

If the process has no descriptor left, or too many connections are before their handshake, silent
ones are closed first. If all are busy, a few reserved descriptors are used to tell new clients that
they must come again: no client waits without an answer, and nothing spins.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import resource
import socket
from itertools import islice

from lineman.errors import HttpError
from lineman.net.connection.admission import RETRY_AFTER
from lineman.net.connection.connection import Connection
from lineman.net.connection.context import ConnectionContext
from lineman.net.connection.endpoint import Endpoint
from lineman.net.listening import arrival, proxy_preamble
from lineman.net.loop import syscalls
from lineman.net.loop.poller import Handler

# Accepted in one wake-up, so that a storm of connects does not starve those that are open.
ACCEPTS = 64
# Out of memory: look again after this time instead of spinning on the ready listener.
ACCEPT_PAUSE = 0.5
# The same if silent connections may be closed soon.
SHORT_PAUSE = 0.1
# How many new connections are checked to find room, the oldest first, and closed at once at most.
LOOK = 64
LET_GO = 16
# Descriptors that are kept for refusals; fewer where there are few in all.
RESERVE = 16
# A shortage that is told again: it was over for so many seconds.
NEW_SHORTAGE = 60.0

_NO_ROOM = HttpError(
    503,
    "The service is full; try again later.",
    (("Retry-After", str(RETRY_AFTER)),),
)


class Reserve:
    """Reserved descriptors, for the answer that there is no room.

    Attributes:
        is_short: whether some are lent, or could not be had.
    """

    __slots__ = ("_kept", "_size", "is_short")

    def __init__(self) -> None:
        self._size = max(2, min(RESERVE, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 32))
        self._kept: list[int] = []
        self.fill()

    def fill(self) -> None:
        """Takes back what was lent, as far as there is any."""
        with contextlib.suppress(OSError):
            while len(self._kept) < self._size:
                self._kept.append(os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC))
        self.is_short = len(self._kept) < self._size

    def lend(self) -> bool:
        """Frees one; whether there was one."""
        if self._kept:
            os.close(self._kept.pop())
            self.is_short = True
            return True
        return False

    def close(self) -> None:
        """Frees all."""
        self._size = 0
        while self.lend():
            pass


class Acceptor(Handler):
    """A listening socket in the poller.

    Args:
        service: whose connections come from it.
        listener: bound, listening and non-blocking.
        endpoint: what its connections have in common.
    """

    def __init__(
        self, service: ConnectionContext, listener: socket.socket, endpoint: Endpoint
    ) -> None:
        self._service = service
        self._endpoint = endpoint
        self._socket = listener
        self._fd = listener.fileno()
        self._limit = service.limits.max_handshakes
        # Only the client itself names its address, so it is not counted.
        special = service.is_guarded, service.proxy_protocol, endpoint.protocol
        self._is_usual = not any(special)
        self._reserve = Reserve()
        self._short_at = -NEW_SHORTAGE
        self._is_held = False  # by the program
        self._refusal: HttpError | None = None
        service.poller.add(self._fd, self)

    def on_events(self, events: int) -> None:
        """Accepts what waits."""
        service = self._service
        if self._reserve.is_short:
            self._reserve.fill()
        for _ in range(ACCEPTS):
            if self._limit and len(service.newcomers) >= self._limit and not self._has_room():
                return
            try:
                accepted = syscalls.accept(self._fd)
            except OSError as error:
                self._find_descriptor(error)
                return
            if accepted is None:
                return
            self._take(accepted[0], accepted[1], self._refusal)

    def _take(self, fd: int, peer: tuple[str, int], refusal: HttpError | None) -> None:
        service, endpoint = self._service, self._endpoint
        service.accepted += 1
        if refusal is None and self._is_usual:
            Connection(service, endpoint, fd, peer)
        elif service.proxy_protocol is not None:
            proxy_preamble.receive(service, endpoint, fd, peer, refusal)
        else:
            arrival.take(service, endpoint, fd, peer, refusal)

    # Where there is no room.

    def _has_room(self) -> bool:
        """Whether one more newcomer may come, after another has made way."""
        if self._make_room("max_handshakes") == 0.0:
            return True
        self._pause(SHORT_PAUSE)
        return False

    def _make_room(self, limit: str) -> float:
        """Lets go of newcomers that say nothing.

        Returns:
            0 where some have gone; else the seconds after which one may; infinite for nobody.
        """
        service = self._service
        now = service.wheel.now
        soonest = float("inf")
        gone = 0
        for newcomer in list(islice(service.newcomers, LOOK)):
            after = newcomer.gives_way_in(now)
            if after <= 0.0:
                newcomer.give_way(_NO_ROOM)
                gone += 1
                if gone == LET_GO:
                    break
            soonest = min(soonest, after)
        if not gone:
            return soonest
        service.tally.hits[limit] += gone
        service.log.log(
            logging.WARNING,
            "newcomers that gave way",
            "%d connections that said nothing were let go for others (%s)",
            gone,
            limit,
        )
        return 0.0

    def _find_descriptor(self, error: OSError) -> None:
        """Accepts failed: finds a descriptor for the next one, or for its refusal."""
        if error.errno not in (errno.EMFILE, errno.ENFILE):
            self._tell("resources", error, "")
            self._pause(ACCEPT_PAUSE)
            return
        now = self._service.loop.time()
        if now - self._short_at > NEW_SHORTAGE:
            self._tell("file descriptors", error, "; newcomers get 503 until some are free")
        self._short_at = now
        soonest = self._make_room("descriptors")
        if soonest == 0.0:
            return  # they are free after this batch, and the listener is still ready
        if soonest <= 1.0:
            self._pause(SHORT_PAUSE)
        elif self._reserve.lend():
            self._refuse_next()
        else:
            self._pause(SHORT_PAUSE)

    def _refuse_next(self) -> None:
        with contextlib.suppress(OSError):  # somebody else took the descriptor
            accepted = syscalls.accept(self._fd)
            if accepted is not None:
                self._service.tally.hits["descriptors"] += 1
                self._take(accepted[0], accepted[1], _NO_ROOM)

    def _tell(self, what: str, error: OSError, then: str) -> None:
        self._service.log.log(
            logging.ERROR,
            "accept failures",
            "cannot accept connections: out of %s (%s); raise the limit: ulimit -n, LimitNOFILE=%s",
            what,
            error.strerror,
            then,
        )

    def _pause(self, seconds: float) -> None:
        """Stops accepting for a moment, for the listener stays ready."""
        self._service.poller.modify(self._fd, 0)
        self._service.loop.call_later(seconds, self._resume)

    def _resume(self) -> None:
        if self._fd >= 0 and not self._is_held:
            self._service.poller.modify(self._fd, 1)

    def hold(self) -> None:
        """Accepts nobody until `release`: clients wait in the backlog."""
        self._is_held = True
        self._service.poller.modify(self._fd, 0)

    def release(self) -> None:
        """Accepts again."""
        self._is_held = False
        self._resume()

    def turn_away(self, refusal: HttpError | None) -> None:
        """Answers every new client with this error; None serves them again.

        A protocol that has no words for it just ends.
        """
        self._refusal = refusal

    def refuse(self) -> None:
        """Stops listening, also where the master has the socket as well: clients are refused.

        A socket that is shared by the processes of a worker (a unix socket, or one of systemd) is
        closed in this process only.
        """
        if self._fd >= 0 and _is_own_seat(self._socket):
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        self.close()

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
            self._reserve.close()


def _is_own_seat(listener: socket.socket) -> bool:
    """Whether a socket is that of one process; the others of its port have their own."""
    if listener.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    return bool(listener.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT))
