"""Admission: limits of the number and the rate of connections, in all and for each address.

A connection counts for its address from accept on where the peer is the client. Behind a trusted
proxy the address is known with the PROXY header or the handshake, and counts from there. Nobody
is counted at an address behind which everybody may be (see `client_key`).

A proxy that writes one header passes the client's others on, so that two may disagree and nobody
knows which one is true. Such a client counts under every address that is named for it, and
under these apart from those whose address is known: it has no more room than they, whatever it
makes up, and takes none of theirs.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from lineman.base.loglimit import LogLimit
from lineman.errors import HttpError
from lineman.net.connection.counters import Tally
from lineman.net.connection.limits import Limits
from lineman.net.connection.metered import TrafficMeter
from lineman.net.connection.networks import client_key
from lineman.net.connection.rates import Bucket, Meter, bucket

# Seconds after which a refused client may connect again.
RETRY_AFTER = 5
# The number of refusals a second that one address gets, and twice that at once; further connections
# are dropped without an answer.
REFUSALS = 5.0

Claims = Sequence[tuple[str, str]]
Key = tuple[str, bytes]  # the header that names the address, if it is in doubt; the address


class DroppedError(Exception):
    """The peer is not worth an answer."""


class _Address:
    """What one address has and does."""

    __slots__ = ("bytes", "connections", "connects", "left_at", "messages", "refusals")

    def __init__(self, limits: Limits, now: float) -> None:
        self.connections = 0
        self.connects = bucket(limits.connects_per_second_per_ip, now)
        self.refusals = Bucket(REFUSALS, now)
        self.messages = bucket(limits.messages_per_second_per_ip, now)
        self.bytes = bucket(limits.bytes_per_second_per_ip, now)
        self.left_at = now

    def refill(self) -> float:
        """Seconds after which it may do as much as one that was never here."""
        known = (self.connects, self.refusals, self.messages, self.bytes)
        return max(each.refill for each in known if each is not None)


class Admission:
    """Counts the connections of one service.

    Args:
        limits: of the service.
        tally: where hits are counted.
        log: where they are told.
        clock: seconds that only go forward.

    Attributes:
        is_guarded: whether newcomers have to ask.
        is_metered: whether what clients send is counted.
    """

    def __init__(
        self, limits: Limits, tally: Tally, log: LogLimit, clock: Callable[[], float]
    ) -> None:
        self._limits = limits
        self._tally = tally
        self._log = log
        self._clock = clock
        self._connects = bucket(limits.connects_per_second, clock())
        self._addresses: dict[Key, _Address] = {}
        self._keys: dict[Any, tuple[Key, ...]] = {}  # of each connection that counts
        self._left: deque[tuple[float, Key]] = deque()  # addresses that nobody is at any more
        self._counts = limits.counts_addresses
        self._keep = _Address(limits, 0.0).refill()  # seconds
        self.is_guarded = bool(self._counts or limits.max_connections or limits.connects_per_second)
        self.is_metered = bool(
            limits.messages_per_second
            or limits.bytes_per_second
            or limits.messages_per_second_per_ip
            or limits.bytes_per_second_per_ip
        )

    def __len__(self) -> int:
        return len(self._addresses)

    # A connection comes, and goes.

    def arrive(self) -> HttpError | None:
        """A new connection, from any peer: why it is refused, or None."""
        if self._connects is None or self._connects.spend(1, self._clock()):
            return None
        rate = self._limits.connects_per_second
        return self._refuse(503, "connects_per_second", f"more than {rate:g} connects a second")

    def check(
        self, ip: str, claims: Claims = (), *, is_droppable: bool = False
    ) -> HttpError | None:
        """A client connects from an address: why it is refused, or None.

        Args:
            ip: of the client, if that is known.
            claims: the headers that name it, and what they name, where they disagree.
            is_droppable: whether there is no proxy between, which would report silence as our
                error.

        Raises:
            DroppedError: it connects again and again, and gets no answer.
        """
        now = self._clock()
        self._forget(now)
        for key in self._keys_of(ip, claims):
            address = self._address(key, now)
            refusal = self._refusal(address, ip, now)
            if refusal is not None:
                if is_droppable and not address.refusals.spend(1, now):
                    raise DroppedError
                return refusal
        return None

    def count(self, connection: Any, ip: str, claims: Claims = ()) -> None:
        """Counts a connection for its address, until `leave`; arguments as for `check`."""
        keys = self._keys_of(ip, claims)
        if keys:
            self.leave(connection)
            now = self._clock()
            for key in keys:
                self._address(key, now).connections += 1
            self._keys[connection] = keys

    def leave(self, connection: Any) -> None:
        """The connection has ended, or is not a client's own."""
        now = self._clock()
        for key in self._keys.pop(connection, ()):
            address = self._addresses[key]
            address.connections -= 1
            if not address.connections:
                address.left_at = now
                self._left.append((now, key))

    def admit(self, connection: Any, claims: Claims) -> HttpError | None:
        """A connection wants to be a websocket; why it may not, or None.

        An accepted connection counts for its address, if it does not yet.
        """
        refusal = self.check_room(len(connection.service.connections))
        if refusal is None and connection not in self._keys:
            refusal = self.check(connection.remote_ip, claims)
            if refusal is None:
                self.count(connection, connection.remote_ip, claims)
        return refusal

    def check_room(self, open_connections: int) -> HttpError | None:
        """Why there may be no websocket more; None where there may."""
        limit = self._limits.max_connections
        if not limit or open_connections < limit:
            return None
        return self._refuse(503, "max_connections", f"{limit} connections are open")

    def meter(self, connection: Any) -> TrafficMeter:
        """Counts what the client of a connection sends."""
        return TrafficMeter(self._meter(connection), self._tally.hits, self._clock)

    def _meter(self, connection: Any) -> Meter:
        limits, now = self._limits, self._clock()
        messages: list[tuple[str, Bucket | None]] = [
            ("messages_per_second", bucket(limits.messages_per_second, now))
        ]
        sizes: list[tuple[str, Bucket | None]] = [
            ("bytes_per_second", bucket(limits.bytes_per_second, now))
        ]
        for key in self._keys.get(connection, ()):
            address = self._addresses[key]
            messages.append(("messages_per_second_per_ip", address.messages))
            sizes.append(("bytes_per_second_per_ip", address.bytes))
        return Meter(messages, sizes)

    def _keys_of(self, ip: str, claims: Claims) -> tuple[Key, ...]:
        if not self._counts:
            return ()
        prefix = self._limits.ipv6_prefix
        named = claims or (("", ip),)
        return tuple(
            {(header, key): None for header, ip in named if (key := client_key(ip, prefix))}
        )

    def _address(self, key: Key, now: float) -> _Address:
        address = self._addresses.get(key)
        if address is None:
            address = self._addresses[key] = _Address(self._limits, now)
            self._left.append((now, key))
        return address

    def _refusal(self, address: _Address, ip: str, now: float) -> HttpError | None:
        limit = self._limits.connections_per_ip
        if limit and address.connections >= limit:
            words = f"{limit} connections of one address are allowed"
            return self._refuse(429, "connections_per_ip", words, ip)
        if address.connects is not None and not address.connects.spend(1, now):
            rate = self._limits.connects_per_second_per_ip
            words = f"more than {rate:g} connects a second of one address"
            return self._refuse(429, "connects_per_second_per_ip", words, ip)
        return None

    def _refuse(self, status: int, limit: str, words: str, ip: str = "a client") -> HttpError:
        self._tally.hits[limit] += 1
        self._log.log(logging.WARNING, f"past {limit}", "%s: refused: %s (%s)", ip, words, limit)
        again = (("Retry-After", str(RETRY_AFTER)),)
        return HttpError(status, f"{words}; try again later.", again)

    def _forget(self, now: float) -> None:
        """Forgets addresses that nobody is at, once all that they may do is saved up again."""
        while self._left and now - self._left[0][0] > self._keep:
            _, key = self._left.popleft()
            address = self._addresses.get(key)
            if address is None or address.connections:
                continue
            if now - address.left_at > self._keep:
                del self._addresses[key]
            else:
                self._left.append((address.left_at, key))
