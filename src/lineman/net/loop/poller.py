"""The poller: one epoll with every socket of the process in it.

It stands in the asyncio loop as one reader, since an epoll descriptor is itself pollable: one
wake-up of asyncio serves a whole batch of ready sockets, without a handle, a transport or a task
for each. All of asyncio goes on working beside it.

A turn is bounded (`net/loop/turn.py`). What is ready is served first; who has had a share of the
turn waits in one queue with all others like that, and is served behind them. What there was no time
for is served in the next turn, before the kernel is asked for more.
"""

from __future__ import annotations

import logging
import select
from collections.abc import Callable

from lineman.base import buffers, progress
from lineman.base.loglimit import LogLimit
from lineman.net.loop import epoll, syscalls
from lineman.net.loop.turn import Turn
from lineman.net.loop.wheel import Timed, Wheel

logger = logging.getLogger("lineman")

READ = select.EPOLLIN
WRITE = select.EPOLLOUT
BROKEN = select.EPOLLERR | select.EPOLLHUP
FAILED = select.EPOLLERR
# Tells once, until what is watched changes.
ONCE = select.EPOLLONESHOT

# Read at once from one connection. Larger than a socket buffer usually holds.
BUFFER_SIZE = 256 * 1024
# Ready descriptors that the kernel is asked for at once; a turn may end before all are served.
BATCH = 512
# Bytes that were read and wait for their turn, of all connections; past it little is read at once.
MAX_KEPT = 8 * 1024 * 1024
SMALL_READ = 4096

# What the connection being served writes is collected here, and leaves in one system call.
CORK_SIZE = 64 * 1024
# For one message more there always is room in it, and for the header of its frame.
ROOM = 16 * 1024 + 64


class Handler(Timed):
    """What owns a descriptor in the poller."""

    __slots__ = ()

    def on_events(self, events: int) -> None:
        """Serves a descriptor that is ready."""
        raise NotImplementedError

    def on_turn(self) -> None:
        """Goes on with what was put off by `Poller.put_off`.

        A descriptor may be another handler's by then: who puts nothing off has nothing to do.
        """

    def on_fault(self) -> None:
        """Gives the descriptor up after `on_events` or `flush` raised, which is a defect."""
        raise NotImplementedError

    def flush(self) -> None:
        """Writes what is corked."""
        raise NotImplementedError


class Poller:
    """Dispatches events to handlers, and owns what all connections share.

    Args:
        defer: runs a function soon in the event loop; `loop.call_soon`.
        log: for defects; None for one of its own.
        clock: for `Turn`.

    Attributes:
        buffer: the one receive buffer. Its content is valid within one event only.
        is_in_turn: whether connections are being served, and spend their shares of the turn.
        kept: bytes that were read and wait for their turn, of all connections.
        read_size: bytes of the buffer that may be filled at once.
        turn: what is left of this turn.
        wheel: the one timing wheel, and its clock.
    """

    __slots__ = (
        "_batch",
        "_closing",
        "_cork_bytes",
        "_corked",
        "_count",
        "_defer",
        "_epoll",
        "_flush_is_due",
        "_handlers",
        "_is_closed",
        "_is_due",
        "_log",
        "_next",
        "_owned_epoll",
        "_queue",
        "_queue_begin",
        "_view",
        "buffer",
        "cork_fd",
        "cork_room",
        "cork_size",
        "is_in_turn",
        "kept",
        "read_size",
        "turn",
        "wheel",
    )

    def __init__(
        self,
        defer: Callable[[Callable[[], None]], object],
        log: LogLimit | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._owned_epoll = select.epoll()
        self._epoll = epoll.handle(self._owned_epoll)
        self._batch = epoll.new_batch(BATCH)
        self._next = self._count = 0  # of the batch: those from the one to the other wait
        self._handlers: list[Handler | None] = []  # by descriptor
        self._corked: list[int] = []
        self._closing: list[int] = []
        self._queue: list[int] = []  # who was put off,
        self._queue_begin = 0  # from here on
        self._is_due = False  # a turn is planned, whether something is ready or not
        self.kept = 0
        self._is_closed = False
        self._log = log or LogLimit(logger)
        self._defer = defer
        self.is_in_turn = False
        self._flush_is_due = False
        self.buffer = memoryview(bytearray(BUFFER_SIZE))
        self.read_size = BUFFER_SIZE
        self.turn = Turn(clock)
        self.wheel = Wheel()
        self._view = self.buffer
        self.cork_fd = -1
        self.cork_size = 0
        self._cork_bytes = bytearray(CORK_SIZE + ROOM)
        self.cork_room = buffers.room_of(self._cork_bytes)

    def fileno(self) -> int:
        """The descriptor that is readable when some socket is ready."""
        return self._owned_epoll.fileno()

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._is_closed

    def handlers(self) -> list[Handler]:
        """All that own a descriptor now."""
        return [handler for handler in self._handlers if handler is not None]

    def descriptors(self) -> list[int]:
        """All that are in it, and its own: processes that are forked do not keep them."""
        if self._is_closed:
            return []
        own = [fd for fd, handler in enumerate(self._handlers) if handler is not None]
        return [*own, *self._closing, self._owned_epoll.fileno()]

    def add(self, fd: int, handler: Handler, events: int = READ) -> None:
        """Watches a descriptor."""
        epoll.add(self._epoll, fd, events)
        missing = fd + 1 - len(self._handlers)
        if missing > 0:
            self._handlers.extend([None] * max(missing, 64))
        self._handlers[fd] = handler

    def modify(self, fd: int, events: int) -> None:
        """Changes what is watched for; errors and hang-ups always are."""
        epoll.modify(self._epoll, fd, events)

    def forget(self, fd: int) -> None:
        """Stops watching a descriptor without closing it."""
        if self._handlers[fd] is not None:
            self._handlers[fd] = None
            epoll.remove(self._epoll, fd)

    def close_descriptor(self, fd: int) -> None:
        """Stops watching a descriptor and closes it.

        Within a turn, and while a batch takes several, the closing waits for the end: were the
        number given to a connection accepted meanwhile, that one would get events meant for this.
        """
        self._handlers[fd] = None
        # Closing takes it out of epoll only where no forked process holds it open as well.
        epoll.remove(self._epoll, fd)
        if self.is_in_turn or self._has_ready():
            self._closing.append(fd)
        else:
            syscalls.close_fd(fd)

    def cork(self, fd: int) -> None:
        """Has the `flush` of a descriptor's handler called, at the end of this turn or soon."""
        self._corked.append(fd)
        if not self.is_in_turn and not self._flush_is_due:
            self._flush_is_due = True
            self._defer(self._flush)

    def put_off(self, fd: int) -> None:
        """Has the `on_turn` of a descriptor's handler called, behind what is ready.

        It must not be in the queue. Where the descriptor is closed meanwhile, and its number given
        to another, that one is called.
        """
        self._queue.append(fd)
        if not self.is_in_turn:
            self._plan()

    def note_kept(self, size: int) -> None:
        """Counts bytes that were read and wait for their turn.

        Args:
            size: of them; less than 0 for those that no longer wait.
        """
        self.kept += size
        self.read_size = SMALL_READ if self.kept > MAX_KEPT else BUFFER_SIZE

    def _plan(self) -> None:
        """Plans a turn."""
        if not self._is_due:
            self._is_due = True
            self._defer(self._dispatch_due)

    def _dispatch_due(self) -> None:
        self._is_due = False
        self.dispatch()

    def dispatch(self) -> None:
        """Serves what is ready and what was put off, as far as one turn goes."""
        if self._is_closed or self._is_due:
            return  # one turn of ours in each of the loop
        self.is_in_turn = True
        self.turn.begin()
        try:
            self._serve_ready()
            self._note_progress()
            if self._has_queue():
                self.turn.begin_queue()
                self._serve_queue()
                self._note_progress()
        finally:
            self._end_turn()

    def _note_progress(self) -> None:
        if self.turn.is_late():
            progress.note()

    def _has_ready(self) -> bool:
        """Whether some of the last batch have not been served."""
        return self._next < self._count

    def _serve_ready(self) -> None:
        if not self._has_ready():
            self._next = 0
            self._count = epoll.poll(self._epoll, self._batch, BATCH)
        while self._next < self._count:
            index = self._next
            self._next += 1
            self._serve(epoll.fd_of(self._batch, index), epoll.events_of(self._batch, index))
            if self.turn.is_over():
                break

    def _serve_queue(self) -> None:
        """Serves the connections that were put off, each once, and at least one."""
        queue = self._queue
        begin, end = self._queue_begin, len(queue)
        while begin < end:
            fd = queue[begin]
            begin += 1
            self._serve(fd, 0)
            if self.turn.is_over():
                break
        if 2 * begin >= end:  # seldom enough for a long queue
            del queue[:begin]
            begin = 0
        self._queue_begin = begin

    def _has_queue(self) -> bool:
        return self._queue_begin < len(self._queue)

    def _end_turn(self) -> None:
        self._flush()
        self.is_in_turn = False
        if self._closing and not self._has_ready():
            closing, self._closing = self._closing, []
            for fd in closing:
                syscalls.close_fd(fd)
        if self._has_queue() or self._has_ready():
            self._plan()

    def _serve(self, fd: int, events: int) -> None:
        """Serves one that is ready, or, where there are no events, one that was put off."""
        handler = self._handlers[fd]
        if handler is None:
            return  # closed since then
        self.turn.begin_share()
        self.cork_fd = fd
        self.cork_size = 0
        try:
            if events:
                handler.on_events(events)
            else:
                handler.on_turn()
        except Exception as error:
            self._drop(handler, error)
        finally:
            self.cork_fd = -1

    def _drop(self, handler: Handler, error: Exception) -> None:
        self._log.exception(error, "defect in lineman while serving a connection: it is dropped")
        handler.on_fault()

    def _flush(self) -> None:
        self._flush_is_due = False
        while self._corked:
            corked, self._corked = self._corked, []
            for fd in corked:
                handler = self._handlers[fd]
                if handler is None:
                    continue  # closed meanwhile
                try:
                    handler.flush()
                except Exception as error:
                    self._log.exception(error, "defect in lineman while writing to a connection")
                    handler.on_fault()

    def close(self) -> None:
        """Closes the poller; descriptors that are still in it are not touched."""
        self._is_closed = True
        self._next = self._count = 0
        self._handlers.clear()
        self._corked = []
        self._queue = []
        self._queue_begin = 0
        for fd in self._closing:
            syscalls.close_fd(fd)
        self._closing.clear()
        self._owned_epoll.close()
