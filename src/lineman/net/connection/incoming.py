"""What comes from a client: from the socket's events to messages, and how a connection opens.

A turn is limited, see `lineman.net.loop.turn`: who has not shaken hands yet, has used up a share
within the last second, or has bytes that epoll does not tell of is served in the poller's queue.
"""

from __future__ import annotations

import logging

from lineman.errors import ProtocolError
from lineman.net.connection.callbacks import ErrorCode
from lineman.net.connection.context import ConnectionContext
from lineman.net.connection.delivery import Delivery
from lineman.net.connection.endpoint import Endpoint
from lineman.net.connection.http_stage import HttpStage
from lineman.net.connection.state import HANDSHAKE, OPEN
from lineman.net.loop import steps
from lineman.net.loop.poller import BROKEN, FAILED, READ, WRITE
from lineman.net.stream.stream_status import (
    ENDED,
    LOST,
    PAUSED_BY_END,
    PAUSED_BY_GOODBYE,
    PAUSED_BY_HANDSHAKE,
    PAUSED_BY_INBOX,
    PAUSED_BY_USER,
    PLAIN,
    SECURED,
    TRUNCATED,
)
from lineman.net.stream.tlsstream import TlsStream, not_listed
from lineman.protocols.events import Close
from lineman.protocols.http.http_session import TOO_LATE
from lineman.protocols.http.requests import Request
from lineman.protocols.interface import Session, Upgrade
from lineman.protocols.websocket import close as closing
from lineman.protocols.websocket.session import UNANSWERED_CLOSE

TRUNCATED_TLS = "the peer ended TCP without ending TLS: something may be missing"
# A second is little for a burst, and a flood that comes in portions is one all the same.
BEHIND_TIME = 1.0
_BEHIND_TIME = BEHIND_TIME  # as a C number


class Incoming(Delivery):
    """Takes what the socket gives, in the turns of the poller, and asks the session about it."""

    __slots__ = ("_behind_until", "_is_behind")

    def _begin_receiving(
        self, service: ConnectionContext, endpoint: Endpoint, fd: int, peer: tuple[str, int]
    ) -> None:
        """In place of `__init__`, as `_begin_delivery`."""
        self._begin_delivery(service, endpoint, fd, peer)
        self._is_behind = True
        self._behind_until = 0.0
        self.poller.add(fd, self, READ)

    # What the poller says.

    def on_events(self, events: int) -> None:
        """Serves the socket when the poller says that it is ready."""
        stream = self._stream
        if events & WRITE:
            if stream.shakes_hands():
                events |= READ  # the handshake waited for room to write
            self.flush()
        if stream.is_dead:
            return
        if events & (READ | BROKEN) and not self._is_queued:
            if stream.paused:
                if events & BROKEN:
                    self._broken(events)
            elif self._is_behind:
                self._put_off()  # and comes back in this very turn where there is time
            else:
                self._receive()
        self._end_service()

    def _broken(self, events: int) -> None:
        """Epoll tells an end while the connection is not read.

        Where both sides have ended well, the peer's last bytes are still there to be read.
        """
        stream = self._stream
        is_unread = self._state is OPEN and not stream.paused & ~(PAUSED_BY_USER | PAUSED_BY_INBOX)
        if is_unread and not events & FAILED:
            stream.note_hang_up()
        else:
            stream.fail(ConnectionResetError("connection reset"))

    def on_turn(self) -> None:
        """Goes on where the last share ended."""
        stream = self._stream
        if not self._take_turn() or stream.is_dead:
            return  # it was the turn of another, who had this descriptor before
        if stream.kept is not None:
            if stream.paused & ~PAUSED_BY_GOODBYE and stream.error is None:
                return  # `resume` comes back
            if stream.paused & PAUSED_BY_HANDSHAKE:
                stream.take_kept()  # there is nobody any more who could be answered
            else:
                self._use_kept()
        if stream.kept is None and not stream.is_dead:
            if stream.error is not None:
                self._lost(stream.take_error())
            elif not stream.paused and not self._is_queued:
                self._receive()
        if not self._is_queued and self.poller.wheel.now >= self._behind_until:
            self._is_behind = self._state is HANDSHAKE
        self._end_service()

    def _end_service(self) -> None:
        stream = self._stream
        if not stream.is_blocked and stream.unsent():
            self.flush()
        if stream.tls is not None and stream.tls.holds_back:
            stream.tls.let_go()

    # Reading, as far as a share of the turn goes.

    def _receive(self) -> None:
        stream = self._stream
        while True:
            count = stream.receive()
            if count <= 0:
                if count != SECURED:
                    self._act_on(count)
                    return
                self._secured()
            elif self._meter is None or not self._is_too_much(count):
                self.take_bytes(self.poller._view[:count])
            if stream.tls is None or stream.is_dead or stream.paused or self._is_queued:
                return  # `resume` and `on_turn` come back to what is pending
            if not stream.tls.pending():
                return
            if count > 0 and self.poller.turn.spend():
                self._fall_behind()  # epoll does not know what OpenSSL holds
                return

    def _act_on(self, status: int) -> None:
        if status in (ENDED, TRUNCATED):
            self._ended(status)
        elif status == LOST:
            self._lost(self._stream.take_error())
        elif status == PLAIN and self._state is HANDSHAKE:
            self._refuse_plain()
        elif status == PLAIN:
            self._refuse_unencrypted("in place of its TLS handshake")

    def _secured(self) -> None:
        """TLS's handshake is done: lets in whom the list of fingerprints names."""
        stream = self._stream
        allowed = self.service.client_fingerprints
        if allowed:
            fingerprint = None if self.tls is None else self.tls.peer_fingerprint
            if fingerprint not in allowed:
                self._lost(not_listed(fingerprint))
                return
        if stream.is_starting_tls:
            stream.go_on()
            self._behind_until = 0.0
            self._heard()
            self.flush()
            self._ask_clock()
        elif self.endpoint.protocol is not None:
            self._open_at_once()

    # TLS in mid-connection.

    def _await_tls(self) -> None:
        """Goes on with TLS, which the peer begins now; nothing else of it is taken before."""
        service, stream = self.service, self._stream
        self._release_queue()
        self._is_behind = True  # a handshake is much work
        self._behind_until = service.wheel.now + service.limits.handshake_timeout
        self._look_anew(service.limits.handshake_timeout)
        stream.start_tls(service.new_tls(stream.fd))
        self._check_full()

    def _refuse_unencrypted(self, where: str) -> None:
        """Ends a connection whose peer sent in the clear what must not count behind its handshake.

        Args:
            where: it was found.
        """
        self._stream.abandon_tls()
        reason = f"the client sent plain text {where}"
        self._set_cause(closing.PROTOCOL_ERROR, reason)
        self._finish(linger=True)
        self.flush()  # what waited for TLS is dropped, also where the end has begun before
        self.service.log.log(
            logging.WARNING,
            "plain text where TLS was to begin",
            "%s: %s: it is not used, and the connection is closed. Somebody between may have "
            "added it (as in CVE-2011-0411), or the client does not wait for the answer",
            self,
            reason,
        )
        error = ProtocolError(closing.PROTOCOL_ERROR, reason)
        self.tell(self._callbacks.on_error, ErrorCode.PROTOCOL, error)

    def _check_handshake(self, now: float) -> float:
        """Gives up a peer that was to begin TLS and does not get it done; when to look again."""
        if now < self._behind_until:
            return self._behind_until
        limit = self.service.limits.handshake_timeout
        if self._stream.paused:  # nobody reads: that is not the peer's fault
            self._behind_until = now + limit
            return self._behind_until
        self._lost(TimeoutError(f"within {limit:g} s"))
        return 0.0

    def _ended(self, status: int) -> None:
        """The peer sends no more; it may still read what its last bytes were answered with."""
        if self._state is OPEN and self._stream.is_starting_tls:
            self._lost(ConnectionError("the peer ended the connection"))
            return
        self.flush()
        if self._state is OPEN and self._session is not None and self._session.ask_now():
            self.take_bytes(memoryview(b""))
            if self._stream.kept is not None and status == ENDED:
                return  # there was no time for all of it: the end is met again behind it
        if self._state is OPEN:
            assert self._session is not None
            self._end_when_answered(self._session.ended(), status == TRUNCATED)
        elif self._stage is not None and self._stage.is_answering and status == ENDED:
            self.pause(PAUSED_BY_END)
            self._stage.on_peer_ended()
        elif self.unsent or (self._stage is not None and self._stage.is_idle):
            self._send_last()
        else:
            self._lose(closing.ABNORMAL, "the peer ended the connection")

    def _end_when_answered(self, end: Close | None, is_truncated: bool) -> None:
        """The peer sends no more, and may still read: all that it has sent is answered first.

        Args:
            end: what that means in its protocol; None where it is lost.
            is_truncated: whether it has not ended TLS: OpenSSL sends nothing more then.
        """
        inbox = self._inbox
        if end is None:
            self._lose(closing.ABNORMAL, "the peer ended TCP without a close frame")
        elif is_truncated:
            reason = TRUNCATED_TLS if end.code == closing.NORMAL else end.reason
            self._lose(closing.ABNORMAL, reason)
        elif self._is_waited_for():
            self._set_cause(end.code, end.reason)
            self._work_off(end.code, end.reason)
        elif self._callbacks.pipes is not None and self._callbacks.pipes.passes_end(end.code):
            return  # the other direction goes on
        elif inbox is None or inbox.is_unread:
            self.pause(PAUSED_BY_END)
            self._end_by(end)
        else:  # a task of the program reads, and comes upon it
            self.pause(PAUSED_BY_END)
            self._end_later(end)
            inbox.put(end)

    def keep(self, rest: bytes) -> None:
        """Keeps bytes, of which there may be none, and goes on with them in another turn."""
        if self._stream.is_starting_tls:
            if rest:
                self._refuse_unencrypted("behind the message that asked for TLS")
        elif not self._stream.is_dead:
            self._stream.keep(rest)
            self._fall_behind()

    def _fall_behind(self) -> None:
        if self.poller.turn.serves_queue:  # the share of newly ready connections is small
            self._is_behind = True
            self._behind_until = self.poller.wheel.now + _BEHIND_TIME
        self._put_off()

    def _use_kept(self) -> None:
        kept = self._stream.take_kept()
        self.take_bytes(memoryview(kept))
        # A goodbye that waited for it may follow.
        if self._stream.kept is None and not self._stream.is_dead and self._inbox is None:
            self.inbox_is_empty()

    def take_bytes(self, data: memoryview) -> None:
        """Takes bytes from the peer; the view is valid during the call only."""
        session = self._session
        if session is None:
            if self._state is HANDSHAKE and self.endpoint.protocol is None:
                self._take_http(data)
            return
        if self._forced_close is not None:
            return  # that was its last word
        self._heard()
        turn = self.poller.turn
        while (event := session.next(data)) is not None:
            if type(event) is not Upgrade:
                self._process(event)
            elif self._state is OPEN:
                self.upgrade(event)
            if self._session is not session:
                if self._session is not None:
                    self.keep(session.left(data))
                break
            if not session.has_more:
                break
            if self._forced_close is not None:
                break  # that was its last word
            if steps.has_spent(turn):
                self.keep(session.rest(data))
                break
            if self._stream.paused & PAUSED_BY_USER and self.endpoint.protocol is not None:
                self.keep(session.rest(data))  # the program may go on in another protocol
                break
        if self._session is session:
            message = session.unfinished()
            if self._is_unfinished or message is not None:
                self.note_unfinished(message, session.held())

    def _take_http(self, data: memoryview) -> None:
        """Takes bytes of HTTP requests."""
        stage = self._stage
        if stage is None:
            stage = HttpStage(self, self._last_received)
            self._use_stage(stage)
        upgrade = stage.take(data)
        if upgrade is not None:
            self.upgrade(upgrade)

    # Opening.

    def begin(self, data: bytes = b"") -> None:
        """Begins, once it is known who comes; websockets open with their handshake only.

        Args:
            data: what was read of it already.
        """
        if self.endpoint.protocol is not None and self._stream.tls is None:
            self._open_at_once()
        if data and self._stream.is_starting_tls:
            self._refuse_unencrypted("before its TLS handshake")
        elif data:
            self.take_bytes(memoryview(data))
        self._end_service()

    def begin_as_client(self, session: Session, tls: TlsStream | None, rest: bytes) -> None:
        """Begins as the client of a server, once all handshakes are done.

        Args:
            session: of the protocol that both speak now.
            tls: the `TlsStream` of the socket, its handshake done; None without TLS.
            rest: what the server has sent already.
        """
        self._stream.adopt_tls(tls)
        self._open(session)
        if rest or (tls is not None and tls.pending()):
            self.keep(rest)
        self._ask_clock()
        self._end_service()

    def _open_at_once(self) -> None:
        """Begins with messages, where the protocol has no handshake of its own."""
        service = self.service
        refusal = service.newcomers.get(self)
        if refusal is None and service.is_guarded:
            refusal = service.admission.admit(self, ())
        if refusal is not None:
            # Nothing is sent: statuses count answers of HTTP, and the limit has counted this.
            self.finish()
            return
        protocol = self.endpoint.protocol
        assert protocol is not None
        session = service.new_session(protocol, self.peer_address)
        if session is None:
            self._lose(closing.INTERNAL_ERROR, closing.words(closing.INTERNAL_ERROR))
            return
        self._open(session)
        self._ask_clock()

    def upgrade(self, upgrade: Upgrade) -> None:
        """Goes on in another protocol, which gets first what this one has not taken."""
        self._release_queue()
        self._stream.write(upgrade.answer)
        rest = upgrade.rest + self._stream.take_kept()
        if rest:
            self.keep(rest)
        if self._state is HANDSHAKE:
            if self.service.limits.ping_interval:  # a websocket has nothing to say before
                self._look_after(self.service.limits.ping_interval)
            self._open(upgrade.session)
        else:
            self._speak(upgrade.session)
            self._ask_clock()

    def _open(self, session: Session) -> None:
        """Begins with messages; what the peer has sent already is kept."""
        service = self.service
        if isinstance(self._request, Request):
            self._request.forget_looks()
        if service.is_metered:
            self._use_meter(service.admission.meter(self))
        if self._limits is not service.limits:
            session.use_limits(self._limits)
        self._heard()
        self._speak(session)
        self._call_on_connect()
        kept = self._stream.kept
        if kept is not None and self._meter is not None:
            self._is_too_much(len(kept))

    def _ask_clock(self) -> None:
        """Has the session do what is due, and notes when it is to be asked again."""
        is_open = self._state is OPEN and not self._stream.is_starting_tls
        if is_open and (again := self._check_alive(self.service.wheel.now)):
            self.service.wheel.file(self, again)

    # The clock.

    def on_deadline(self, now: float) -> float:
        """Looks at what the clock says about this connection."""
        if self._state is OPEN:
            if self._stream.is_starting_tls:
                return self._check_handshake(now)
            return self._check_alive(now)
        if self._has_progressed():  # a long answer on a slow line
            return now + self.service.limits.close_timeout
        if self._state is not HANDSHAKE:
            self._lose(closing.ABNORMAL, UNANSWERED_CLOSE)
        elif self.endpoint.protocol is None:
            return (self._stage or HttpStage(self, self._last_received)).on_time(now)
        else:
            self._lose(closing.ABNORMAL, TOO_LATE)
        return 0.0
