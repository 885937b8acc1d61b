"""The limits and times of a worker's connections, checked once when it starts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from lineman.base import option_kinds
from lineman.base.option_kinds import (
    BYTES,
    BYTES_OR_NONE,
    COUNT,
    COUNT_OR_NONE,
    KIB,
    MIB,
    RATE,
    SECONDS,
    SECONDS_OR_NONE,
    Number,
    frozen,
    option,
)
from lineman.errors import ConfigError

# Bytes of all unfinished messages of a process together, where the program does not say.
UNFINISHED = 128 * MIB
# While a message grows, its old and its new place lie in memory at once.
_GROWTH = 2

# The limits that turn somebody away, as `status` and the metrics call them.
HITS = (
    "max_unfinished_size",
    "unfinished_timeout",
    "max_connections",
    "max_handshakes",
    "descriptors",
    "connections_per_ip",
    "connects_per_second",
    "connects_per_second_per_ip",
    "messages_per_second",
    "bytes_per_second",
    "messages_per_second_per_ip",
    "bytes_per_second_per_ip",
    "authenticate_within",
    "udp_amplification",
    "udp_receive_buffer",
)


@dataclass(kw_only=True, eq=False, repr=False, init=False)
class LimitFields:
    """The limits of each process for itself: sizes in bytes, times in seconds."""

    max_message_size: int = option(10 * MIB, BYTES)
    """A received message, all its fragments together; past it 1009."""
    max_upload_size: int = option(0, BYTES_OR_NONE)
    """A form with files, which then go to disk as they come; past it 413. 0: `max_message_size`."""
    max_send_buffer_size: int = option(1 * MIB, BYTES)
    """Bytes that may wait for a slow reader; past it 1013, or what `slow_readers` says."""
    max_head_size: int = option(16 * KIB, BYTES)
    """Request line and headers of a handshake; past it 431."""
    max_unfinished_size: int | None = option(None, BYTES)
    """All messages that have begun and not ended; past it the largest is given up with 1013.
    None: 128 MiB, or four times `max_message_size` if that is more."""
    unfinished_timeout: float = option(60.0, SECONDS_OR_NONE)
    """Within it a message that has begun must go on by some bytes; 0 for ever."""
    handshake_timeout: float = option(10.0, SECONDS)
    """From accept to the 101, TLS included; and for the head of each plain request."""
    keep_alive_timeout: float = option(75.0, SECONDS)
    """Silence after the answer to a plain request after which its connection is closed."""
    close_timeout: float = option(5.0, SECONDS)
    """For the peer's answer to a close frame, and for last bytes to leave."""
    ping_interval: float = option(25.0, SECONDS_OR_NONE)
    """Silence after which a peer is pinged, or probed by TCP; 0 for never."""
    ping_timeout: float = option(20.0, SECONDS)
    """Silence after a ping after which a peer is given up."""
    idle_timeout: float = option(0.0, SECONDS_OR_NONE)
    """Silence after which a client of `tcp`, `text` or `frame` is given up; 0 for never."""
    udp_amplification: float = option(1.0, Number(is_whole=False, zero="no limit"))
    """Bytes with which a datagram may be answered, for each of its own; 0 for any number."""
    udp_receive_buffer: int = option(0, BYTES_OR_NONE)
    """Bytes of datagrams that the kernel keeps until they are read; 0 for the kernel's default."""
    backlog: int = option(4096, COUNT)
    """Connections that may wait to be accepted."""
    max_connections: int = option(0, COUNT_OR_NONE)
    """Open websockets; past it 503; 0 for any number."""
    max_handshakes: int = option(4096, COUNT_OR_NONE)
    """Connections that are not websockets yet and wait for their client; 0 for any number."""
    connections_per_ip: int = option(0, COUNT_OR_NONE)
    """Connections of one address; past it 429; 0 for any number, as with all that follow."""
    connects_per_second: float = option(0.0, RATE)
    """New connections, on average; twice that at once."""
    connects_per_second_per_ip: float = option(0.0, RATE)
    """Likewise, of one address."""
    messages_per_second: float = option(0.0, RATE)
    """Messages of one client, on average; twice that at once; past it 1008."""
    bytes_per_second: float = option(0.0, RATE)
    """Likewise its bytes, as they come over the wire."""
    messages_per_second_per_ip: float = option(0.0, RATE)
    """Messages of all clients of one address."""
    bytes_per_second_per_ip: float = option(0.0, RATE)
    """Likewise their bytes."""
    ipv6_prefix: int = option(64, Number(most=128, remedy="give 1 to 128; 64 is usual"))
    """Bits of an IPv6 address that identify one client, which may have 2^64 addresses."""


@frozen
@dataclass(kw_only=True, eq=False)
class Limits(LimitFields):
    """The limits of one service, checked.

    Raises:
        ConfigError: one that cannot work.
    """

    def __post_init__(self) -> None:
        option_kinds.check(LimitFields, self)
        least = _GROWTH * self.max_message_size
        if self.max_unfinished_size is not None and self.max_unfinished_size < least:
            raise ConfigError(
                f"max_unfinished_size is {self.max_unfinished_size}, and one message may have "
                f"{self.max_message_size} bytes (max_message_size)",
                f"give {least} or more, or lower max_message_size",
            )

    @property
    def unfinished_size(self) -> int:
        """Bytes that all unfinished messages of a process may hold together."""
        if self.max_unfinished_size is not None:
            return self.max_unfinished_size
        return max(UNFINISHED, 2 * _GROWTH * self.max_message_size)

    @property
    def counts_addresses(self) -> bool:
        """Whether anything is limited for each address."""
        return bool(
            self.connections_per_ip
            or self.connects_per_second_per_ip
            or self.messages_per_second_per_ip
            or self.bytes_per_second_per_ip
        )


@lru_cache(maxsize=256)
def with_own(limits: Limits, name: str, value: Any) -> Limits:
    """The limits of a connection that has one of its own; those with the same share an object.

    Raises:
        ConfigError: the value cannot work.
    """
    return replace(limits, **{name: value})
