"""A layer's connection to its hub, which all event loops and threads of the process use.

A socket of asyncio belongs to one event loop, and Django calls a layer in many: each
`async_to_sync` in a thread may run one of its own. So this socket belongs to none. What is sent is
written at once; every loop in which somebody waits watches the socket, and the first one reads it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple

from lineman.channels import hub_place
from lineman.channels.hub_place import HubPlace
from lineman.channels.layer_messages import TO_LAYER, HubAnswer, Received
from lineman.channels.loop_end import Loop, LoopEnd, settle
from lineman.errors import LinemanError, NotReachedError
from lineman.links.framing import LENGTH, MAX_FRAME, BadMessageError, Message, encode_frames

logger = logging.getLogger("lineman")

AT_ONCE = 256 * 1024
FIRST_RETRY, LAST_RETRY = 0.1, 2.0


class Asked(NamedTuple):
    """A question that waits for its answer.

    Attributes:
        again: the question, if it is asked again after the hub's end; else None.
    """

    loop: Loop
    future: asyncio.Future[Any]
    again: Message | None


class HubLine:
    """Asks the hub, and hands over what it sends.

    Args:
        place: says where the hub is.
        greeting: the messages that each connection begins with.
        on_message: gets what is no answer that somebody waits for, in any thread, one message at a
            time, with `lock` held.
        is_needed: whether a connection that ended must be opened again at once.

    Attributes:
        lock: what is sent while a thread holds it is sent in one piece.
    """

    def __init__(
        self,
        place: Callable[[], HubPlace],
        greeting: Callable[[], list[Message]],
        on_message: Callable[[Any], None],
        is_needed: Callable[[], bool],
    ) -> None:
        self._place = place
        self._greeting = greeting
        self._on_message = on_message
        self._is_needed = is_needed
        self.lock = threading.RLock()
        self._reaching = threading.Lock()
        self._socket: socket.socket | None = None
        self._ends: dict[Loop, LoopEnd] = {}
        self._received = bytearray()
        self._out = bytearray()
        self._numbers = count(1)
        self._asked: dict[int, Asked] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    # Asking and sending.

    async def ask(self, make: Callable[[int], Message], *, again: bool = False) -> Any:
        """Sends a question with a number of its own, and returns the answer.

        Args:
            make: makes the question.
            again: whether it is asked again if the hub ends before the answer.

        Raises:
            ConfigError: the hub is not reached; or it ended, and the message may be lost.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        while True:
            if loop not in self._ends:
                await self.watch()
            with self.lock:
                if self._socket is not None:
                    number = next(self._numbers)
                    message = make(number)
                    self._asked[number] = Asked(loop, future, message if again else None)
                    self._write(message)
                    break
        try:
            return await future
        except asyncio.CancelledError:
            # The coroutine that asked is gone, and the answer may be a message.
            if future.done() and not future.cancelled() and future.exception() is None:
                with self.lock:
                    self._on_message(future.result())
            raise
        finally:
            with self.lock:
                self._asked.pop(number, None)

    async def send(self, message: Message) -> None:
        """Sends a message that is not answered; returns when the kernel has it.

        Raises:
            ConfigError: the hub is not reached.
        """
        while not self.post(message):
            await self._reach()
        while self._out:
            await self._wait_until_sent()

    def post(self, message: Message) -> bool:
        """Sends a message that is not answered; returns False if the hub is not connected."""
        with self.lock:
            return self._socket is not None and self._write(message)

    def _write(self, message: Message) -> bool:
        assert self._socket is not None
        (frame,), _ = encode_frames([message])  # its size and types were checked
        sent = 0
        if not self._out:
            try:
                sent = self._socket.send(frame)
            except BlockingIOError:
                pass
            except OSError as error:
                self._lose(error.strerror or str(error))
                return False
        if sent < len(frame):
            self._out += frame[sent:]
            for end in list(self._ends.values()):
                with contextlib.suppress(RuntimeError):
                    end.loop.call_soon_threadsafe(self._wait_for_room, end)
        return True

    async def _wait_until_sent(self) -> None:
        await self.watch()
        loop = asyncio.get_running_loop()
        with self.lock:
            end = self._ends.get(loop)
            if end is None or not self._out:
                return
            future: asyncio.Future[None] = loop.create_future()
            end.unsent.append(future)
            self._wait_for_room(end)
        await future

    def _wait_for_room(self, end: LoopEnd) -> None:
        with self.lock:
            if end.descriptor >= 0 and self._out:
                end.loop.add_writer(end.descriptor, self._on_writable, end)

    def _on_writable(self, end: LoopEnd) -> None:
        with self.lock:
            while self._out and self._socket is not None:
                try:
                    sent = self._socket.send(self._out)
                except BlockingIOError:
                    return
                except OSError:
                    self._out.clear()  # the reader sees the end
                    break
                del self._out[:sent]
            end.all_sent()

    # Connecting.

    async def watch(self) -> None:
        """Has the running loop watch the connection, which is opened if there is none.

        Raises:
            ConfigError: the hub is not reached.
        """
        loop = asyncio.get_running_loop()
        while not self._watch_in(loop):
            await self._reach()

    def _watch_in(self, loop: Loop) -> bool:
        with self.lock:
            if self._socket is None:
                return False
            for other in [each for each in self._ends if each.is_closed()]:
                self._ends.pop(other).close()
            if loop not in self._ends:
                end = self._ends[loop] = LoopEnd(loop, self._socket.fileno())
                loop.add_reader(end.descriptor, self._on_readable, end)
            return True

    async def _reach(self) -> None:
        """Connects to the hub; if none runs, a thread starts one."""
        end = hub_place.connect(self._place())
        if end is not None:
            self._begin(end)
        else:
            await asyncio.get_running_loop().run_in_executor(None, self._start)

    def _start(self) -> None:
        with self._reaching:
            if self._socket is None:
                self._begin(hub_place.reach(self._place()))

    def _begin(self, end: socket.socket) -> None:
        with self.lock:
            if self._socket is not None:
                end.close()
                return
            self._socket = end
            self._received.clear()
            self._out.clear()
            questions = [each.again for each in self._asked.values() if each.again is not None]
            for message in (*self._greeting(), *questions):
                if not self._write(message):
                    return

    # Receiving.

    def _on_readable(self, end: LoopEnd) -> None:
        with self.lock:
            if self._socket is None:
                return
            try:
                data = self._socket.recv(AT_ONCE)
                if data:
                    self._received += data
                    self._take()
                else:
                    self._lose("it has ended")
            except BlockingIOError:
                pass  # another loop has read it
            except OSError as error:
                self._lose(error.strerror or str(error))
            except BadMessageError as error:
                self._lose(str(error))

    def _take(self) -> None:
        data, start = self._received, 0
        while len(data) - start >= LENGTH:
            size = int.from_bytes(data[start : start + LENGTH], "big")
            if size > MAX_FRAME:
                raise BadMessageError(f"a frame of {size} bytes; {MAX_FRAME} are allowed")
            after = start + LENGTH + size
            if after > len(data):
                break
            for message in TO_LAYER.decode_batch(data[start + LENGTH : after]):
                self._handle(message)
            start = after
        del data[:start]

    def _handle(self, message: Any) -> None:
        if type(message) is HubAnswer or type(message) is Received:
            asked = self._asked.pop(message.number, None)
            if asked is not None and settle(asked.loop, asked.future, message):
                return
        self._on_message(message)

    # The end of a connection.

    def _lose(self, reason: str) -> None:
        loops = [loop for loop in self._ends if not loop.is_closed()]
        self.cut()
        for number, (loop, future, again) in list(self._asked.items()):
            if again is None:
                del self._asked[number]
                error = NotReachedError(
                    f"the channel layer's hub is gone: {reason}",
                    "send the message again: this one may be lost",
                )
                settle(loop, future, error)
        if self._asked or self._is_needed():
            logger.warning("the channel layer's hub is gone (%s); connecting again", reason)
            for loop in loops:
                with contextlib.suppress(RuntimeError):
                    loop.call_soon_threadsafe(self._keep_reaching, loop)

    def _keep_reaching(self, loop: Loop) -> None:
        task = loop.create_task(self._reconnect())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _reconnect(self) -> None:
        pause = FIRST_RETRY
        while True:
            try:
                await self.watch()
            except LinemanError as error:
                logger.warning("%s", error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LAST_RETRY)
            else:
                return

    def cut(self) -> None:
        """Ends the connection; the next message opens another one."""
        with self.lock:
            end, self._socket = self._socket, None
            if end is None:
                return
            end.close()
            self._out.clear()
            ends, self._ends = self._ends, {}
            here = asyncio._get_running_loop()
            for loop, each in ends.items():
                if loop is here or loop.is_closed():
                    each.close()
                else:
                    with contextlib.suppress(RuntimeError):
                        loop.call_soon_threadsafe(each.close)

    def __del__(self) -> None:
        self.cut()

    def forget(self) -> None:
        """Closes the descriptors, in a process that was forked and must not use them."""
        for each in self._ends.values():
            each.close_in_child()
        if self._socket is not None:
            self._socket.close()
