"""`connect` through tinyproxy and microsocks, and through proxies that lie, hang or refuse."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from client.support import QUICK
from kit.program import free_ports
from kit.waiting import until, wait_until
from lineman import ConnectError, Connection, Dialer, LengthPrefixed, Worker, connect
from lineman.testing.certificates import TestCA

KINDS = ["ws", "wss", "text", "text+tls", "frame", "tcp"]
AUTH = "user:P%61ss5"


def is_listening(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def tinyproxy(folder: Path, more: str = "") -> Iterator[str]:
    port = free_ports(1)[0]
    file = folder / "tinyproxy.conf"
    file.write_text(f"Port {port}\nListen 127.0.0.1\nAllow 127.0.0.1\nLogLevel Error\n{more}\n")
    with started(["tinyproxy", "-d", "-c", str(file)], port):
        yield f"127.0.0.1:{port}"


@contextmanager
def microsocks(*more: str) -> Iterator[str]:
    port = free_ports(1)[0]
    with started(["microsocks", "-i", "127.0.0.1", "-p", str(port), *more], port):
        yield f"127.0.0.1:{port}"


@contextmanager
def started(command: list[str], port: int) -> Iterator[None]:
    found = shutil.which(command[0], path="/usr/bin:/usr/sbin:/usr/local/bin")
    assert found, f"{command[0]} is not installed: tools/setup"
    program = subprocess.Popen(
        [found, *command[1:]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: is_listening(port), f"{command[0]} listens")
        yield
    finally:
        program.kill()
        program.wait()


@pytest.fixture(scope="module", params=["http", "socks5"])
def proxy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    if request.param == "http":
        folder = tmp_path_factory.mktemp("proxy")
        with tinyproxy(folder, "BasicAuth user Pass5") as place:
            yield f"http://{AUTH}@{place}"
    else:
        with microsocks("-u", "user", "-P", "Pass5") as place:
            yield f"socks5://{AUTH}@{place}"


def echo(address: str, **options: Any) -> Worker:
    worker = Worker(address, **options)

    @worker.on_connect
    def greet(connection: Connection) -> None:
        is_bytes = address.startswith(("tcp", "frame"))
        connection.send(b"hello" if is_bytes else "hello")

    @worker.on_message
    def reply(connection: Connection, message: Any) -> None:
        connection.send(message)

    return worker


@pytest.mark.e2e
@pytest.mark.parametrize("kind", KINDS)
def test_every_protocol_goes_through_a_proxy(
    no_traces: None, tmp_path: Path, proxy: str, kind: str
) -> None:
    own: dict[str, Any] = {"protocol": LengthPrefixed(">I")} if kind == "tcp" else {}
    options, more = dict(own), dict(own)
    if kind in ("wss", "text+tls"):
        ca = TestCA(tmp_path)
        ca.issue(["localhost"])
        options |= {"cert": tmp_path / "server.pem", "key": tmp_path / "server.key"}
        more["ca"] = ca.ca_path
    is_bytes = kind in ("frame", "tcp")
    texts: list[Any] = ["hello", "one", "x" * 300_000]
    messages = [text.encode() if is_bytes else text for text in texts]

    async def main() -> None:
        worker = echo(f"{kind}://127.0.0.1:0", **options)
        await worker.start()
        # The proxy looks the name up; the certificate is that of the name, not of the proxy.
        url = worker.url.replace("127.0.0.1", "localhost")
        async with connect(url, proxy=proxy, **more) as line:
            for message in messages[1:]:
                line.send(message)
            heard = []
            async for message in line:
                heard.append(message)
                if len(heard) == 3:
                    break
            assert heard == messages
            assert line.remote_port == int(proxy.rpartition(":")[2])
        await worker.stop(1.0)

    asyncio.run(main())


@pytest.mark.e2e
def test_lines_that_come_back_and_dialers_go_through_a_proxy(no_traces: None, proxy: str) -> None:
    async def main() -> None:
        worker = echo("ws://127.0.0.1:0")
        await worker.start()
        async with connect(worker.url, proxy=proxy, **QUICK) as line:
            assert await anext(aiter(line)) == "hello"
            assert line.connection is not None
            line.connection.close()
            await until(lambda: line.opened == 2 and line.is_open)
        heard: list[Any] = []
        dialer = Dialer(worker.url, proxy=proxy)

        @dialer.on_message
        def note(connection: Connection, message: Any) -> None:
            heard.append(message)

        dialer.connect()
        await until(lambda: heard == ["hello"])
        dialer.close()
        await until(lambda: dialer.connection is None)
        await worker.stop(1.0)

    asyncio.run(main())


@pytest.mark.e2e
def test_real_proxies_refuse_in_words(no_traces: None, proxy: str) -> None:
    port = free_ports(1)[0]
    wrong = proxy.replace(AUTH, "user:wrong-secret")
    without = proxy.replace(f"{AUTH}@", "")
    url = f"ws://127.0.0.1:{port}/"

    async def seen(given: str) -> str:
        with pytest.raises(ConnectError) as caught:
            await connect(url, proxy=given)
        assert caught.value.status == 0
        assert "ss5" not in str(caught.value)
        assert "secret" not in str(caught.value)
        assert without in str(caught.value)
        return str(caught.value)

    async def main() -> None:
        assert f"the way to 127.0.0.1, port {port}" in await seen(proxy)
        for given in (wrong, without):
            words = await seen(given)
            assert "user and password" in words, words

    asyncio.run(main())


Lie = Callable[[socket.socket], Awaitable[None]]


async def through(scheme: str, answer: bytes, *, ends: bool = False, **options: Any) -> str:
    """What `connect` says of a proxy with such an answer."""
    hold = asyncio.Event()

    async def lie(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        if not ends:
            await hold.wait()
        writer.close()

    server = await asyncio.start_server(lie, "127.0.0.1", 0)
    place = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        with pytest.raises(ConnectError) as caught:
            await connect("ws://example.com", proxy=f"{scheme}://u:secret@{place}", **options)
    finally:
        hold.set()
        server.close()
        await server.wait_closed()
    assert f"the proxy {scheme}://{place} " in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "dTpzZWNyZXQ=" not in str(caught.value)
    assert len(str(caught.value)) < 600
    return str(caught.value)


@pytest.mark.parametrize(
    ("scheme", "answer", "words"),
    [
        ("http", b"HTTP/1.1 403 For\x1b[31mbidden\r\n\r\n", r"80: 403 'For\x1b[31mbidden'"),
        ("http", b"HTTP/1.1 403 " + b"x" * 60_000 + b"\r\n\r\n", "403 'xxx"),
        ("http", b"HTTP/1.0 407 Who?\r\nA: b\r\n\r\n", "407 'Who?'; fix: give the right user"),
        ("http", b"HTTP/1.1 400 got Basic dTpzZWNyZXQ= of u:secret\r\n\r\n", "Basic *** of u:***"),
        ("http", b"HTTP/1.1 502\r\n\r\n", "502 ''; fix: see whether the proxy reaches"),
        ("http", b"HTTP/1.1 100 c\r\n\r\n" * 20, "refused the way to example.com, port 80: 100"),
        ("http", b"HTTP/1.1 2000 OK\r\n\r\n", "answered with no HTTP"),
        ("http", b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20_000, "answered with no HTTP"),
        ("http", b"SSH-2.0-x\r\n", "answered with no HTTP: b'SSH-2.0-x"),
        ("http", b"\x15\x03\x01\x00\x02\x02\x46", "fix: it speaks TLS"),
        ("http", b"\x05\xff", "may be a SOCKS proxy"),
        ("socks5", b"HTTP/1.1 400 Bad\r\n\r\n", "answered with no SOCKS5"),
        ("socks5", b"\x05\xff", "refused the user"),
        ("socks5", b"\x05\x01", "answered with no SOCKS5"),
        ("socks5", b"\x05\x02\x01\x01", "refused the user"),
        ("socks5", b"\x05\x02\x01\x00\x05\x02\x00", "Connection not allowed by ruleset"),
        ("socks5", b"\x05\x02\x01\x00\x05\x77\x00", "answered with no SOCKS5"),
        ("socks5", b"\x05\x00\x05\x00\x00\x03\x02\xff\xff\x00\x00", "answered with no SOCKS5"),
    ],
)
def test_a_proxy_that_refuses_or_is_none_is_told(
    no_traces: None, scheme: str, answer: bytes, words: str
) -> None:
    async def main() -> None:
        assert words in await through(scheme, answer)

    asyncio.run(main())


@pytest.mark.parametrize("scheme", ["http", "socks5"])
@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\n", b"\x05"])
def test_a_proxy_that_ends_early_is_told(no_traces: None, scheme: str, answer: bytes) -> None:
    if answer and (scheme == "http") != answer.startswith(b"H"):
        answer = b""

    async def main() -> None:
        words = await through(scheme, answer, ends=True)
        assert "ended the connection before it opened the way to example.com, port 80" in words

    asyncio.run(main())


@pytest.mark.parametrize(
    ("scheme", "answer"),
    [("http", b""), ("http", b"HTTP/1.1 200 OK\r\nA: b\r\n"), ("socks5", b""), ("socks5", b"\x05")],
)
def test_a_proxy_that_hangs_has_the_one_deadline(
    no_traces: None, scheme: str, answer: bytes
) -> None:
    async def main() -> None:
        words = await through(scheme, answer, timeout=0.3)
        assert "has not opened the way to example.com, port 80 in time" in words

    asyncio.run(main())


def test_a_proxy_that_is_not_there_is_told_as_the_proxy(no_traces: None) -> None:
    port = free_ports(1)[0]

    async def main() -> None:
        with pytest.raises(ConnectError, match=f"nothing listens on the proxy http://.*:{port}"):
            await connect("ws://example.com", proxy=f"http://127.0.0.1:{port}")
        with pytest.raises(ConnectError, match=r"the name nobody\.invalid of the proxy"):
            await connect("ws://example.com", proxy="http://nobody.invalid:1")

    asyncio.run(main())


def test_what_comes_behind_the_answer_of_a_proxy_is_the_servers(no_traces: None) -> None:
    async def give(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for part in (b"HTTP/1.1 200 OK\r\n\r", b"\nhel", b"lo\n"):
            writer.write(part)
            await writer.drain()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(give, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with connect("text://example.com:1", proxy=f"http://127.0.0.1:{port}") as line:
            assert [message async for message in line] == ["hello"]
        server.close()
        await server.wait_closed()

    asyncio.run(main())
