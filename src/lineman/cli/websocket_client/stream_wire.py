"""One client's socket for a protocol without HTTP: `text`, `frame` or `tcp`, as `Wire` has it."""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import Any

from lineman.cli.websocket_client.client_socket import CHUNK, Timings, opened, tls_of
from lineman.client.stream_target import StreamTarget
from lineman.net.connection.limits import Limits
from lineman.protocols.codecs.chosen import SESSIONS
from lineman.protocols.events import Close
from lineman.protocols.websocket import close

MAX_MESSAGE_SIZE = 1 << 30


class StreamWire:
    """An open connection.

    Args:
        target: where to.
        tls: how to speak TLS; None for a plain connection.
        timeout: seconds that each step of the opening, and each write, may take.
        goodbye: seconds that the server has to end its side after ours.
        is_text: whether bytes that are UTF-8 are given as text.

    Attributes:
        session: the protocol.
        timings: of the opening.
        early: what came while it was opened: nothing.
        agreed: what the handshake has agreed on: nothing.

    Raises:
        OSError: the server cannot be reached, or TLS failed.
    """

    no_end = "the server ended TCP without ending TLS"
    no_answer = "the server did not end its side"
    agreed = ""

    def __init__(
        self,
        target: StreamTarget,
        tls: ssl.SSLContext | None,
        timeout: float,
        goodbye: float,
        is_text: bool,
    ) -> None:
        self.timings = Timings()
        self.session = SESSIONS[target.protocol](Limits(max_message_size=MAX_MESSAGE_SIZE))
        self.early: list[Any] = []
        self._timeout = timeout
        self._goodbye = goodbye
        self._is_text = is_text
        self._is_tcp = target.protocol == "tcp"
        self._has_ended = False
        self._is_over = False
        self._socket = opened(target, timeout, self.timings)
        try:
            if tls is not None:
                self._socket = tls.wrap_socket(
                    self._socket, server_hostname=target.server_name, suppress_ragged_eofs=False
                )
                self.timings.note("TLS")
        except BaseException:
            self._socket.close()
            raise

    @property
    def tls(self) -> str | None:
        """TLS version and cipher; None for a plain connection."""
        return tls_of(self._socket)

    def fileno(self) -> int:
        """The descriptor, for `select`."""
        return self._socket.fileno()

    def has_more(self) -> bool:
        """Whether there are bytes to read that `select` does not report."""
        return isinstance(self._socket, ssl.SSLSocket) and self._socket.pending() > 0

    def read(self) -> list[Any] | None:
        """The events that have come, the server's end too; None where it was no good end.

        Raises:
            OSError: the connection is broken.
        """
        self._socket.settimeout(0)
        try:
            data = self._socket.recv(CHUNK)
        except (BlockingIOError, ssl.SSLWantReadError):
            return []
        except ssl.SSLZeroReturnError:
            data = b""
        except ssl.SSLEOFError:
            return None
        return self._events(data) if data else [self._end()]

    def _events(self, data: bytes) -> list[Any]:
        events = []
        view = memoryview(data)
        while (event := self.session.next(view)) is not None:
            events.append(self._readable(event))
            if not self.session.has_more:
                break
        return events

    def _readable(self, event: Any) -> Any:
        """Bytes as text, where they are text and nobody wants to see bytes."""
        if not (self._is_text and isinstance(event, bytes)):
            return event
        try:
            text = event.decode("utf-8")
        except UnicodeDecodeError:
            return event
        return text.removesuffix("\n").removesuffix("\r") if self._is_tcp else text

    def _end(self) -> Close:
        ended: Close = self.session.ended()
        return Close(close.NORMAL, "") if ended.code == close.NORMAL else ended

    def encode(self, message: str | bytes) -> bytes:
        """A message as it is sent; over `tcp` a line keeps its end, as with `nc`."""
        if self._is_tcp and isinstance(message, str):
            message += "\n"
        return self.session.encode(message)

    def send(self, data: bytes | None) -> None:
        """Sends bytes; None is nothing.

        Raises:
            OSError: the connection is broken.
            TimeoutError: the server takes nothing.
        """
        if data is not None:
            self._socket.settimeout(self._timeout)
            self._socket.sendall(data)

    def say_close(self, code: int, reason: str) -> float | None:
        """Ends our side, once; code and reason have no place in these protocols.

        Returns:
            Seconds that the server has to end its side; None if ours has ended before.
        """
        if self._has_ended:
            return None
        self._has_ended = True
        with contextlib.suppress(OSError):  # the server may have ended it
            if isinstance(self._socket, ssl.SSLSocket):
                self._socket.settimeout(0)
                with contextlib.suppress(ssl.SSLError):  # its own end is still awaited
                    self._socket.unwrap()
            # That of `SSLSocket` would forget TLS, and what still comes could not be read.
            socket.socket.shutdown(self._socket, socket.SHUT_WR)
        return self._goodbye

    def close(self) -> None:
        """Closes the socket."""
        self._socket.close()
