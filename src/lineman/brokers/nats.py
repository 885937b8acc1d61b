"""NATS as the broker, by `nats-py`."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import random
import ssl
from collections import deque
from typing import Any
from urllib.parse import unquote

from lineman.brokers.base import Subscriber
from lineman.brokers.nats_client import check_library, make_client
from lineman.brokers.remote import (
    DEFAULT_LIMITS,
    PendingWrite,
    Remote,
    RemoteLimits,
    parts_of,
)
from lineman.brokers.several_hosts import SeveralHosts, place_of

logger = logging.getLogger("lineman")

EXAMPLE = "nats://user:password@host:4222,host2:4222"


class Nats(Remote):
    """A gateway process' end of a NATS server, or of one of a NATS cluster.

    Args:
        url: `nats://[user:password@]host:4222[,host2:4222…]`, or `tls://…`. Of several servers one
            is used; if it is lost, the next one is tried.
        name: the service's name; services with different names do not get each other's messages.
        ca_file: for `tls://`: the authority of the server's certificate; None for the system's.
        subscriber: see `Broker`.
        limits: see `Remote`.
    """

    def __init__(
        self,
        url: str,
        name: str,
        subscriber: Subscriber,
        limits: RemoteLimits = DEFAULT_LIMITS,
        *,
        ca_file: str | None = None,
    ) -> None:
        super().__init__(url, subscriber, limits)
        parts = self._parts = SeveralHosts.read(url, 4222, EXAMPLE)
        self._servers = deque(f"{parts.scheme}://{place_of(each)}" for each in parts.hosts)
        self._servers.rotate(random.randrange(len(parts.hosts)))  # the nodes share the servers
        self._has_warned = False
        self._ca_file = ca_file
        self._prefix = f"lineman.{token_of(name)}."
        self._client: Any = None
        self._ended: asyncio.Event | None = None
        self._said = ""  # the last error that the server has reported
        self._numbers: dict[str, int] = {}  # the numbers of the subscriptions, by topic
        self._topics_by_number: dict[int, str] = {}
        self._last_number = 0

    async def start(self) -> None:
        """Begins to connect to the server, and keeps trying.

        Raises:
            ConfigError: nats-py is missing or of an unknown release.
        """
        check_library()
        await super().start()

    async def _open(self, topics: tuple[str, ...]) -> None:
        from nats.errors import NoServersError

        ended = self._ended = asyncio.Event()
        said = asyncio.Event()
        self._said = ""

        async def on_end() -> None:
            ended.set()

        async def on_error(error: Exception) -> None:
            self._said = self._said or str(error)
            said.set()
            if client.is_connected:
                ended.set()  # else it would stay connected without a refused subscription

        client = self._client = make_client(self._on_number)
        self._servers.rotate(-1)  # the next one: this is no first session, or the last one failed
        connecting = client.connect(
            list(self._servers),
            **self._login(),
            dont_randomize=True,
            allow_reconnect=False,
            # Otherwise it would try by itself for two minutes if nothing listens there.
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=self._whole_timeout,
            # The library gives up after three intervals of silence.
            ping_interval=max(1, self._whole_timeout // 2),
            disconnected_cb=on_end,
            closed_cb=on_end,
            error_cb=on_error,
            tls=self._tls(),
        )
        try:
            await asyncio.wait_for(connecting, 2 * self.timeout)
        except (OSError, NoServersError) as error:
            # The server's last error says more than the closed connection.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(said.wait(), 0.2)
            raise ConnectionError(self._said or str(error)) from None
        self._said = ""  # errors before the connection no longer count
        self._look_for_cluster()
        for part in parts_of(topics, self._limits.topics_at_once):
            await self._change_topics(PendingWrite(subscribe=part))
            async with asyncio.timeout(self.timeout):
                await self._confirm()

    def _look_for_cluster(self) -> None:
        if len(self._servers) > 1 and not self._client.cluster and not self._has_warned:
            self._has_warned = True
            logger.warning(
                "the broker's address has several NATS servers, and the one that is used belongs "
                "to no NATS cluster: nodes at different servers do not reach each other; fix: give "
                "each server a cluster name and routes to the others, or name one server"
            )

    def _login(self) -> dict[str, str]:
        return login_of(self._parts)

    @property
    def _whole_timeout(self) -> int:
        return max(1, round(self.timeout))

    def _tls(self) -> ssl.SSLContext | None:
        if self._parts.scheme != "tls":
            return None
        return ssl.create_default_context(cafile=self._ca_file)

    def _on_number(self, number: int, data: bytes) -> None:
        topic = self._topics_by_number.get(number)
        if topic is not None:
            self._on_message(topic, data)

    async def _change_topics(self, work: PendingWrite) -> None:
        commands = []
        for topic in work.subscribe:
            if topic not in self._numbers:
                self._last_number += 1
                number = self._numbers[topic] = self._last_number
                self._topics_by_number[number] = topic
                commands.append(f"SUB {self._prefix}{token_of(topic)} {number}\r\n")
        for topic in work.unsubscribe:
            gone = self._numbers.pop(topic, None)
            if gone is not None:
                del self._topics_by_number[gone]
                commands.append(f"UNSUB {gone}\r\n")
        if commands:
            await self._client.send_commands("".join(commands))

    async def _confirm(self) -> None:
        """Returns when the server has all commands."""
        await self._client.send_all(self._whole_timeout)
        if self._said:
            raise ConnectionError(self._said)

    async def _read(self) -> None:
        assert self._ended is not None
        await self._ended.wait()  # the library calls `_on_number` by itself
        raise ConnectionError(self._said or "the broker ended the connection")

    async def _write(self, work: list[PendingWrite]) -> None:
        for one in work:
            if one.topic is not None and len(one.payload) > self._client.max_payload:
                self._refuse(one, self._client.max_payload)
            elif one.topic is not None:
                await self._client.publish(self._prefix + token_of(one.topic), one.payload)
            await self._change_topics(one)
        await self._confirm()

    async def _shut(self) -> None:
        client, self._client = self._client, None
        self._numbers.clear()
        self._topics_by_number.clear()
        if client is not None:
            await client.end()


def login_of(parts: SeveralHosts) -> dict[str, str]:
    """The login of an address, decoded: the library decodes no `%2F`."""
    login = parts.login.removesuffix("@")
    user, colon, password = login.partition(":")
    if colon:
        return {"user": unquote(user), "password": unquote(password)}
    return {"token": unquote(login)} if login else {}


def token_of(topic: str) -> str:
    """A topic encoded as one token of a subject: blanks, dots, `*` and `>` have a meaning there."""
    return base64.urlsafe_b64encode(topic.encode()).decode().rstrip("=") or "-"
