"""NATS as the broker, by `nats-py`."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from lineman.errors import ConfigError
from lineman.gateway.brokers.base import without_login
from lineman.gateway.brokers.remote import TOPICS_AT_ONCE, Remote, Work, parts_of


class Nats(Remote):
    """A gateway process' end of a NATS server.

    Args:
        url: `nats://[user:password@]host:4222`, or `tls://…`.
        name: of the service; services with different names hear nothing of each other.
        ca_file: for `tls://`: the authority of the server's certificate; None for the system's.
        others: see `Broker`.
    """

    def __init__(
        self,
        url: str,
        name: str,
        on_message: Callable[[str, bytes], None],
        on_state: Callable[[bool], None],
        topics: Callable[[], Iterable[str]],
        *,
        ca_file: str | None = None,
    ) -> None:
        super().__init__(on_message, on_state, topics)
        self._url = url
        self._ca_file = ca_file
        self._prefix = f"lineman.{_token(name)}."
        self._client: Any = None
        self._ended: asyncio.Future[None] | None = None
        self._subscriptions: dict[str, Any] = {}

    async def start(self) -> None:
        """Begins to reach the server, and goes on trying.

        Raises:
            ConfigError: nats-py is missing, or the address is none.
        """
        try:
            import nats.aio.client  # noqa: F401
        except ImportError:
            raise ConfigError(
                "a nats:// broker needs the package nats-py", "pip install 'lineman[nats]'"
            ) from None
        try:
            parts = urlsplit(self._url)
            is_good = parts.scheme in ("nats", "tls") and parts.hostname and parts.port != 0
        except ValueError:
            is_good = False
        if not is_good:
            raise ConfigError(
                f"the broker's address {without_login(self._url)!r} is none",
                "give nats://user:password@host:4222",
            )
        await super().start()

    async def _open(self, topics: tuple[str, ...]) -> None:
        from nats.aio.client import Client
        from nats.errors import NoServersError

        loop = asyncio.get_running_loop()
        ended = self._ended = loop.create_future()

        async def on_end() -> None:
            if not ended.done():
                ended.set_result(None)

        said = loop.create_future()

        async def on_error(error: Exception) -> None:
            if not said.done():
                said.set_result(str(error))

        client = self._client = Client()
        connecting = client.connect(
            self._url,
            allow_reconnect=False,
            # Where nobody listens it would try for itself, for two minutes.
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=self._whole_timeout,
            # It gives up after three intervals of silence.
            ping_interval=max(1, self._whole_timeout // 2),
            disconnected_cb=on_end,
            closed_cb=on_end,
            error_cb=on_error,
            tls=self._tls(),
        )
        try:
            await asyncio.wait_for(connecting, 2 * self.timeout)
        except (OSError, NoServersError) as error:
            # What the server said before it hung up tells more than that it did.
            await asyncio.wait([said], timeout=0.2)
            raise ConnectionError(said.result() if said.done() else str(error)) from None
        for part in parts_of(topics, TOPICS_AT_ONCE):
            await self._subscribe(part)
            await client.flush(self._whole_timeout)

    @property
    def _whole_timeout(self) -> int:
        return max(1, round(self.timeout))

    def _tls(self) -> ssl.SSLContext | None:
        if not self._url.startswith("tls:"):
            return None
        return ssl.create_default_context(cafile=self._ca_file)

    async def _subscribe(self, topics: Iterable[str]) -> None:
        for topic in topics:
            if topic not in self._subscriptions:
                subject = self._prefix + _token(topic)
                self._subscriptions[topic] = await self._client.subscribe(
                    subject, cb=self._receiver(topic)
                )

    def _receiver(self, topic: str) -> Callable[[Any], Any]:
        async def receive(message: Any) -> None:
            self._on_message(topic, message.data)

        return receive

    async def _read(self) -> None:
        assert self._ended is not None
        await self._ended  # the library calls `receive` by itself

    async def _write(self, work: list[Work]) -> None:
        for one in work:
            if one.topic is not None and len(one.payload) > self._client.max_payload:
                self._refuse(one, self._client.max_payload)
            elif one.topic is not None:
                await self._client.publish(self._prefix + _token(one.topic), one.payload)
            await self._subscribe(one.subscribe)
            for topic in one.unsubscribe:
                subscription = self._subscriptions.pop(topic, None)
                if subscription is not None:
                    await subscription.unsubscribe()
        await self._client.flush(self._whole_timeout)

    async def _shut(self) -> None:
        client, self._client = self._client, None
        self._subscriptions.clear()
        if client is None:
            return
        transport = getattr(client, "_transport", None)
        await client.close()
        if transport is not None:
            transport.close()  # the library does not, where connecting was cut short


def _token(topic: str) -> str:
    """A topic as one token of a subject, where blanks, dots, `*` and `>` have a meaning."""
    return base64.urlsafe_b64encode(topic.encode()).decode().rstrip("=") or "-"
