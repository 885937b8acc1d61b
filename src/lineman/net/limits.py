"""The limits and times of a worker's connections, checked once when it starts."""

from __future__ import annotations

from dataclasses import dataclass, fields

from lineman.errors import ConfigError

KIB = 1024
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds.

    Attributes:
        max_message_size: a received message, all its fragments together; past it 1009.
        max_send_buffer_size: bytes that may wait for a slow reader; past it 1013.
        max_head_size: request line and headers of a handshake; past it 431.
        handshake_timeout: from accept to the 101, TLS included.
        close_timeout: for the peer's answer to a close frame, and for last bytes to leave.
        ping_interval: silence after which a peer is pinged; 0 for never.
        ping_timeout: silence after a ping after which a peer is given up.
        backlog: connections that may wait to be accepted.
    """

    max_message_size: int = 10 * MIB
    max_send_buffer_size: int = 1 * MIB
    max_head_size: int = 16 * KIB
    handshake_timeout: float = 10.0
    close_timeout: float = 5.0
    ping_interval: float = 25.0
    ping_timeout: float = 20.0
    backlog: int = 4096

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            whole = field.type == "int"
            if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
                kind = "a whole number of bytes" if whole else "a number of seconds"
                raise ConfigError(f"{field.name} is {value!r}", f"give {kind}")
            may_be_zero = field.name == "ping_interval"
            if not (value > 0 or (may_be_zero and value == 0)):
                rule = "0 or more" if may_be_zero else "more than 0"
                raise ConfigError(f"{field.name} is {value!r}", f"give {rule}")
