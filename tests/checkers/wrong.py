"""Programs that cannot work: a type checker refuses each line that ends in `# wrong`."""

from __future__ import annotations

import lineman
from lineman import Client, Connection, Gateway, GatewayClient, Request, Worker

worker = Worker("ws://127.0.0.1:0")
gateway = Gateway("ws://127.0.0.1:0")
lineman.Wroker("ws://127.0.0.1:0")  # wrong


def of_text(connection: str, message: str) -> None: ...
def of_client(client: Client, message: str) -> None: ...
def of_connection(connection: Connection, message: str) -> None: ...
def three(connection: Connection, message: str, more: str) -> None: ...
def keyword(connection: Connection, message: str, *, more: str) -> None: ...
def of_number(connection: Connection, message: str) -> int:
    raise NotImplementedError


def returns_text(connection: Connection, message: str) -> str:
    raise NotImplementedError


async def later_text(connection: Connection, message: str) -> str:
    raise NotImplementedError


async def later_client(client: Client, message: str) -> None: ...
async def later_connection(connection: Connection, message: str) -> None: ...
async def later_three(connection: Connection, message: str, more: str) -> None: ...
def closed(connection: Connection, code: str, reason: str) -> None: ...
def no_page(request: Request) -> int:
    raise NotImplementedError


async def later_no_page(request: Request) -> dict[str, str]:
    raise NotImplementedError


def of_request(request: Request) -> None: ...
def of_gateway(gateway: Gateway) -> None: ...
def of_uid(uid: int) -> None: ...


worker.on_message = of_text  # wrong
worker.on_message(of_text)  # wrong
worker.on_message = of_client  # wrong
worker.on_message(of_client)  # wrong
worker.on_message = three  # wrong
worker.on_message(three)  # wrong
worker.on_message = keyword  # wrong
worker.on_message = of_number  # wrong
worker.on_message(returns_text)  # wrong
worker.on_message = later_text  # wrong
worker.on_message(later_text)  # wrong
worker.on_message = later_client  # wrong
worker.on_message(later_three)  # wrong
worker.on_message = "reply"  # wrong
worker.on_connect = of_connection  # wrong
worker.on_connect(of_request)  # wrong
worker.on_close = closed  # wrong
worker.on_close(closed)  # wrong
worker.on_error(closed)  # wrong
worker.on_websocket_connect = of_connection  # wrong
worker.on_request = no_page  # wrong
worker.on_request(later_no_page)  # wrong
worker.on_request = of_connection  # wrong
worker.on_worker_start = of_gateway  # wrong
worker.on_buffer_full(of_request)  # wrong
worker.on_buffer_drain = of_client  # wrong
worker.on_worker_stop(of_request)  # wrong

gateway.on_message = of_connection  # wrong
gateway.on_message(of_connection)  # wrong
gateway.on_message = of_text  # wrong
gateway.on_message = later_connection  # wrong
gateway.on_message(later_connection)  # wrong
gateway.on_message(three)  # wrong
gateway.on_connect = of_client  # wrong
gateway.on_connect(of_request)  # wrong
gateway.on_close(closed)  # wrong
gateway.on_websocket_connect = of_connection  # wrong
gateway.on_request = no_page  # wrong
gateway.on_worker_start(of_gateway)  # wrong
gateway.on_uid_online = of_uid  # wrong

worker.onMessage = of_connection  # wrong
worker.cuont = 4  # wrong
worker.rooms = {}  # wrong
Worker.daemonize = True  # wrong
gateway.onMessage = of_client  # wrong
gateway.max_message_size = 5  # wrong
Worker("ws://127.0.0.1:0", maxPackageSize=5)  # wrong
Worker("ws://127.0.0.1:0", count="4")  # wrong
Worker("wss://127.0.0.1:0", verify_client="always")  # wrong
worker.ping_interval = "25"  # wrong
Gateway("ws://127.0.0.1:0", count=4)  # wrong
Gateway("ws://127.0.0.1:0", workers="4")  # wrong
Gateway("ws://127.0.0.1:0", ping_not_response_limt=4)  # wrong
Gateway("ws://127.0.0.1:0", history=10)  # wrong
Gateway()  # wrong


def use(connection: Connection, client: Client) -> None:
    connection.uid = 1  # wrong
    connection.getRemoteIp()  # wrong
    connection.ping_interval = 5  # wrong
    connection.max_send_buffer_size = "1000"  # wrong
    client.nickname = "me"  # wrong
    client.get_remote_ip()  # wrong


async def ask(pushing: GatewayClient) -> None:
    await pushing.is_uid_online(7)  # wrong
    pushing.is_uid_online(7, 8)  # wrong
    pushing.get_history(group=b"news")  # wrong
    count: str = pushing.get_all_client_count()  # wrong
    print(count)
