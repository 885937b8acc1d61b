"""`connect` against our own worker, `websockets`, and servers that lie, hang or refuse."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import websockets

from kit.waiting import until
from lineman import (
    ConnectError,
    Connecting,
    Connection,
    LengthPrefixed,
    Request,
    UsageError,
    Worker,
    connect,
)
from lineman.client import client_service
from lineman.protocols.websocket.handshake import accept_key
from lineman.testing.certificates import TestCA

Served = Callable[[Worker], Awaitable[None]]


def run(worker: Worker, test: Served) -> None:
    """Runs a test beside a worker; afterwards no client is left."""

    async def main() -> None:
        await worker.start()
        try:
            await test(worker)
        finally:
            await worker.stop(1.0)
        await until(lambda: not client_service._services)

    asyncio.run(main())


def echo(address: str, **options: Any) -> Worker:
    worker = Worker(address, **options)

    @worker.on_message
    def reply(connection: Connection, message: Any) -> None:
        connection.send(message)

    return worker


@pytest.fixture
def ca(tmp_path: Path) -> TestCA:
    authority = TestCA(tmp_path)
    authority.issue(["localhost", "127.0.0.1"])
    return authority


KINDS = ["ws", "wss", "text", "text+tls", "frame", "tcp", "text+unix", "ws+unix", "wss+unix"]


@pytest.mark.parametrize("compression", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_messages_go_both_ways(
    no_traces: None, tmp_path: Path, ca: TestCA, kind: str, compression: bool
) -> None:
    own: dict[str, Any] = {"protocol": LengthPrefixed(">I")} if kind == "tcp" else {}
    options = dict(own)
    if kind in ("wss", "text+tls", "wss+unix"):
        options |= {"cert": tmp_path / "server.pem", "key": tmp_path / "server.key"}
    if "ws" in kind:
        options["compression"] = compression
    address = f"{kind}:///{tmp_path}/s" if "unix" in kind else f"{kind}://127.0.0.1:0"
    small, large = ("one", "x" * 300_000)
    if kind in ("frame", "tcp"):
        small, large = b"one", b"x" * 300_000  # type: ignore[assignment]

    async def test(worker: Worker) -> None:
        more = {"ca": ca.ca_path} if "cert" in options else {}
        if "ws" in kind:
            more["compression"] = compression  # type: ignore[assignment]
        async with connect(worker.url, **more, **own) as line:
            assert line.is_open
            assert (line.tls is not None) == ("cert" in options)
            for message in (small, large, small):
                line.send(message)
            heard = []
            async for message in line:
                heard.append(message)
                if len(heard) == 3:
                    break
            assert heard == [small, large, small]
        assert not line.is_open
        assert line.close_code == 1000

    run(echo(address, **options), test)


def test_what_the_server_sends_at_once_is_not_lost(no_traces: None) -> None:
    worker = Worker("ws://127.0.0.1:0")

    @worker.on_connect
    def greet(connection: Connection) -> None:
        for number in range(200):
            connection.send(str(number))
        connection.close(None, 4001, "enough")

    async def test(worker: Worker) -> None:
        async with connect(worker.url) as line:
            assert [message async for message in line] == [str(number) for number in range(200)]
            assert (line.close_code, line.close_reason) == (4001, "enough")
            assert not line.send("late")

    run(worker, test)


def test_headers_origin_and_subprotocol_reach_the_server(no_traces: None) -> None:
    worker = Worker("ws://127.0.0.1:0", subprotocols=["chat"], origins=["https://example.com"])
    seen: list[Request] = []

    @worker.on_websocket_connect
    def look(connection: Connection, request: Request) -> None:
        seen.append(request)

    async def test(worker: Worker) -> None:
        url = f"{worker.url}/room?n=7"
        async with connect(
            url, headers={"X-A": "b"}, origin="https://example.com", subprotocols=["x", "chat"]
        ) as line:
            assert line.subprotocol == "chat"
        (request,) = seen
        assert (request.path, request.query["n"]) == ("/room", "7")
        assert request.headers["X-A"] == "b"

    run(worker, test)


def test_await_gives_a_connection_that_the_program_closes(no_traces: None) -> None:
    async def test(worker: Worker) -> None:
        line = await connect(worker.url)
        line.send("x")
        async for message in line:
            assert message == "x"
            line.close()
        assert line.close_code == 1000

    run(echo("ws://127.0.0.1:0"), test)


def test_a_refusal_has_its_status_and_words(no_traces: None) -> None:
    worker = Worker("ws://127.0.0.1:0")

    @worker.on_websocket_connect
    def refuse(connection: Connection, request: Request) -> None:
        connection.reject(401, "no token")

    async def test(worker: Worker) -> None:
        with pytest.raises(ConnectError, match="refused the handshake with 401: no token") as told:
            await connect(worker.url)
        assert told.value.status == 401
        assert dict(told.value.headers)

    run(worker, test)


def test_a_certificate_is_verified_unless_its_authority_is_trusted(
    no_traces: None, tmp_path: Path, ca: TestCA
) -> None:
    options = {"cert": tmp_path / "server.pem", "key": tmp_path / "server.key"}

    async def test(worker: Worker) -> None:
        with pytest.raises(ConnectError, match=r"certificate of .* is refused"):
            await connect(worker.url)
        other = TestCA(tmp_path, filename="other")
        with pytest.raises(ConnectError, match=r"certificate of .* is refused"):
            await connect(worker.url, ca=other.ca_path)
        name = worker.url.replace("127.0.0.1", "127.0.0.2")
        with pytest.raises(ConnectError):
            await connect(name, ca=ca.ca_path)
        async with connect(worker.url, ca=ca.ca_path) as line:
            assert line.tls is not None

    run(echo("wss://127.0.0.1:0", **options), test)


def test_the_name_in_the_certificate_must_be_the_one_asked_for(
    no_traces: None, tmp_path: Path
) -> None:
    pair = TestCA(tmp_path).issue("example.com")

    async def test(worker: Worker) -> None:
        with pytest.raises(ConnectError, match=r"is refused: .*mismatch"):
            await connect(worker.url, ca=tmp_path / "ca.pem")

    run(echo("wss://127.0.0.1:0", cert=pair.cert, key=pair.key), test)


def test_a_client_shows_its_certificate(no_traces: None, tmp_path: Path, ca: TestCA) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    mine = TestCA(folder).issue("me", purpose="client")
    worker = Worker(
        "wss://127.0.0.1:0",
        cert=tmp_path / "server.pem",
        key=tmp_path / "server.key",
        ca_file=folder / "ca.pem",
        verify_client="required",
    )

    @worker.on_connect
    def tell(connection: Connection) -> None:
        assert connection.tls is not None
        connection.send(str(connection.tls.peer_names or connection.tls.peer_subject))

    async def test(worker: Worker) -> None:
        async with connect(worker.url, ca=ca.ca_path, cert=mine.cert, key=mine.key) as line:
            async for message in line:
                assert "me" in message
                break
            else:
                raise AssertionError(f"{line.close_code} {line.close_reason}")

    run(worker, test)


# Servers that are not ours.


@contextlib.asynccontextmanager
async def serving(answer: bytes, *, ends: bool = True) -> Any:
    """A server that answers everybody with these bytes."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        data = await reader.read(65536)
        key = data.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0].decode()
        writer.write(answer.replace(b"ACCEPT", accept_key(key).encode() if key else b""))
        if not ends:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for _ in range(10):  # what was accepted and is not at its callback yet
            await asyncio.sleep(0)
        for writer in writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


GOOD = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: ACCEPT\r\n"
)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "closed the connection during the handshake"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "answered with no HTTP"),
        (b"\x15\x03\x01\x00\x02\x02\x28", "the server speaks TLS: write wss://"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone", "with 404: none"),
        (
            b"HTTP/1.1 301 Moved\r\nLocation: ws://x/\r\n\r\n",
            "the address that it names: 'ws://x/'",
        ),
        (GOOD.replace(b"ACCEPT", b"AAAA") + b"\r\n", "does not belong to our key"),
        (GOOD.replace(b"Upgrade: websocket\r\n", b"") + b"\r\n", "does not upgrade"),
        (GOOD + b"Sec-WebSocket-Protocol: x\r\n\r\n", "was not offered"),
        (GOOD + b"Sec-WebSocket-Extensions: x-mux\r\n\r\n", "does not open a websocket"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000, "answered with no HTTP"),
        (GOOD[:40], "closed the connection during the handshake"),
    ],
    ids=range(11),
)
def test_a_server_that_lies_is_told_by_name(no_traces: None, answer: bytes, words: str) -> None:
    async def main() -> None:
        async with serving(answer) as port:
            with pytest.raises(ConnectError, match=words):
                await connect(f"ws://127.0.0.1:{port}/", timeout=10)

    asyncio.run(main())


def test_an_interim_answer_before_the_handshakes_is_passed_over(no_traces: None) -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"

    async def main() -> None:
        async with serving(early * 3 + GOOD + b"\r\n\x81\x02hi\x88\x00", ends=False) as port:
            line = await connect(f"ws://127.0.0.1:{port}/", close_timeout=0.2)
            assert [message async for message in line] == ["hi"]
        async with serving(early * 50, ends=False) as port:
            with pytest.raises(ConnectError, match="answered with no HTTP"):
                await connect(f"ws://127.0.0.1:{port}/")

    asyncio.run(main())


@pytest.mark.parametrize("answer", [b"", GOOD[:40], b"HTTP/1.1 101 X\r\nA: "])
@pytest.mark.parametrize("scheme", ["ws", "wss"])
def test_a_server_that_hangs_has_one_deadline(no_traces: None, scheme: str, answer: bytes) -> None:
    async def main() -> None:
        async with serving(answer, ends=False) as port:
            expected = r"did not open a websocket within 0\.2 s|TLS with"
            with pytest.raises(ConnectError, match=expected):
                await connect(f"{scheme}://127.0.0.1:{port}/", timeout=0.2)

    asyncio.run(main())


def test_nobody_there_and_no_such_name_are_told_apart(no_traces: None) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]

        async def main() -> None:
            with pytest.raises(ConnectError, match="nothing listens on"):
                await connect(f"ws://127.0.0.1:{port}/")
            with pytest.raises(ConnectError, match=r"the name no\.such\.host\.invalid"):
                await connect("ws://no.such.host.invalid/")

        asyncio.run(main())


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b"\x81\x81\x00\x00\x00\x00a", 1002),  # a server masks nothing
        (b"\xc1\x01a", 1002),
        (b"\x81\x02\xc3\x28", 1007),
        (b"\x88\x02\x0f\xa1", 4001),
    ],
    ids=["masked", "rsv", "utf-8", "close"],
)
def test_a_server_that_breaks_the_protocol_ends_the_line(
    no_traces: None, frame: bytes, code: int
) -> None:
    async def main() -> None:
        async with serving(GOOD + b"\r\n" + b"\x81\x02hi" + frame, ends=False) as port:
            line = await connect(f"ws://127.0.0.1:{port}/", close_timeout=0.2, compression=False)
            assert [message async for message in line] == ["hi"]
            assert line.close_code == code
        await until(lambda: not client_service._services)

    asyncio.run(main())


def test_a_message_that_is_too_big_ends_the_line_with_1009(no_traces: None) -> None:
    async def test(worker: Worker) -> None:
        line = await connect(worker.url, max_message_size=1000)
        line.send("x" * 5000)
        assert [message async for message in line] == []
        assert line.close_code == 1009

    run(echo("ws://127.0.0.1:0"), test)


def test_websockets_serves_us(no_traces: None) -> None:
    async def main() -> None:
        async def reply(connection: Any) -> None:
            async for message in connection:
                await connection.send(message)

        async with websockets.serve(reply, "127.0.0.1", 0, subprotocols=["p"]) as server:  # type: ignore[list-item]
            port = server.sockets[0].getsockname()[1]
            async with connect(f"ws://127.0.0.1:{port}/", subprotocols=["p"]) as line:
                assert line.subprotocol == "p"
                for message in ("é" * 5000, b"\xff" * 70_000, ""):
                    line.send(message)
                heard = []
                async for message in line:
                    heard.append(message)
                    if len(heard) == 3:
                        break
                assert heard == ["é" * 5000, b"\xff" * 70_000, ""]
            assert line.close_code == 1000

    asyncio.run(main())


def test_many_lines_of_a_loop_share_one_service_and_leave_nothing(no_traces: None) -> None:
    async def test(worker: Worker) -> None:
        async with contextlib.AsyncExitStack() as stack:
            lines = [await stack.enter_async_context(connect(worker.url)) for _ in range(30)]
            assert len(client_service._services) == 1
            for line in lines:
                line.send("x")
            for line in lines:
                assert await anext(aiter(line)) == "x"

    run(echo("ws://127.0.0.1:0"), test)


def test_a_cancelled_connect_leaves_no_socket(no_traces: None) -> None:
    async def main() -> None:
        async with serving(b"", ends=False) as port:
            opening = asyncio.ensure_future(_opened(connect(f"ws://127.0.0.1:{port}/")))
            await asyncio.sleep(0.05)
            opening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await opening

    asyncio.run(main())


async def _opened(connecting: Connecting) -> Connection:
    return await connecting


def test_an_option_that_does_not_exist_is_named() -> None:
    with pytest.raises(UsageError, match="no option tiemout; did you mean timeout"):
        connect("ws://h/", tiemout=1)


@pytest.mark.parametrize("name", ["on_open", "first_delay", "last_delay", "max_waiting"])
def test_an_option_of_reconnecting_is_refused_without_it(name: str) -> None:
    given: dict[str, Any] = {name: print if name == "on_open" else 1}
    with pytest.raises(UsageError, match=f"{name} is for a line that comes back: give reconnect"):
        connect("ws://h/", **given)


def test_a_line_that_was_not_awaited_says_so() -> None:
    connecting: Any = connect("ws://h/")
    with pytest.raises(UsageError, match=r"no send, and is not open yet.*await connect"):
        connecting.send("x")
    assert not hasattr(connecting, "_nothing")


def test_a_context_of_the_programs_own_is_used(no_traces: None, tmp_path: Path) -> None:
    pair = TestCA(tmp_path).issue("example.com")
    context = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    context.check_hostname = False

    async def test(worker: Worker) -> None:
        async with connect(worker.url, tls=context) as line:
            assert line.tls is not None

    run(echo("wss://127.0.0.1:0", cert=pair.cert, key=pair.key), test)
