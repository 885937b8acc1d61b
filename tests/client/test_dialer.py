"""`Dialer`: a connection to a server with callbacks, inside of a worker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from client.support import QUICK, Server
from kit.waiting import until
from lineman import ConnectError, Connection, Dialer, UnknownNameError, UsageError, Worker
from lineman.client import client_service
from lineman.testing.client import RawClient


def run(test: Callable[[Server], Awaitable[None]]) -> None:
    async def main() -> None:
        server = Server()
        try:
            await server.start()
            await test(server)
        finally:
            await server.stop()
        await until(lambda: not client_service._services)

    asyncio.run(main())


class Heard:
    """A dialer whose callbacks note what they get."""

    def __init__(self, url: str, **options: Any) -> None:
        self.said: list[Any] = []
        self.dialer = dialer = Dialer(url, **options)
        said = self.said

        @dialer.on_connect
        def opened(connection: Connection) -> None:
            assert connection.worker is dialer
            said.append("open")

        @dialer.on_message
        async def message(connection: Connection, message: Any) -> None:
            await asyncio.sleep(0)
            said.append(message)

        @dialer.on_close
        def closed(connection: Connection, code: int, reason: str) -> None:
            said.append(code)

        @dialer.on_connect_error
        def failed(error: ConnectError) -> None:
            said.append(str(error))


def test_callbacks_get_what_comes_in_order(no_traces: None) -> None:
    async def test(server: Server) -> None:
        heard = Heard(server.url)
        heard.dialer.connect()
        assert heard.dialer.send("early")
        await until(lambda: heard.said == ["open", "early"])
        assert heard.dialer.is_open
        assert heard.dialer.connection is not None
        assert heard.dialer.send("x")
        await until(lambda: heard.said[-1] == "x")
        heard.dialer.close()
        await until(lambda: heard.said == ["open", "early", "x", 1000])
        assert not heard.dialer.send("late")

    run(test)


def test_without_reconnect_it_ends_and_connect_begins_again(no_traces: None) -> None:
    async def test(server: Server) -> None:
        heard = Heard(server.url)
        heard.dialer.connect()
        heard.dialer.send("go")
        await until(lambda: heard.said == ["open", 4000])
        await until(lambda: heard.dialer._line.is_done)
        heard.dialer.connect()
        await until(lambda: heard.said == ["open", 4000, "open"])
        with pytest.raises(UsageError, match="is connected, or connects already"):
            heard.dialer.connect()
        heard.dialer.close()

    run(test)


def test_with_reconnect_it_comes_back_by_itself(no_traces: None) -> None:
    async def test(server: Server) -> None:
        heard = Heard(server.url, **QUICK)
        heard.dialer.connect()
        heard.dialer.send("go")
        await until(lambda: heard.said == ["open", 4000, "open"])
        heard.dialer.close()
        await until(lambda: heard.dialer._line.is_done)

    run(test)


def test_a_server_that_is_not_there_is_told(
    no_traces: None, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(server: Server) -> None:
        await server.stop()
        heard = Heard(server.url)
        heard.dialer.connect()
        heard.dialer.send("x")
        await until(lambda: heard.dialer._line.is_done)
        assert "nothing listens on" in heard.said[0]
        assert heard.dialer._line.dropped == 1
        other = Dialer(server.url)
        other.connect()
        await until(lambda: other._line.is_done)

    run(test)
    assert caplog.text.count("nothing listens on") == 1
    assert "tried again" not in caplog.text


def test_functions_that_raise_are_logged_and_end_nothing_else(
    no_traces: None, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(server: Server) -> None:
        def headers() -> Any:
            raise ZeroDivisionError("headers")

        dialer = Dialer(server.url, headers=headers, **QUICK)
        dialer.connect()
        await until(lambda: "it is not opened" in caplog.text)
        dialer.close()
        await until(lambda: dialer._line.is_done)
        await server.stop()

        def failed(error: ConnectError) -> None:
            raise ZeroDivisionError("failed")

        other = Dialer(server.url, **QUICK)
        other.on_connect_error = failed
        other.connect()
        await until(lambda: "on_connect_error raised" in caplog.text)
        other.close()
        await until(lambda: other._line.is_done)

    run(test)


def test_a_worker_passes_messages_on_to_another_service(no_traces: None) -> None:
    async def test(server: Server) -> None:
        worker = Worker("ws://127.0.0.1:0")

        @worker.on_connect
        def client_comes(client: Connection) -> None:
            dialer = Dialer(server.url)
            client.data["dialer"] = dialer

            @dialer.on_message
            def back(connection: Connection, message: Any) -> None:
                client.send(message)

            dialer.connect()

        @worker.on_message
        def forth(client: Connection, message: Any) -> None:
            client.data["dialer"].send(message)

        @worker.on_close
        def client_goes(client: Connection) -> None:
            client.data["dialer"].close()

        def talk() -> list[Any]:
            with RawClient(worker.port) as client:
                client.open()
                client.send("one")
                client.send("two")
                return [client.receive_message() for _ in range(2)]

        await worker.start()
        assert await asyncio.to_thread(talk) == ["one", "two"]
        await worker.stop(1.0)

    run(test)


def test_names_that_it_does_not_have_are_told() -> None:
    dialer = Dialer("ws://h/")
    with pytest.raises(UnknownNameError, match="on_message"):
        dialer.onMessage = print  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="Dialer has no option tiemout"):
        Dialer("ws://h/", tiemout=1)
    with pytest.raises(UsageError, match=r"no option of .* set it: @dialer\.on_message"):
        Dialer("ws://h/", on_message=print)
    with pytest.raises(UsageError, match="on_message"):
        dialer.on_message = 7  # type: ignore[assignment]
    with pytest.raises(UsageError, match="where an event loop runs"):
        dialer.connect()
