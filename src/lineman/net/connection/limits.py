"""The limits and times of a worker's connections, checked once when it starts."""

from __future__ import annotations

from dataclasses import dataclass, fields

from lineman.errors import ConfigError

KIB = 1024
MIB = 1024 * 1024

# Bytes of all unfinished messages of a process together, where the program does not say.
UNFINISHED = 128 * MIB
# While a message grows, its old and its new place lie in memory at once.
_GROWTH = 2

_COUNTS = ("backlog", "ipv6_prefix", "max_connections", "connections_per_ip", "max_handshakes")
_RATES = (
    "connects_per_second",
    "connects_per_second_per_ip",
    "messages_per_second",
    "bytes_per_second",
    "messages_per_second_per_ip",
    "bytes_per_second_per_ip",
)
# 0 is none of it: no limit, no ping, no end to waiting.
_MAY_BE_ZERO = (
    "ping_interval",
    "unfinished_timeout",
    "max_connections",
    "connections_per_ip",
    "max_handshakes",
    *_RATES,
)


# The limits that turn somebody away, as `status` and the metrics call them.
HITS = (
    "max_unfinished_size",
    "unfinished_timeout",
    "max_connections",
    "max_handshakes",
    "descriptors",
    "connections_per_ip",
    *_RATES,
    "authenticate_within",
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds; of each process for itself.

    Attributes:
        max_message_size: a received message, all its fragments together; past it 1009.
        max_send_buffer_size: bytes that may wait for a slow reader; past it 1013.
        max_head_size: request line and headers of a handshake; past it 431.
        max_unfinished_size: all messages that have begun and not ended; past it the largest is
            given up with 1013. None: 128 MiB, or four times `max_message_size` if that is more.
        unfinished_timeout: within it a message that has begun must go on by some bytes; 0 for ever.
        handshake_timeout: from accept to the 101, TLS included.
        close_timeout: for the peer's answer to a close frame, and for last bytes to leave.
        ping_interval: silence after which a peer is pinged; 0 for never.
        ping_timeout: silence after a ping after which a peer is given up.
        backlog: connections that may wait to be accepted.
        max_connections: open websockets; past it 503; 0 for any number.
        max_handshakes: connections that are not websockets yet and wait for their client.
        connections_per_ip: of one address; past it 429; 0 for any number, as with all that follow.
        connects_per_second: new connections, on average; twice that at once.
        connects_per_second_per_ip: likewise, of one address.
        messages_per_second: of one client, on average; twice that at once; past it 1008.
        bytes_per_second: likewise, as they come over the wire.
        messages_per_second_per_ip: of all clients of one address.
        bytes_per_second_per_ip: likewise.
        ipv6_prefix: bits of an IPv6 address that make one client: who has a network of 2^64
            addresses is one.
    """

    max_message_size: int = 10 * MIB
    max_send_buffer_size: int = 1 * MIB
    max_head_size: int = 16 * KIB
    max_unfinished_size: int | None = None
    unfinished_timeout: float = 60.0
    handshake_timeout: float = 10.0
    close_timeout: float = 5.0
    ping_interval: float = 25.0
    ping_timeout: float = 20.0
    backlog: int = 4096
    max_connections: int = 0
    max_handshakes: int = 4096
    connections_per_ip: int = 0
    connects_per_second: float = 0.0
    connects_per_second_per_ip: float = 0.0
    messages_per_second: float = 0.0
    bytes_per_second: float = 0.0
    messages_per_second_per_ip: float = 0.0
    bytes_per_second_per_ip: float = 0.0
    ipv6_prefix: int = 64

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None or "None" not in str(field.type):
                _check(field.name, str(field.type), value)
        if self.ipv6_prefix > 128:
            raise ConfigError(f"ipv6_prefix is {self.ipv6_prefix}", "give 1 to 128; 64 is usual")
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


def _check(name: str, kind: str, value: object) -> None:
    whole = "int" in kind
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise ConfigError(f"{name} is {value!r}", f"give {_words(name, whole)}")
    if not (value > 0 or (name in _MAY_BE_ZERO and value == 0)):
        rule = "0 or more; 0 is none" if name in _MAY_BE_ZERO else "more than 0"
        raise ConfigError(f"{name} is {value!r}", f"give {rule}")


def _words(name: str, whole: bool) -> str:
    if name in _COUNTS:
        return "a whole number"
    if name in _RATES:
        return "a number"
    return "a whole number of bytes" if whole else "a number of seconds"
