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
    """A process already listens on the port, or at the path of the unix socket.

    Attributes:
        holder: the pid of that process; 0 if it is unknown.
    """

    def __init__(self, seen: str, fix: str, holder: int) -> None:
        super().__init__(seen, fix)
        self.holder = holder


class UsageError(LinemanError):
    """The program calls lineman in a way that cannot work; the message says the right way."""


class UnknownNameError(UsageError, AttributeError):
    """The program reads or sets a name that the object does not have; the message says what to use.

    It is an `AttributeError` too, so `hasattr` and `getattr` with a default work as usual.
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
    """The connection ended while the program was waiting for it.

    Args:
        code: the close code; 1006 if the peer sent no close frame.
        reason: why it ended, as text.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"connection lost: {reason} (close code {code})")
        self.code = code
        self.reason = reason


class ClientGoneError(ConnectionLost, OSError):
    """An application sends something, and its client has gone; nobody must act.

    It is an `OSError` too, as ASGI wants it: frameworks catch it.
    """


class NotReachedError(ConfigError):
    """A gateway, its broker or a master is not there, or has not answered in time.

    An order that raises this was not sent. A question may be asked again.
    """


class ConnectError(NotReachedError):
    """A server is not reached, or does not open the connection.

    Args:
        seen: what was seen.
        fix: what to do about it.
        status: the HTTP status that the server answered a handshake with; 0 for none.
        headers: those of that answer, as pairs.
    """

    def __init__(
        self,
        seen: str,
        fix: str,
        status: int = 0,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(seen, fix)
        self.status = status
        self.headers = headers


class RefusedError(ConfigError):
    """The other side refuses a question or an order; `seen` has its reason."""


class LinkFullError(LinemanError):
    """A gateway process, or a broker, reads too slowly what the program sends.

    The message was not sent. If it went by a broker to several users or groups, it may have reached
    some of them. `await gateway.drain()` between messages prevents this error.
    """


# Tracebacks then show the module from which programs import them.
for _each in [value for value in vars().values() if isinstance(value, type)]:
    _each.__module__ = "lineman"
