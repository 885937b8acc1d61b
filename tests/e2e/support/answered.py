"""What a server of applications answers to odd requests and websockets, in a few words."""

from __future__ import annotations

import socket
from collections.abc import Callable
from http.client import HTTPConnection

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from kit.waiting import DEADLINE

Probe = Callable[[int], str]


def raw(request: str, *wanted: str) -> Probe:
    """Sends bytes, and says the status of the answer and how it ends.

    Args:
        request: its lines; `\\n` becomes `\\r\\n`, and `\\f` a bare line feed.
        wanted: headers whose values are said too.
    """

    def probe(port: int) -> str:
        data = request.replace("\n", "\r\n").replace("\f", "\n").encode("latin-1")
        with socket.create_connection(("127.0.0.1", port), DEADLINE) as client:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            try:
                reply = b"".join(iter(lambda: client.recv(65536), b"")).decode("latin-1")
            except ConnectionResetError:
                return "the connection is reset"
        if not reply:
            return "the connection ends"
        head, _, body = reply.partition("\r\n\r\n")
        first, *lines = head.split("\r\n")
        headers = {
            name.lower(): value for name, _, value in (each.partition(": ") for each in lines)
        }
        said = [first.split(" ")[1], *(f"{name}: {headers.get(name, 'none')}" for name in wanted)]
        if "transfer-encoding" in headers and not body.endswith("0\r\n\r\n"):
            said.append("cut")
        if len(body) < int(headers.get("content-length", 0)) and not data.startswith(b"HEAD"):
            said.append("cut")
        return ", ".join(said)

    return probe


def get(path: str, *wanted: str, lines: str = "", body: str = "") -> Probe:
    """A request that ends its connection; the body of a good answer is said."""
    method = "POST" if body else "GET"
    return raw(
        f"{method} {path} HTTP/1.1\nHost: a.example\nConnection: close\n{lines}\n{body}", *wanted
    )


def text(path: str, lines: str = "") -> Probe:
    """The body of an answer."""
    headers = dict(each.split(": ", 1) for each in lines.splitlines())

    def probe(port: int) -> str:
        client = HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
        try:
            client.request("GET", path, headers=headers)
            return client.getresponse().read().decode()
        finally:
            client.close()

    return probe


def websocket(path: str, *messages: str | bytes) -> Probe:
    """A websocket that sends messages and waits for its end; its answers and close code."""

    def probe(port: int) -> str:
        said = []
        try:
            with connect(f"ws://127.0.0.1:{port}{path}", max_size=None) as line:
                for each in messages:
                    line.send(each)
                    said.append(str(line.recv(DEADLINE)))
                while True:
                    said.append(str(line.recv(DEADLINE)))
        except InvalidStatus as refused:
            body = bytes(refused.response.body or b"").decode()
            said.append(
                f"{refused.response.status_code} {body!r}"
                if body
                else f"{refused.response.status_code} without a body"
            )
        except ConnectionClosed as closed:
            received = closed.rcvd
            said.append(
                "no close frame"
                if received is None
                else f"{received.code} {received.reason}".strip()
            )
        return ", ".join(said)

    return probe
