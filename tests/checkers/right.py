"""Valid programs: a type checker must find no fault in them."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from lineman import (
    CertificateStatus,
    Client,
    Connection,
    ErrorCode,
    Gateway,
    GatewayClient,
    Headers,
    HistoryOptions,
    HistoryPage,
    LinkFullError,
    ProxyHeader,
    Request,
    Response,
    ServerSentEvent,
    TlsInfo,
    Worker,
)

worker = Worker("ws://127.0.0.1:0", count=2)
gateway = Gateway("ws://127.0.0.1:0", workers=2)


@worker.on_message
def reply(connection: Connection, message: str) -> None:
    connection.send(message)


reply(worker.connections[1], message="it is still the function that it was")


@worker.on_message
async def reply_later(connection: Connection, message: str | bytes) -> None:
    await asyncio.sleep(1)
    connection.send(message)


@worker.on_message
def any_reply(connection: Any, message: Any) -> Any:
    return connection.send(message)


@worker.on_message
def untyped(connection, message):  # type: ignore[no-untyped-def]
    connection.send(message)


@worker.on_message
def short(connection: Connection) -> None: ...


@worker.on_message
def shorter() -> None: ...


@worker.on_message
def more(connection: Connection, message: str, times: int = 1) -> None: ...


@worker.on_message
def everything(*arguments: object) -> None: ...


class Rooms:
    def enter(self, connection: Connection) -> None: ...

    async def leave(self, connection: Connection, code: int, reason: str) -> None: ...

    def __call__(self, connection: Connection, message: bytes) -> bool:
        return connection.send(message)


rooms = Rooms()
worker.on_connect = rooms.enter
worker.on_connect(rooms.enter)
worker.on_close = rooms.leave
worker.on_message = rooms
worker.on_message = lambda connection, message: connection.send(message)
worker.on_message = print
worker.on_message = functools.partial(reply)
worker.on_message = None
worker.on_buffer_full = lambda connection: connection.close()
if worker.on_message:
    print(worker.on_message.callback)


@worker.on_close
def gone(connection: Connection, code: int) -> None: ...


@worker.on_error
def failed(connection: Connection, code: ErrorCode, error: Exception) -> None: ...


@worker.on_websocket_connect
async def decide(connection: Connection, request: Request) -> None:
    if "token" not in request.query:
        connection.reject(403)


@worker.on_request
async def events(request: Request) -> AsyncIterator[ServerSentEvent]:
    yield ServerSentEvent(request.path, id=1)


@worker.on_request
def lines(request: Request) -> Iterator[str]:
    yield request.form["name"]


@worker.on_request
def page(request: Request) -> Response:
    return Response(request.path)


@worker.on_request
async def text(request: Request) -> str | None:
    return request.path


@worker.on_worker_start
async def begin(worker: Worker) -> None:
    worker.data["rooms"] = {}


@worker.on_worker_stop
def end() -> None: ...


@gateway.on_message
def answer(client: Client, message: str) -> None:
    client.send(message)


@gateway.on_connect
async def welcome(client: Client) -> None:
    client.send("hello")


gateway.on_uid_online = lambda uid: gateway.send_to_all(uid)


# One connection may have callbacks and limits of its own, and begin TLS.
def admit(connection: Connection) -> None:
    connection.on_message = reply_later
    connection.on_close = None
    connection.max_send_buffer_size = 2 * connection.max_message_size
    has_begun: bool = connection.start_tls()
    connection.idle_timeout = 60 if has_begun else 0.5


mail = Worker("text://127.0.0.1:0", start_tls=True, cert="server.pem")
mail.on_connect = admit


# Every value that a program receives has a public type.
def tls_of(connection: Connection) -> TlsInfo | None:
    return connection.tls


def proxy_of(connection: Connection) -> ProxyHeader | None:
    return connection.proxy_header


def headers_of(request: Request) -> Headers:
    return request.headers


def served() -> list[CertificateStatus]:
    return worker.certificates_served


async def missed_by(client: Client) -> HistoryPage:
    try:
        gateway.send_to_client(client, "wait")
    except LinkFullError:
        await gateway.drain()
    return await gateway.get_history("news")


def of_the_blocking_client(pushing: GatewayClient) -> tuple[bool, list[str], dict[str, bool]]:
    page: HistoryPage = pushing.get_history("news", epoch="e", offset=3)
    pushing.send_to_uid(7, str(page.is_complete))
    one: list[str] = pushing.get_client_id_by_uid(7)
    return pushing.is_uid_online("anna"), one, pushing.is_uids_online(["anna", 7])


given: dict[str, Any] = {"count": 4, "ping_interval": 25.0}
other = Worker("ws://127.0.0.1:0", **given)
all_options = Gateway(
    "wss://127.0.0.1:0",
    gateways=2,
    cert="server.pem",
    key=Path("server.key"),
    history=HistoryOptions(messages=10),
    slow_readers="latest",
    ping_interval=25,
    ping_data=b"ping",
    user="www-data",
)
other.ping_interval = 5


class Chat(Worker):
    rooms: dict[str, set[int]]

    def __init__(self) -> None:
        super().__init__("ws://127.0.0.1:0", max_message_size=1000)
        self.rooms = {}
        self.on_message = self.reply

    def reply(self, connection: Connection, message: str) -> None:
        connection.data["name"] = message
