"""One worker's life in one process: its listening socket, its connections and what they share."""

from __future__ import annotations

import asyncio
import logging
import math
import socket
import time
from typing import Any

from lineman.errors import HttpError
from lineman.net.connection.callbacks import Callbacks
from lineman.net.connection.connection import Connection
from lineman.net.connection.context import ConnectionContext
from lineman.net.connection.end_causes import STOPPING
from lineman.net.connection.endpoint import Endpoint
from lineman.net.connection.limits import Limits
from lineman.net.connection.open_connections import Connections
from lineman.net.datagrams.datagram_output import DatagramOutput
from lineman.net.datagrams.datagram_socket import DatagramSocket
from lineman.net.listening import keepalive
from lineman.net.listening.acceptor import Acceptor
from lineman.net.listening.proxy_preamble import Preamble
from lineman.net.loop import stillness
from lineman.net.loop.lag import LagMeter
from lineman.net.loop.standing_place import StandingPlace
from lineman.net.loop.wheel import GRANULARITY
from lineman.protocols.websocket import close as closing

logger = logging.getLogger("lineman")

# While draining, connections are closed at this interval.
DRAIN_STEP = 0.05
# A callback that keeps the loop for longer is worth a line in the log.
SLOW_LOOP = 1.0


class Service(ConnectionContext):
    """Accepts connections and serves them inside the running event loop.

    Made of what its connections share (`ConnectionContext`, with the same arguments); here is what
    begins and ends them: listening, draining, stopping.
    """

    def __init__(self, owner: object, callbacks: Callbacks, limits: Limits, **shared: Any) -> None:
        super().__init__(owner, callbacks, limits, **shared)
        self.open_connections = Connections(self.connections)
        self.lag = LagMeter()
        self._listeners: list[Acceptor | DatagramSocket] = []
        self.outputs: list[DatagramOutput] = []
        self._is_held = False
        self._refusal: HttpError | None = None
        self._ticked_at = 0.0
        self._busy_until = 0.0  # seconds of the processor at the last tick
        self._ticker: asyncio.TimerHandle | None = None
        self._standing: StandingPlace | None = None

    def start(self) -> None:
        """Begins to serve; `listen` says from where clients come."""
        self.loop.add_reader(self.poller.fileno(), self.poller.dispatch)
        self._ticked_at, self._busy_until = time.monotonic(), time.process_time()
        self._tick()

    def listen(self, listener: socket.socket, endpoint: Endpoint) -> None:
        """Serves a bound, non-blocking socket, which is the service's from now on.

        Args:
            listener: it listens, or takes datagrams.
            endpoint: what its connections have in common.
        """
        if listener.type is socket.SOCK_DGRAM:
            datagrams = DatagramSocket(self, listener, endpoint.address)
            self._listeners.append(datagrams)
            self.outputs.append(datagrams.output)
            return
        if endpoint.protocol is not None:
            keepalive.set_up(listener, self.limits.ping_interval, self.limits.ping_timeout)
        acceptor = Acceptor(self, listener, endpoint)
        self._listeners.append(acceptor)
        acceptor.turn_away(self._refusal)
        if self._is_held:
            acceptor.hold()

    def look_where_it_stands(self) -> None:
        """Has the log name the line of the program that blocks the loop; costs a thread."""
        self._standing = StandingPlace(lambda: self._ticked_at)
        self._standing.start()

    def look_no_more(self) -> None:
        """Ends that thread."""
        if self._standing is not None:
            self._standing.stop()
            self._standing = None

    def _tick(self) -> None:
        now, busy_until = time.monotonic(), time.process_time()
        elapsed = now - self._ticked_at
        late = elapsed - GRANULARITY
        if late > SLOW_LOOP:
            is_stop = stillness.was_stopped(self._ticked_at)
            place = "" if self._standing is None else self._standing.since(self._ticked_at)
            why = stillness.explain(late, busy_until - self._busy_until, is_stop, place)
            kind = "stopped processes" if is_stop else "blocked event loops"
            self.log.log(logging.WARNING, kind, "%s", why)
            late = 0.0 if is_stop else late  # nobody's callback was slow
        self.lag.note(now, late)
        self._ticked_at, self._busy_until = now, busy_until
        for listener in self._listeners:
            if isinstance(listener, DatagramSocket):
                listener.count_drops()
        self._ticker = self.loop.call_later(GRANULARITY, self._tick)
        if self.wheel.advance(elapsed):
            self.loop.call_soon(self._look_on)

    def _look_on(self) -> None:
        """Goes on with those whose time has come: they are many."""
        if not self.poller.is_closed and self.wheel.look():
            self.loop.call_soon(self._look_on)

    def pause_accept(self) -> None:
        """Accepts nobody for a while: clients wait in the backlog."""
        self._is_held = True
        for listener in self._acceptors():
            listener.hold()

    def resume_accept(self) -> None:
        """Accepts again, those who wait first."""
        self._is_held = False
        for listener in self._acceptors():
            listener.release()

    def turn_away(self, refusal: HttpError | None) -> None:
        """Answers every new client with this error, however many come; None serves them again."""
        self._refusal = refusal
        for listener in self._acceptors():
            listener.turn_away(refusal)

    def _acceptors(self) -> list[Acceptor]:
        return [each for each in self._listeners if isinstance(each, Acceptor)]

    # Ending.

    def unlisten(self) -> None:
        """Stops listening, so that clients are refused; open connections go on."""
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            if isinstance(listener, Acceptor):
                listener.refuse()
            else:
                listener.close()

    def stop_accepting(self, *, serves_rest: bool = False) -> None:
        """Closes the listening socket; open connections go on.

        Args:
            serves_rest: whether datagrams that wait in a socket are served first: where the program
                stops nobody else will.
        """
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            if serves_rest and isinstance(listener, DatagramSocket):
                listener.serve_rest()
            listener.close()

    async def drain(
        self, seconds: float, timeout: float, code: int = closing.SERVICE_RESTART
    ) -> None:
        """Stops accepting, closes the connections one by one, and frees everything.

        A connection that is still in its handshake may finish it, and is closed then: an accepted
        connection is not reset. One that is kept for more HTTP requests has the whole time to send
        another, whose answer says that it is the last: a request that is on its way is not lost. It
        is all over sooner where no connection is left.

        Args:
            seconds: the time over which the connections are closed, evenly.
            timeout: seconds after that for handshakes, closing handshakes and handlers at work.
            code: the close code that clients get.
        """
        self.stop_accepting()
        self.is_draining = True
        spread = self.loop.time() + seconds
        deadline = spread + timeout
        due = 0.0
        while (now := self.loop.time()) < deadline:
            waiting = [each for each in self.connections.values() if each.may_receive]
            share = min(1.0, DRAIN_STEP / (spread - now)) if now < spread else 1.0
            due = min(due + len(waiting) * share, len(waiting))
            for connection in waiting[: math.floor(due)]:
                connection.say_goodbye(code, "the service is restarting")
            due -= math.floor(due)
            if now >= spread:
                for connection in self._unopened():
                    connection.leave_idle()
            if not self.poller.handlers() or (now >= spread and not self._unopened()):
                break
            await asyncio.sleep(DRAIN_STEP)
        await self.stop(max(0.0, deadline - self.loop.time()), code)

    def _unopened(self) -> list[Connection]:
        """Connections that have not become a websocket yet."""
        handlers = self.poller.handlers()
        return [each for each in handlers if isinstance(each, Connection) and each.is_unopened]

    async def stop(self, timeout: float, code: int = closing.GOING_AWAY) -> None:
        """Closes every connection with a close frame, waits for handlers at work, and frees
        everything.

        Args:
            timeout: seconds after which what is left gets its close frame and is dropped.
            code: the close code that clients get.
        """
        self.is_stopping = True
        self.stop_accepting(serves_rest=True)
        deadline = self.loop.time() + timeout
        for connection in list(self.connections.values()):
            connection.say_goodbye(code, STOPPING)
        for handler in self.poller.handlers():
            if isinstance(handler, (Connection, Preamble)):
                handler.leave_handshake()
        while self.poller.handlers() and self.loop.time() < deadline:
            await asyncio.sleep(0.01)
        for handler in self.poller.handlers():
            if isinstance(handler, Connection) and handler.is_open:
                # A callback is late, and the close frame waits behind it: it leaves without it.
                handler.start_close(code, STOPPING)
                handler.flush()
            handler.on_fault()
        await asyncio.sleep(0)  # for each `on_close` that is to be called soon
        current = asyncio.current_task()
        tasks = [task for task in self._tasks if task is not current]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=max(0.0, deadline - self.loop.time()))
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=1.0)  # one may swallow its cancellation
        self.close()

    def close(self) -> None:
        """Frees the poller and the clock, once nothing is left in them."""
        if self._ticker is not None:
            self._ticker.cancel()
        for output in self.outputs:
            output.close()
        self.log.tell()
        if self.poller.is_closed:
            return
        self.loop.remove_reader(self.poller.fileno())
        self.poller.close()
