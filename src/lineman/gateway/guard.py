"""What a client may do, and how long it may be silent or unknown. Pure: it decides, others act."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import Enum
from typing import NamedTuple

from lineman.errors import ConfigError
from lineman.gateway.client import Client

# Past a rate a client may send what it has saved up in so many seconds, and no more.
BURST = 2.0


@dataclass(frozen=True, slots=True)
class GuardOptions:
    """Limits of a gateway's clients; 0 is none.

    Attributes:
        connections_per_ip: open clients of one address.
        messages_per_second: of one client, on average; twice that at once.
        bytes_per_second: likewise.
        messages_per_second_per_ip: of all clients of one address.
        bytes_per_second_per_ip: likewise.
        authenticate_within: seconds in which a client must be bound to a uid.
        ping_interval: seconds of silence after which a client is sent `ping_data`.
        ping_data: a message of the program's own, for clients whose websocket pings nobody sees;
            None for none.
        ping_not_response_limit: a client that was silent for so many intervals is closed.
    """

    connections_per_ip: int = 0
    messages_per_second: float = 0
    bytes_per_second: float = 0
    messages_per_second_per_ip: float = 0
    bytes_per_second_per_ip: float = 0
    authenticate_within: float = 0
    ping_interval: float = 0
    ping_data: str | bytes | None = None
    ping_not_response_limit: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "ping_data":
                if value is not None and not isinstance(value, (str, bytes)):
                    raise ConfigError(f"ping_data is {value!r}", "give text, bytes or None")
            elif isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
                raise ConfigError(f"{field.name} is {value!r}", "give a number, 0 for no limit")
        if (self.ping_data is not None or self.ping_not_response_limit) and not self.ping_interval:
            raise ConfigError(
                "ping_data or ping_not_response_limit is given without an interval",
                "give ping_interval=25 as well",
            )


class Due(Enum):
    """What is due for a client."""

    AUTHENTICATION = "not authenticated in time"
    PING = "silent for an interval"
    DEATH = "silent for too long"


class _Bucket:
    """A token bucket: what may be spent now, filled at a rate."""

    __slots__ = ("_at", "_left")

    def __init__(self, rate: float, now: float) -> None:
        self._left = BURST * rate
        self._at = now

    def spend(self, amount: float, rate: float, now: float) -> bool:
        left = min(BURST * rate, self._left + (now - self._at) * rate)
        self._at = now
        # One message that is larger than all that can be saved up must come through at times.
        is_enough = left >= min(amount, BURST * rate)
        self._left = left - amount if is_enough else left
        return is_enough


class _Spender:
    """A client, or an address, with what it may still send."""

    __slots__ = ("bytes", "clients", "messages")

    def __init__(self, messages: float, size: float, now: float) -> None:
        self.messages = _Bucket(messages, now) if messages else None
        self.bytes = _Bucket(size, now) if size else None
        self.clients = 0


class _Watch(NamedTuple):
    heard_at: float
    missed: int


class Guard:
    """Keeps count of the clients of one gateway process.

    Args:
        options: the limits.
        clock: seconds that only go forward.

    Attributes:
        refused: clients that were not let in or were closed for a limit.
    """

    def __init__(self, options: GuardOptions, clock: Callable[[], float]) -> None:
        self._options = options
        self._clock = clock
        self._clients: dict[Client, _Spender] = {}
        self._ips: dict[str, _Spender] = {}
        self._unknown: OrderedDict[Client, float] = OrderedDict()
        self._silent: OrderedDict[Client, _Watch] = OrderedDict()  # the longest silent first
        self.refused = 0

    @property
    def ping_data(self) -> str | bytes | None:
        """What a silent client is sent."""
        return self._options.ping_data

    @property
    def is_idle(self) -> bool:
        """Whether there is no limit at all."""
        return self._options == GuardOptions()

    def admit(self, ip: str) -> str | None:
        """Why a client of this address must stay out; None to let it in."""
        limit = self._options.connections_per_ip
        found = self._ips.get(ip)
        if limit and found is not None and found.clients >= limit:
            self.refused += 1
            return f"{limit} connections of one address are allowed"
        return None

    def enter(self, client: Client) -> None:
        """A client is there."""
        options, now = self._options, self._clock()
        ip = client.connection.remote_ip
        found = self._ips.get(ip)
        if found is None:
            found = self._ips[ip] = _Spender(
                options.messages_per_second_per_ip, options.bytes_per_second_per_ip, now
            )
        found.clients += 1
        self._clients[client] = _Spender(options.messages_per_second, options.bytes_per_second, now)
        if options.authenticate_within:
            self._unknown[client] = now + options.authenticate_within
        if options.ping_interval:
            self._silent[client] = _Watch(now, 0)

    def leave(self, client: Client) -> None:
        """A client is gone."""
        if self._clients.pop(client, None) is None:
            return
        self._unknown.pop(client, None)
        self._silent.pop(client, None)
        ip = client.connection.remote_ip
        self._ips[ip].clients -= 1
        if not self._ips[ip].clients:
            del self._ips[ip]

    def hear(self, client: Client, size: int) -> str | None:
        """A client sent a message.

        Returns:
            Which limit it passes, in words; None where it may.
        """
        options, now = self._options, self._clock()
        if options.ping_interval and client in self._silent:
            self._silent[client] = _Watch(now, 0)
            self._silent.move_to_end(client)
        own = self._clients.get(client)
        if own is None:
            return None
        shared = self._ips[client.connection.remote_ip]
        for bucket, amount, rate, words in (
            (own.messages, 1, options.messages_per_second, "messages a second"),
            (own.bytes, size, options.bytes_per_second, "bytes a second"),
            (shared.messages, 1, options.messages_per_second_per_ip,
             "messages a second of one address"),
            (shared.bytes, size, options.bytes_per_second_per_ip, "bytes a second of one address"),
        ):  # fmt: skip
            if bucket is not None and not bucket.spend(amount, rate, now):
                self.refused += 1
                return f"more than {rate:g} {words}"
        return None

    def due(self) -> list[tuple[Client, Due]]:
        """What must be done now; to be asked every second."""
        options, now = self._options, self._clock()
        found: list[tuple[Client, Due]] = []
        while self._unknown:
            client, deadline = next(iter(self._unknown.items()))
            if client.uid is None and deadline > now:
                break
            del self._unknown[client]
            if client.uid is None:
                self.refused += 1
                found.append((client, Due.AUTHENTICATION))
        while self._silent:
            client, (heard_at, missed) = next(iter(self._silent.items()))
            if now - heard_at < options.ping_interval:
                break
            missed += 1
            if options.ping_not_response_limit and missed > options.ping_not_response_limit:
                del self._silent[client]
                found.append((client, Due.DEATH))
                continue
            self._silent[client] = _Watch(now, missed)
            self._silent.move_to_end(client)
            found.append((client, Due.PING))
        return found
