"""`Dialer`: a connection to a server with the callbacks of a worker."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from lineman.base import vocabulary
from lineman.base.unknown_names import ObjectKind
from lineman.client.client_options import NAMES, ClientOptions, options_of
from lineman.client.client_service import ClientService
from lineman.client.opening import OpenedLine
from lineman.client.reconnecting import ReconnectingLine
from lineman.config.callback_slots import Slot
from lineman.config.declared import Declared
from lineman.errors import ConnectError, UsageError
from lineman.net.connection.callbacks import OF_CONNECTION, Callbacks
from lineman.net.connection.connection import Connection

if TYPE_CHECKING:
    from lineman.config import callback_types as types

ARGUMENTS = {"on_connect": ("connection",), **OF_CONNECTION, "on_connect_error": ("error",)}
# What a connection calls by itself; the end is told by its service.
_OF_LINE = ("on_connect", *(name for name in OF_CONNECTION if name != "on_close"))


class DialerCallbacks(Callbacks):
    """The functions of one dialer; None where the program gave none."""

    def __init__(self) -> None:
        super().__init__()
        self.on_connect_error: Any = None


class Dialer(Declared):
    """A connection to a server, for programs with callbacks; `connect` is the form with `await`.

    Set the callbacks, then call `connect()` in a callback of a worker, such as `on_worker_start`.
    With `reconnect=True` it is opened again whenever it has ended.

    Args:
        url: as for `connect`.
        **given: see `ClientOptions`.

    Attributes:
        data: the program's own values: a dictionary, unless the program sets something else.

    Raises:
        UsageError: an option that does not exist, or a value that cannot be.
        ConfigError: a file or a limit that cannot work.
    """

    _kind = ObjectKind(
        "a Dialer",
        "dialer.data",
        {"dialer": vocabulary.DIALER},
        "Dialer",
        {"url", *NAMES},
    )

    on_connect: Slot[types.ForConnection, types.OfConnection] = Slot(ARGUMENTS)
    on_message: Slot[types.ForMessage, types.OfMessage] = Slot(ARGUMENTS)
    on_close: Slot[types.ForClose, types.OfClose] = Slot(ARGUMENTS)
    on_error: Slot[types.ForError, types.OfError] = Slot(ARGUMENTS)
    on_buffer_full: Slot[types.ForConnection, types.OfConnection] = Slot(ARGUMENTS)
    on_buffer_drain: Slot[types.ForConnection, types.OfConnection] = Slot(ARGUMENTS)
    on_connect_error: Slot[Any, Any] = Slot(ARGUMENTS)

    callbacks: DialerCallbacks
    data: Any
    _line: _DialedLine
    _url: str
    _options: ClientOptions

    def __init__(self, url: str, **given: Any) -> None:
        for name in given:
            if isinstance(vars(Dialer).get(name), Slot):
                raise UsageError(f"{name} is no option of Dialer(…); set it: @dialer.{name}")
        self.callbacks = DialerCallbacks()
        self.data = {}
        self._url = url
        self._options = options_of("Dialer", given)
        self._line = _DialedLine(self, url, self._options)

    def __repr__(self) -> str:
        return f"<Dialer {self._url}>"

    def connect(self) -> None:
        """Begins to connect; returns at once. After an end it connects again.

        Raises:
            UsageError: it is connected or connecting already, or no event loop runs here.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            raise UsageError(
                f"{self!r}: connect() works where an event loop runs: in on_worker_start or later"
            ) from None
        if self._line.is_used:
            if not self._line.is_done:
                raise UsageError(f"{self!r} is connected, or connects already")
            self._line = _DialedLine(self, self._url, self._options)
        self._line.begin()

    def send(self, message: Any) -> bool:
        """Sends a message, or keeps it until the connection is open.

        Returns:
            False where it is dropped: `max_waiting` messages wait already, or it was closed.
        """
        return self._line.send(message)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Closes the connection for good; `connect` opens another one."""
        self._line.close(code, reason)

    @property
    def connection(self) -> Connection | None:
        """The open connection; None while there is none."""
        return self._line.connection

    @property
    def is_open(self) -> bool:
        """Whether it is connected now."""
        return self._line.is_open


class _DialedLine(ReconnectingLine):
    """The line of a dialer: its callbacks get what comes."""

    def __init__(self, dialer: Dialer, url: str, options: ClientOptions) -> None:
        super().__init__(url, options)
        self._dialer = dialer

    def _check_begun(self) -> None:
        """What is sent before `Dialer.connect` waits for it."""

    def _begin(self, opened: OpenedLine) -> tuple[ClientService, Connection]:
        given = self._dialer.callbacks
        callbacks = Callbacks()
        for name in _OF_LINE:
            setattr(callbacks, name, getattr(given, name))
        service = ClientService(self._plan, callbacks, given.on_close, owner=self._dialer)
        return service, service.begin(self._plan, opened)

    def _not_opened(self, error: ConnectError) -> None:
        callback = self._dialer.callbacks.on_connect_error
        if callback is None:
            super()._not_opened(error)
            return
        try:
            callback(error)
        except Exception as raised:
            self._log.exception(raised, "%r: on_connect_error raised", self._dialer)
