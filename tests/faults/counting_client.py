"""A client that counts: what it sent and what was acknowledged, what it got, what it was told.

It speaks websocket by itself, so that judge and judged do not share a mistake.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import Any

HEAD = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
AWAY = 0.2


class Member:
    """What one client has of a group's history.

    Attributes:
        had: the messages that it has, in the order in which it got them.
        told: how often it was told that messages may be missing.
        told_upto: the offset up to which the last page without all messages has said so.
        disorder: messages behind newer ones, none of which it had or was told to miss.
    """

    def __init__(self) -> None:
        self.epoch = ""
        self.offset = 0
        self.had: dict[str, None] = {}
        self.told = self.told_upto = 0
        self.disorder = 0
        self.asks = False

    def take(self, epoch: str, offset: int, data: str) -> bool:
        """Takes a live message; returns whether a page is needed."""
        if not self.epoch:
            self.epoch, self.offset = epoch, offset - 1
        if epoch == self.epoch and offset <= self.offset:
            # Where topics have connections of their own, a page may overtake what it is about.
            self.disorder += data not in self.had and offset > self.told_upto
            return False
        if self.asks or epoch != self.epoch or offset != self.offset + 1:
            return True  # the page has it
        self.offset = offset
        self.had[data] = None
        return False

    def take_page(self, page: dict[str, Any]) -> None:
        """Takes an answer to a question for what is missing."""
        self.asks = False
        if page["epoch"] is None:
            return
        if not page["is_complete"]:
            self.told += 1
            self.told_upto = page["offset"]
        elif page["epoch"] != self.epoch:
            self.told_upto = 0
        self.epoch, self.offset = page["epoch"], page["offset"]
        self.had.update(dict.fromkeys(page["missed"]))


class CountingClient:
    """One user on one node.

    Args:
        uid: its user.
        place: host and port of its node.
        groups: that it joins.

    Attributes:
        to: the receiver of each of its messages, by id.
        acknowledged: those that a worker has taken, and when.
        got: the ids that it received, with the time.
        doubled: ids that came twice.
        disorder: ids of one sender that came behind newer ones.
        away: times in which it was not connected.
    """

    def __init__(self, uid: str, place: tuple[str, int], groups: tuple[str, ...]) -> None:
        self.uid = uid
        self._place = place
        self.members = {group: Member() for group in groups}
        self.to: dict[str, CountingClient] = {}
        self.acknowledged: dict[str, float] = {}
        self.got: dict[str, float] = {}
        self.doubled: list[str] = []
        self.disorder: list[str] = []
        self._newest: dict[str, int] = {}
        self.away: list[tuple[float, float]] = []
        self.is_in = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        since = time.monotonic()
        is_first = True
        while True:
            with contextlib.suppress(OSError, EOFError):
                await self._serve(since, is_first)
            if self.is_in.is_set():
                since, is_first = time.monotonic(), False
            self.is_in.clear()
            if self._writer is not None:
                self._writer.close()
                self._writer = None
            await asyncio.sleep(AWAY)

    async def _serve(self, since: float, is_first: bool) -> None:
        reader, self._writer = await asyncio.open_connection(*self._place)
        self._writer.write(HEAD)
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 101 " not in head:
            raise ConnectionError(head)
        self.say("in", self.uid, *self.members)
        while True:
            first, second = await reader.readexactly(2)
            size = second & 127
            if size == 126:
                size = int.from_bytes(await reader.readexactly(2), "big")
            elif size == 127:
                size = int.from_bytes(await reader.readexactly(8), "big")
            payload = await reader.readexactly(size)
            if first & 15 == 8:
                raise ConnectionError("closed")
            if first & 15 != 1:
                continue
            if payload == b"in":
                if not is_first:
                    self.away.append((since, time.monotonic()))
                self.is_in.set()
                for group, member in self.members.items():
                    if member.epoch:
                        self.ask_page(group)
            else:
                self._take(payload.decode())

    def say(self, *words: str) -> None:
        """Sends a message."""
        if self._writer is None:
            return
        data = " ".join(words).encode()
        size = len(data)
        head = bytes((0x81, 0x80 | size)) if size < 126 else b"\x81\xfe" + size.to_bytes(2, "big")
        self._writer.write(head + bytes(4) + data)

    def send(self, receiver: CountingClient, number: str, more: int = 0) -> None:
        """Sends a message that is counted, with so many bytes more; nothing if not connected."""
        if self.is_in.is_set():
            self.to[number] = receiver
            self.say("to", receiver.uid, number, "x" * more)

    def send_later(self, receiver: CountingClient, number: str) -> None:
        """Has its worker send a message a second later; the worker prints that it has."""
        self.to[number] = receiver
        self.say("later", receiver.uid, number)

    def ask_page(self, group: str) -> None:
        """Asks for what it has missed of a group."""
        member = self.members[group]
        member.asks = True
        self.say("page", group, member.epoch, str(member.offset))

    def _take(self, text: str) -> None:
        now = time.monotonic()
        if text.startswith("{"):
            self._take_history(json.loads(text))
            return
        word, rest, *_ = text.split(" ")
        if word == "ok":
            self.acknowledged[rest] = now
        elif word == "gap":
            self.members[rest].told += 1
            self.ask_page(rest)
        elif rest in self.got:
            self.doubled.append(rest)
        else:
            self.got[rest] = now
            sender, _, number = rest.rpartition("-")
            if int(number) < self._newest.get(sender, 0):
                self.disorder.append(rest)
            self._newest[sender] = max(int(number), self._newest.get(sender, 0))

    def _take_history(self, found: dict[str, Any]) -> None:
        if "page" in found:
            self.members[found["page"]].take_page(found)
        elif self.members[found["group"]].take(found["epoch"], found["offset"], found["data"]):
            self.ask_page(found["group"])

    def was_away(self, at: float, margin: float = 1.0) -> bool:
        """Whether it was not connected at a time, or had just come back."""
        if not self.is_in.is_set():
            return True
        return any(begin - margin <= at <= end + margin for begin, end in self.away)

    def forget(self) -> None:
        """Begins to count anew."""
        for known in (self.to, self.acknowledged, self.got):
            known.clear()
        for listed in (self.away, self.doubled, self.disorder):
            listed.clear()
        for member in self.members.values():
            member.had.clear()
            member.told = member.disorder = 0

    async def close(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        if self._writer is not None:
            self._writer.close()
