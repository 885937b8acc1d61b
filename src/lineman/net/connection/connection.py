"""A client's connection, as the program sees it, and all that may be asked of it.

A connection is composed. Its `Stream` has the bytes of one socket, its `Session` the protocol, and
its `SendQueue`, while the peer reads too slowly, what waits. The connection alone calls: it asks
the stream what came, the session what that means, and the program what to answer. None of the three
knows it, so any callback may send to, close or destroy any connection, and sees nothing half done.

`Peer` is what is known of it, `Lifecycle` how it ends, `Sender` what is sent, `Delivery` what the
program gets, `Incoming` what comes, `OwnSettings` what is set for one connection alone, `Piping`
its pipes to others; here is what a program does with the stream beneath.
"""

from __future__ import annotations

from typing import Any, Never

from lineman.base import unknown_names
from lineman.base.unknown_names import ConnectionNames
from lineman.errors import ConfigError, UsageError
from lineman.net.connection.context import ConnectionContext
from lineman.net.connection.endpoint import Endpoint
from lineman.net.connection.piping import Piping
from lineman.net.connection.state import HANDSHAKE, OPEN
from lineman.protocols.codecs import chosen
from lineman.protocols.codecs.byte_stream import payload_bytes
from lineman.protocols.codecs.codec_session import CodecSession
from lineman.protocols.http.event_session import EventSession
from lineman.protocols.interface import Upgrade
from lineman.protocols.websocket.close import NORMAL


class Connection(Piping, ConnectionNames):
    """One client. Callbacks get it as their first argument; it is safe to use after its end.

    Attributes:
        id: a number that no other connection of this process has or had.
        remote_ip: the client's address; behind a trusted proxy the one that the proxy tells, or
            `unknown` where it tells none that can be believed.
        remote_port: the client's port; 0 where a proxy does not tell it.
        proxy_header: what the proxy said by the PROXY protocol, a `ProxyHeader`; None without it.
        request: the handshake: path, query, headers, cookies; None before its head arrived.
        subprotocol: the one that was agreed on, or None.
        messages_read: messages that came from the peer.
        messages_written: messages that `send` accepted.
        opened_at: when messages could begin (a websocket: after its handshake), as `time.time()`
            tells it; 0 before.
        messages_dropped: messages that its client did not get because it reads too slowly.
        close_code: why it ended (RFC 6455, section 7.4; 1006 for a lost one); 0 while it is open.
        close_reason: the same in words.
    """

    __slots__ = ()

    def __init__(
        self, service: ConnectionContext, endpoint: Endpoint, fd: int, peer: tuple[str, int]
    ) -> None:
        self._begin_receiving(service, endpoint, fd, peer)

    def __setattr__(self, name: str, value: Never) -> None:
        unknown_names.set_or_refuse(self, name, value)

    # The stream, for protocols that are not websockets.

    @property
    def protocol(self) -> Any:
        """The connection's object of the program's own protocol; or `ws`, `tcp`, `text`, `frame`;
        `sse` for a stream of events.

        It may be set to what the option `protocol` of a worker takes, or to one of the last three
        names. What the client has sent and the program has not got goes to the new protocol.

        Raises:
            UsageError: the connection is a websocket or is not open yet, this is no protocol, or
                messages wait that were decoded already, while an `async def` callback was at work.
        """
        if self.endpoint.protocol is None:
            return "sse" if isinstance(self._session, EventSession) else "ws"
        if isinstance(self._session, CodecSession):
            return self._session.codec
        return None if self._session is None else self._session.share_key()

    @protocol.setter
    def protocol(self, protocol: Any) -> None:
        self._check_stream("protocol is set")
        try:
            chosen.check(protocol)
        except ConfigError as error:
            raise UsageError(str(error)) from None
        if self._inbox is not None and self._inbox.waiting:
            raise UsageError(
                f"protocol is set, and {self._inbox.waiting} messages behind this one were decoded "
                "already, while an async callback was at work; set it in a plain on_message, or "
                "call pause_recv() there, set it in a task, and call resume_recv()"
            )
        session = chosen.sessions_of(protocol)(self._limits)
        before = self._session
        if self._state is OPEN and before is not None:
            taken = b"" if before.has_more else before.left(memoryview(b""))
            self.upgrade(Upgrade(b"", session, taken))

    def write(self, data: str | bytes | bytearray | memoryview) -> bool:
        """Sends bytes past the protocol, behind all that was sent before.

        Args:
            data: bytes; of a `str` its UTF-8.

        Returns:
            As `send`.

        Raises:
            UsageError: the connection is a websocket, it is not open yet, or these are no bytes.
        """
        self._check_stream("write() is called")
        encoded = payload_bytes(data)
        if self._state is not OPEN:
            return self._may_send()
        return self.send_encoded(encoded, None)

    def end(self, data: Any = None) -> None:
        """Sends no more: the peer learns it once all that waits has left, and is still heard.

        With TLS it gets a close_notify. The connection ends when the peer ends its side, or was
        silent for `idle_timeout`; `close` does not wait for it. Ending twice is fine.

        Args:
            data: a last message to send before.

        Raises:
            UsageError: the connection is a websocket, or is not open yet.
        """
        self._check_stream("end() is called")
        if data is not None:
            self.send(data)
        pipes = self._callbacks.pipes
        if self._state is OPEN and pipes is not None and pipes.has_ended:
            self.start_close(NORMAL, "")  # both directions are over
        elif self._state is OPEN and not self._has_said_end:
            self._end_sending()

    def start_tls(self) -> bool:
        """Goes on with TLS, which the client begins now, as after `STARTTLS` in SMTP or IMAP.

        What was sent before leaves in the clear; what is sent from now on waits for the handshake.
        Nothing else of the client is taken: if it has sent more than the message that asks for
        TLS, in the clear, or sends something else than a TLS handshake, the connection ends (1002),
        and the log says why. So does one whose handshake takes longer than `handshake_timeout`
        (1006). After the handshake messages go on, and `tls` is no longer None.

        Returns:
            True if TLS begins; False if the connection ends, or has ended.

        Raises:
            UsageError: the worker has no `start_tls=True`, or the connection is a websocket, is
                not open yet, or speaks TLS already.
        """
        self._check_stream("start_tls() is called")
        if self.endpoint.is_tls or (self._state is OPEN and self._stream.tls is not None):
            raise UsageError(
                "start_tls() is called, and the connection speaks TLS already, or begins to; "
                "connection.tls is None before"
            )
        if not self.endpoint.may_start_tls:
            raise UsageError(
                "start_tls() is called, and the worker does not expect it; give it start_tls=True "
                'and a certificate: Worker("text://…", cert="server.pem", start_tls=True); '
                "a connection of connect() or a Dialer has TLS from its first byte: tcp+tls://…"
            )
        has_more = self._inbox is not None and self._inbox.drop_messages() > 0
        if self._state is not OPEN:
            return False
        session, stream = self._session, self._stream
        assert session is not None
        if has_more or session.has_more or session.left(memoryview(b"")) or stream.take_kept():
            self._refuse_unencrypted("behind the message that asked for TLS")
            return False
        if self._forced_close is not None or self._goodbye is not None or self._has_said_end:
            return False
        self._await_tls()
        return self._stream.is_starting_tls  # what waited may have shown that the client has gone

    def _check_stream(self, what: str) -> None:
        if self.endpoint.protocol is None:
            raise UsageError(
                f"{what}, and a websocket has its frames and its closing handshake; use send(…) "
                "and close(…), or tcp:// in the address of the worker"
            )
        if self._state is HANDSHAKE:
            raise UsageError(
                f"{what}, and the connection is not open yet; do it from on_connect on"
            )
