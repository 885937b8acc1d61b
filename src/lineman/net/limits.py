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

# 0 is none of it: no ping, no end to waiting.
_MAY_BE_ZERO = ("ping_interval", "unfinished_timeout")

# The limits that turn somebody away, as `status` and the metrics call them.
HITS = ("max_unfinished_size", "unfinished_timeout")


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

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None or "None" not in str(field.type):
                _check(field.name, str(field.type), value)
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


def _check(name: str, kind: str, value: object) -> None:
    whole = "int" in kind
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        kind = "a whole number of bytes" if whole else "a number of seconds"
        raise ConfigError(f"{name} is {value!r}", f"give {kind}")
    if not (value > 0 or (name in _MAY_BE_ZERO and value == 0)):
        rule = "0 or more; 0 is none" if name in _MAY_BE_ZERO else "more than 0"
        raise ConfigError(f"{name} is {value!r}", f"give {rule}")
