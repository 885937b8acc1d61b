"""Every exception of the package, grouped by the person who must act on it.

`ConfigError` is for the operator, and so are `NotReachedError` and `RefusedError`, which a question
without an answer raises. `UsageError` and `LinkFullError` are for the programmer. `ProtocolError`
and `HttpError` are about the peer, and nobody must act on `ConnectionLost`. Each message says what
was seen and, if somebody can mend it, how.
"""

from __future__ import annotations


class LinemanError(Exception):
    """The base of every exception that lineman raises on purpose."""


class ConfigError(LinemanError):
    """What the operator gave (a file, an address, an option) cannot work.

    Args:
        seen: what was found and why it cannot work, as one sentence without a full stop.
        fix: what to do about it: a command or a line to write.
    """

    def __init__(self, seen: str, fix: str) -> None:
        super().__init__(f"{seen}; fix: {fix}")
        self.seen = seen
        self.fix = fix


class AddressInUseError(ConfigError):
    """Somebody listens on a port, or at the path of a unix socket, already.

    Attributes:
        holder: its process; 0 where it cannot be seen.
    """

    def __init__(self, seen: str, fix: str, holder: int) -> None:
        super().__init__(seen, fix)
        self.holder = holder


class UsageError(LinemanError):
    """The program calls lineman in a way that cannot work; the message says the right way."""


class UnknownNameError(UsageError, AttributeError):
    """A name that the object does not have is read or set; the message says what to use.

    Python's `hasattr` and `getattr` with a default take it for what it is, an `AttributeError`.
    """


class ProtocolError(LinemanError):
    """The peer broke the websocket protocol.

    Args:
        code: the close code the connection is failed with (RFC 6455, section 7.4.1).
        reason: what was wrong, in words that fit a close frame (at most 123 bytes).
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{reason} (close code {code})")
        self.code = code
        self.reason = reason


class HttpError(LinemanError):
    """The peer's HTTP request is refused with a status.

    Args:
        status: the HTTP status to answer with.
        text: one line for the body that says what was wrong and what to do.
        headers: further headers the status demands, such as `Sec-WebSocket-Version`.
    """

    def __init__(self, status: int, text: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status
        self.text = text
        self.headers = headers


class ConnectionLost(LinemanError):
    """The connection ended while somebody was waiting on it.

    Args:
        code: the close code; 1006 where the peer left without a close frame.
        reason: why it ended, in words.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"connection lost: {reason} (close code {code})")
        self.code = code
        self.reason = reason


class NotReachedError(ConfigError):
    """Nobody is there, or nobody has answered in time: a gateway, its broker, a master.

    An order that raises it was not sent. A question may be asked again.
    """


class RefusedError(ConfigError):
    """The other side refuses a question or an order; `seen` has its reason."""


class LinkFullError(LinemanError):
    """A gateway process, or a broker, takes what the program sends too slowly.

    The message was not sent, or, where it went by a broker to several users or groups, not to all.
    `await gateway.drain()` between messages keeps a program that sends a lot from this.
    """


# So that a traceback says where programs import them from.
for _each in [value for value in vars().values() if isinstance(value, type)]:
    _each.__module__ = "lineman"
