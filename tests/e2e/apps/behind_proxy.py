"""The service behind the proxies: echoes, and says what it knows about the client.

    SERVICE_ADDRESS=ws://127.0.0.1:8282 SERVICE_OPTIONS='{"trusted_proxies": ["127.0.0.1/32"]}' \\
        python behind_proxy.py

`whoami` is answered with the addresses as JSON, `headers` with those of the handshake, `close 4001
words` closes with that code and reason, everything else comes back. A path that ends in `?refuse`
is refused with 403. How each connection ended is printed.
"""

import json
import os

from lineman import Connection, Request, Worker

worker = Worker(os.environ["SERVICE_ADDRESS"], **json.loads(os.environ["SERVICE_OPTIONS"]))


@worker.on_websocket_connect
def let_in(connection: Connection, request: Request) -> None:
    if "refuse" in request.query:
        connection.reject(403, "not today")


@worker.on_message
def answer(connection: Connection, message: str | bytes) -> None:
    if message == "whoami":
        known = {
            "remote_ip": connection.remote_ip,
            "peer_address": connection.peer_address,
            "scheme": connection.request.scheme,
            "path": connection.request.path,
            "program": os.getppid(),  # the process that was started: the master
        }
        header = connection.proxy_header
        if header is not None:
            known |= {"version": header.version, "authority": header.authority}
        connection.send(json.dumps(known))
    elif message == "headers":
        connection.send(json.dumps(connection.request.headers.items()))
    elif isinstance(message, str) and message.startswith("close "):
        _, code, reason = message.split(" ", 2)
        connection.close(code=int(code), reason=reason)
    else:
        connection.send(message)


@worker.on_close
def tell(connection: Connection, code: int, reason: str) -> None:
    print(f"closed with {code} {reason}", flush=True)


Worker.run_all()
