"""The poller: one epoll with every socket of the process in it.

It stands in the asyncio loop as one reader, since an epoll descriptor is itself pollable: one
wake-up of asyncio serves a whole batch of ready sockets, without a handle, a transport or a task
for each. All of asyncio goes on working beside it.

Who talks alone would pay for two epolls with every message, so a descriptor that has been the only
ready one for a while moves into asyncio's own.
"""

from __future__ import annotations

import asyncio
import logging
import select
from collections.abc import Callable

from lineman.net.loglimit import LogLimit
from lineman.net.syscalls import add_to_epoll, close_fd
from lineman.net.wheel import Timed, Wheel

try:
    import cython
except ImportError:
    from lineman import uncompiled as cython

logger = logging.getLogger("lineman")

READ = select.EPOLLIN
WRITE = select.EPOLLOUT
BROKEN = select.EPOLLERR | select.EPOLLHUP

# Read at once from one connection. Larger than a socket buffer usually holds.
BUFFER_SIZE = 256 * 1024
# Served in one wake-up, then the rest of asyncio has its turn.
BATCH = 512
# So many batches in a row of one and the same descriptor alone, and it moves into asyncio's epoll;
# so many descriptors at most.
ALONE = 64
_ALONE = ALONE  # as a C number
MAX_ALONE = 4


# What the connection being served writes is collected here, and leaves in one system call.
CORK_SIZE = 64 * 1024


class Handler(Timed):
    """What owns a descriptor in the poller."""

    __slots__ = ()

    def on_events(self, events: int) -> None:
        """Serves a descriptor that is ready."""
        raise NotImplementedError

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
        loop: has a descriptor watched by the event loop itself; None for never.
        log: for defects; None for one of its own.

    Attributes:
        buffer: the one receive buffer. Its content is valid within one event only.
        wheel: the one timing wheel, and its clock.
    """

    __slots__ = (
        "_again",
        "_alone",
        "_alone_count",
        "_alone_fd",
        "_closing",
        "_corked",
        "_defer",
        "_epoll",
        "_flush_is_due",
        "_handlers",
        "_in_batch",
        "_is_closed",
        "_log",
        "_loop",
        "_unusual",
        "_view",
        "buffer",
        "cork_owner",
        "cork_size",
        "wheel",
    )

    def __init__(
        self,
        defer: Callable[[Callable[[], None]], object],
        loop: asyncio.AbstractEventLoop | None = None,
        log: LogLimit | None = None,
    ) -> None:
        self._epoll = select.epoll()
        self._handlers: list[Handler | None] = []  # by descriptor
        self._corked: list[Handler] = []
        self._closing: list[int] = []
        self._again: list[int] = []
        self._is_closed = False
        self._log = log or LogLimit(logger)
        self._loop = loop
        self._alone: set[int] = set()  # descriptors that are in the loop's epoll instead
        self._alone_fd = -1  # the only one of the last batches,
        self._alone_count = 0  # so many of them
        self._unusual: set[int] = set()  # descriptors watched for something else than READ
        self._defer = defer
        self._in_batch = False
        self._flush_is_due = False
        self.buffer = memoryview(bytearray(BUFFER_SIZE))
        self.wheel = Wheel()
        self._view = self.buffer
        self.cork_owner: Handler | None = None
        self.cork_size = 0
        if cython.compiled:
            self._epoll_fd = self._epoll.fileno()
            self._events_room = bytearray(BATCH * cython.sizeof(epoll_event))
            self._events = cython.cast(p_epoll_event, PyByteArray_AS_STRING(self._events_room))
            self._cork_bytes = bytearray(CORK_SIZE)
            self.cork_room = cython.cast(p_uchar, PyByteArray_AS_STRING(self._cork_bytes))

    def fileno(self) -> int:
        """The descriptor that is readable when some socket is ready."""
        return self._epoll.fileno()

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
        return [*own, *self._closing, self._epoll.fileno()]

    def add(self, fd: int, handler: Handler, events: int = READ) -> None:
        """Watches a descriptor."""
        self._watch(fd, events)
        missing = fd + 1 - len(self._handlers)
        if missing > 0:
            self._handlers.extend([None] * max(missing, 64))
        self._handlers[fd] = handler

    def _watch(self, fd: int, events: int) -> None:
        if events != READ:
            self._unusual.add(fd)
        if cython.compiled:
            add_to_epoll(self._epoll_fd, fd, events)
        else:
            self._epoll.register(fd, events)

    def modify(self, fd: int, events: int) -> None:
        """Changes what is watched for; errors and hang-ups always are."""
        if fd in self._alone:
            if events != READ:
                self._leave_loop(fd)
                self._watch(fd, events)
            return
        if events == READ:
            self._unusual.discard(fd)
        else:
            self._unusual.add(fd)
        self._epoll.modify(fd, events)

    def forget(self, fd: int) -> None:
        """Stops watching a descriptor without closing it."""
        if self._handlers[fd] is not None:
            self._handlers[fd] = None
            self._unusual.discard(fd)
            if fd in self._alone:
                self._leave_loop(fd)
            else:
                self._epoll.unregister(fd)

    def close_descriptor(self, fd: int) -> None:
        """Stops watching a descriptor and closes it.

        Within a batch the closing waits for its end: were the number given to a connection
        accepted meanwhile, that one would get events meant for this one.
        """
        self._handlers[fd] = None
        self._unusual.discard(fd)
        if fd in self._alone:
            self._leave_loop(fd)
        else:
            # Closing takes it out of epoll only where no forked process holds it open as well.
            self._epoll.unregister(fd)
        if self._in_batch:
            self._closing.append(fd)
        else:
            close_fd(fd)

    def cork(self, handler: Handler) -> None:
        """Has `handler.flush` called once, at the end of this batch or soon."""
        self._corked.append(handler)
        if not self._in_batch and not self._flush_is_due:
            self._flush_is_due = True
            self._defer(self._flush)

    def serve_again(self, fd: int) -> None:
        """Has a handler served soon as if its descriptor were readable."""
        if not self._again:
            self._defer(self.dispatch)
        self._again.append(fd)

    def dispatch(self) -> None:
        """Serves one batch of ready descriptors."""
        if self._is_closed:
            return
        self._in_batch = True
        again, self._again = self._again, []
        try:
            for fd in again:
                self._serve(fd, READ)
            if cython.compiled:
                count = epoll_wait(self._epoll_fd, self._events, BATCH, 0)
                for index in range(count):
                    fd = self._events[index].data.fd
                    self._serve(fd, self._events[index].events)
            else:
                ready = self._epoll.poll(0, BATCH)
                count = len(ready)
                for fd, events in ready:
                    self._serve(fd, events)
            if count:
                self._count_alone(fd if count == 1 else -1)
        finally:
            self._end_batch()

    def _end_batch(self) -> None:
        self._flush()
        self._in_batch = False
        closing, self._closing = self._closing, []
        for fd in closing:
            close_fd(fd)

    # Who talks alone.

    def _count_alone(self, fd: int) -> None:
        """Notes which descriptor was the only one of a batch; -1 for several."""
        if fd < 0 or fd != self._alone_fd:
            self._alone_fd = fd
            self._alone_count = 0
            return
        self._alone_count += 1
        if self._alone_count < _ALONE:
            return
        self._alone_count = 0
        is_usual = self._handlers[fd] is not None and fd not in self._unusual
        if is_usual and self._loop is not None and len(self._alone) < MAX_ALONE:
            self._epoll.unregister(fd)
            self._alone.add(fd)
            self._loop.add_reader(fd, self._serve_alone, fd)

    def _leave_loop(self, fd: int) -> None:
        assert self._loop is not None
        self._alone.discard(fd)
        self._loop.remove_reader(fd)

    def _serve_alone(self, fd: int) -> None:
        self._in_batch = True
        try:
            self._serve(fd, READ)
        finally:
            self._end_batch()

    def _serve(self, fd: int, events: int) -> None:
        handler = self._handlers[fd]
        if handler is None:
            return  # closed by an earlier event of this batch
        if cython.compiled:
            self.cork_owner = handler
            self.cork_size = 0
        try:
            handler.on_events(events)
        except Exception as error:
            self._log.exception(
                error, "defect in lineman while serving a connection: it is dropped"
            )
            handler.on_fault()
        finally:
            if cython.compiled:
                self.cork_owner = None

    def _flush(self) -> None:
        self._flush_is_due = False
        while self._corked:
            corked, self._corked = self._corked, []
            for handler in corked:
                try:
                    handler.flush()
                except Exception as error:
                    self._log.exception(error, "defect in lineman while writing to a connection")
                    handler.on_fault()

    def close(self) -> None:
        """Closes the poller; descriptors that are still in it are not touched."""
        self._is_closed = True
        for fd in list(self._alone):
            self._leave_loop(fd)
        self._handlers.clear()
        self._epoll.close()
