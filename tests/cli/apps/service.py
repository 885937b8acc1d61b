"""The service that the tests of `lineman bench` put under load: each path answers in its own way.

python service.py ws://127.0.0.1:0 [server.pem server.key]
"""

import sys

from lineman import Connection, Request, Worker

address, *files = sys.argv[1:]
worker = Worker(address, **dict(zip(("cert", "key"), files, strict=False)), subprotocols=["chat"])


@worker.on_websocket_connect
def let_in(connection: Connection, request: Request) -> None:
    if request.path == "/members" and request.headers.get("x-ticket") != "7":
        connection.reject(403, "members only")
    elif request.path == "/nowhere":
        connection.reject(404, "no such room")


@worker.on_connect
def greet(connection: Connection) -> None:
    if connection.request.path == "/greeting":
        connection.send("welcome")


@worker.on_message
def answer(connection: Connection, message: str | bytes) -> None:
    path = connection.request.path
    if path == "/all":
        for one in worker.connections.values():
            one.send(message)
    elif path == "/ok":
        connection.send("ok")
    elif path == "/goodbye":
        connection.close(code=4001, reason="enough")
    elif path == "/drop":
        connection.destroy()
    elif path != "/silence":
        connection.send(message)


Worker.run_all(["start"])
