"""What a program sets for one connection alone: its callbacks and limits."""

from __future__ import annotations

from typing import Any

from lineman.base.callback_fit import fitted
from lineman.errors import ConfigError, UsageError
from lineman.net.connection import limits
from lineman.net.connection.callbacks import OF_CONNECTION, Callback
from lineman.net.connection.incoming import Incoming
from lineman.net.connection.state import OPEN


class OwnSettings(Incoming):
    """A connection has those of its worker until the program sets one of its own."""

    __slots__ = ()

    @property
    def on_message(self) -> Callback | None:
        """What is called with each message: `(connection, message)`; the worker's, or its own.

        Raises:
            UsageError: for another value than a function or None, as with all callbacks; and while
                a coroutine reads the connection by `async for`.
        """
        return self._callbacks.on_message

    @on_message.setter
    def on_message(self, function: Callback | None) -> None:
        inbox = self._inbox
        if inbox is not None and inbox.is_stream and function is not None:
            if inbox.is_read:
                raise UsageError(
                    "on_message of a connection is set, and a coroutine reads it by async for; "
                    "leave one of the two out"
                )
            self._set_callback("on_message", function)
            inbox.go_to_callbacks()
            return
        self._set_callback("on_message", function)

    @property
    def on_close(self) -> Callback | None:
        """What is called after the end: `(connection, code, reason)`; the worker's, or its own."""
        return self._callbacks.on_close

    @on_close.setter
    def on_close(self, function: Callback | None) -> None:
        self._set_callback("on_close", function)

    @property
    def on_error(self) -> Callback | None:
        """What is called with errors: `(connection, code, error)`; the worker's, or its own."""
        return self._callbacks.on_error

    @on_error.setter
    def on_error(self, function: Callback | None) -> None:
        self._set_callback("on_error", function)

    @property
    def on_buffer_full(self) -> Callback | None:
        """What is called when much waits for its client; the worker's, or its own."""
        return self._callbacks.on_buffer_full

    @on_buffer_full.setter
    def on_buffer_full(self, function: Callback | None) -> None:
        self._set_callback("on_buffer_full", function)

    @property
    def on_buffer_drain(self) -> Callback | None:
        """What is called once all that waited has left; the worker's, or its own."""
        return self._callbacks.on_buffer_drain

    @on_buffer_drain.setter
    def on_buffer_drain(self, function: Callback | None) -> None:
        self._set_callback("on_buffer_drain", function)

    def _set_callback(self, name: str, function: Any) -> None:
        fits = None if function is None else fitted(name, function, OF_CONNECTION[name])
        self._use_callbacks(self._callbacks.with_own(name, fits))

    @property
    def max_send_buffer_size(self) -> int:
        """Bytes that may wait for this client; the worker's, or its own.

        Raises:
            UsageError: for a value that cannot work, as with all limits.
        """
        size: int = self._limits.max_send_buffer_size
        return size

    @max_send_buffer_size.setter
    def max_send_buffer_size(self, size: int) -> None:
        self._set_limit("max_send_buffer_size", size)

    @property
    def max_message_size(self) -> int:
        """Bytes of a message of this client; the worker's, or its own; from the next message on."""
        size: int = self._limits.max_message_size
        return size

    @max_message_size.setter
    def max_message_size(self, size: int) -> None:
        most = self.service.limits.unfinished_size // 2
        if type(size) is int and size > most:
            raise UsageError(
                f"max_message_size of a connection is {size}, and max_unfinished_size of the "
                f"worker allows {most}; raise that one"
            )
        self._set_limit("max_message_size", size)

    @property
    def idle_timeout(self) -> float:
        """Seconds of silence after which this client is given up, on `tcp`, `text` and `frame`."""
        seconds: float = self._limits.idle_timeout
        return seconds

    @idle_timeout.setter
    def idle_timeout(self, seconds: float) -> None:
        if self.endpoint.protocol is None:
            raise UsageError(
                "idle_timeout of a connection is set, and a websocket has pings; close it by "
                "connection.after(…), or look at connection.idle"
            )
        self._set_limit("idle_timeout", seconds)
        self._ask_clock()

    def _set_limit(self, name: str, value: Any) -> None:
        try:
            own = limits.with_own(self._limits, name, value)
        except ConfigError as error:
            raise UsageError(f"{name} of a connection: {error}") from None
        except TypeError:  # it has no hash, so it is no number
            raise UsageError(f"{name} of a connection is of type {type(value).__name__}") from None
        self._use_limits(own)
        if self._state is OPEN and self._session is not None:
            self._session.use_limits(own)
