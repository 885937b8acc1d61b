"""The two examples of a proxy, before our own client and with whoever breaks the rules."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kit.examples import Example
from kit.program import free_ports
from lineman import ConnectError, Connection, Worker, connect
from lineman.testing.client import RawClient

SCHEMES = ["http", "socks5"]


@contextmanager
def example(name: str, directory: Path) -> Iterator[int]:
    """The program; gives its port."""
    found = Example(name, directory)
    try:
        found.wait()
        yield found.port
    finally:
        found.stop()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_client_reaches_a_server_through_the_example(scheme: str, tmp_path: Path) -> None:
    async def main(proxy: str) -> None:
        worker = Worker("text://127.0.0.1:0")

        @worker.on_connect
        def greet(connection: Connection) -> None:
            connection.send("hello")  # before the client has said anything

        @worker.on_message
        def reply(connection: Connection, message: Any) -> None:
            connection.send(message)
            connection.close()

        await worker.start()
        for host in ("127.0.0.1", "localhost"):
            url = worker.url.replace("127.0.0.1", host)
            async with connect(url, proxy=proxy) as line:
                line.send("x" * 200_000)
                assert [message async for message in line] == ["hello", "x" * 200_000]
        await worker.stop(1.0)
        with pytest.raises(ConnectError, match=r"the proxy .* refused the way"):
            await connect(f"text://127.0.0.1:{free_ports(1)[0]}", proxy=proxy)

    with example(f"{scheme}_proxy.py", tmp_path) as port:
        asyncio.run(main(f"{scheme}://127.0.0.1:{port}"))


@pytest.mark.parametrize(
    ("scheme", "said"),
    [
        (
            "http",
            {
                b"GET / HTTP/1.1\r\n\r\n": b"HTTP/1.1 405 Only CONNECT\r\n",
                b"\r\n\r\n": b"HTTP/1.1 405 Only CONNECT\r\n",
                b"CONNECT \xff:x/y HTTP/1.1\r\n\r\n": b"HTTP/1.1 502 Not reached\r\n",
                b"CONNECT\r\n\r\n": b"HTTP/1.1 502 Not reached\r\n",
                b"x" * 20_000: b"",
            },
        ),
        (
            "socks5",
            {
                b"\5\1\2": b"\5\xff",
                b"\5\1\0\5\2\0\1" + bytes(6): b"\5\0\5\7\0\1",
                b"\5\1\0\5\1\0\7" + bytes(6): b"\5\0\5\x08\0\1",
                b"\5\1\0\5\1\0\3\4a/\xffb\0\1": b"\5\0\5\4\0\1",
                b"GET / HTTP/1.1\r\n\r\n": b"",
            },
        ),
    ],
)
def test_whoever_breaks_the_rules_is_told_and_left(
    scheme: str, said: dict[bytes, bytes], tmp_path: Path
) -> None:
    with example(f"{scheme}_proxy.py", tmp_path) as port:
        for request, answer in said.items():
            with RawClient(port) as client:
                client.send_bytes(request)
                heard = client.receive_all()
                assert (heard.startswith(answer), bool(heard)) == (True, bool(answer)), request
