"""A line that comes back by itself: what waits, what is dropped, and what it asks each time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from client.support import QUICK, Server
from kit.waiting import until
from lineman import ConfigError, Connection, ReconnectingLine, UsageError, connect
from lineman.client import client_service, reconnecting


def run(test: Callable[[Server], Awaitable[None]]) -> None:
    async def main() -> None:
        server = Server()
        try:
            await test(server)
        finally:
            await server.stop()
        await until(lambda: not client_service._services)

    asyncio.run(main())


def test_a_line_that_the_server_closes_is_opened_again_and_goes_on(
    no_traces: None, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(server: Server) -> None:
        await server.start()
        async with connect(server.url, **QUICK) as line:
            heard = []
            for message in ("one", "go"):
                line.send(message)
            async for message in line:
                heard.append(message)
                if message == "one":
                    await until(lambda: line.opened == 2 and line.is_open)
                    line.send("two")
                else:
                    break
            assert heard == ["one", "two"]
        assert not line.is_open
        assert not line.send("late")
        assert line.dropped == 1

    run(test)
    assert "has ended: 4000 gone; it is opened again" in caplog.text


def test_what_is_sent_while_the_server_is_away_waits_in_order_and_is_bounded(
    no_traces: None, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(server: Server) -> None:
        await server.start()
        async with connect(server.url, max_waiting=3, **QUICK) as line:
            await server.stop()
            await until(lambda: not line.is_open)
            assert [line.send(str(number)) for number in range(5)] == [True] * 3 + [False] * 2
            assert line.dropped == 2
            await until(lambda: "it is tried again" in caplog.text)
            await server.start()
            await until(lambda: line.is_open)
            line.send("3")
            heard = []
            async for message in line:
                heard.append(message)
                if message == "3":
                    break
            assert heard == ["0", "1", "2", "3"]

    run(test)


def test_it_waits_for_a_server_that_starts_later(no_traces: None) -> None:
    async def test(server: Server) -> None:
        async def later() -> None:
            await asyncio.sleep(0.1)
            await server.start()

        starting = asyncio.create_task(later())
        async with connect(server.url, **QUICK) as line:
            assert line.is_open
        await starting

    run(test)


def test_headers_are_made_anew_and_on_open_comes_before_what_waits(no_traces: None) -> None:
    tokens = iter(range(10))

    async def headers() -> dict[str, str]:
        return {"X-Token": str(next(tokens))}

    async def test(server: Server) -> None:
        await server.start()
        opened: list[Connection] = []

        def on_open(connection: Connection) -> None:
            opened.append(connection)
            connection.send("hello")

        async with connect(server.url, headers=headers, on_open=on_open, **QUICK) as line:
            line.send("go")
            await until(lambda: line.opened == 2 and line.is_open)
            line.send("end")
            heard = []
            async for message in line:
                heard.append(message)
                if message == "end":
                    break
            assert heard == ["hello", "hello", "end"]
        assert [request.headers["X-Token"] for request in server.requests] == ["0", "1"]
        assert len(opened) == 2

    run(test)


def test_an_on_open_that_raises_is_logged_and_the_line_comes_back(
    no_traces: None, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(server: Server) -> None:
        await server.start()
        calls: list[Connection] = []

        async def on_open(connection: Connection) -> None:
            calls.append(connection)
            if len(calls) == 1:
                raise ZeroDivisionError

        async with connect(server.url, on_open=on_open, **QUICK) as line:
            await until(lambda: line.opened == 2 and line.is_open)
            line.send("x")
            async for message in line:
                assert message == "x"
                break

    run(test)
    assert "on_open raised; the line is opened again" in caplog.text


def test_closing_ends_the_reading_and_the_waiting(no_traces: None) -> None:
    async def test(server: Server) -> None:
        await server.start()
        async with connect(server.url, **QUICK) as line:
            asyncio.get_running_loop().call_later(0.05, line.close)
            assert [message async for message in line] == []
            assert not line.send("late")

    run(test)


def test_a_line_can_be_closed_while_it_waits_for_its_server(no_traces: None) -> None:
    async def test(server: Server) -> None:
        await server.start()
        async with connect(server.url, **{**QUICK, "first_delay": 60, "last_delay": 60}) as line:
            await server.stop()
            await until(lambda: not line.is_open)
            line.send("x")
        assert line.dropped == 1

    run(test)


def test_entering_can_be_cancelled(no_traces: None) -> None:
    async def test(server: Server) -> None:
        async def enter() -> None:
            async with connect(server.url, **QUICK):
                raise AssertionError("nobody serves")

        entering = asyncio.create_task(enter())
        await asyncio.sleep(0.1)
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering

    run(test)


def test_what_can_never_work_is_an_error_at_once(no_traces: None) -> None:
    with pytest.raises(UsageError):
        connect("http://h/", reconnect=True)
    with pytest.raises(ConfigError):
        connect("wss://h/", ca="/absent.pem", reconnect=True)

    async def test(server: Server) -> None:
        await server.start()

        def headers() -> Any:
            return [("bad",)]

        with pytest.raises(UsageError, match="give pairs"):
            async with connect(server.url, headers=headers, **QUICK):
                pass
        line: ReconnectingLine = connect(server.url, **QUICK)
        async with line:
            with pytest.raises(UsageError, match="used already"):
                async with line:
                    pass
        fresh: ReconnectingLine = connect(server.url, **QUICK)
        with pytest.raises(UsageError, match="was not entered"):
            await anext(aiter(fresh))
        fresh.close()
        with pytest.raises(UsageError, match="used already"):
            async with fresh:
                pass

    run(test)


def test_a_message_that_waits_and_cannot_be_sent_is_counted_and_nothing_else_is_lost(
    no_traces: None, caplog: pytest.LogCaptureFixture
) -> None:
    async def test(server: Server) -> None:
        await server.start()
        async with connect(server.url, **QUICK) as line:
            await server.stop()
            await until(lambda: not line.is_open)
            assert line.send(object())
            assert line.send("after")
            await server.start()
            async for message in line:
                assert message == "after"
                break
            assert (line.opened, line.dropped) == (2, 1)
            assert server.worker is not None
            assert len(server.worker.connections) == 1

    run(test)
    assert "a message that waited is dropped" in caplog.text


@pytest.mark.parametrize("who", ["client", "server"])
def test_an_on_open_that_waits_for_ever_ends_with_its_connection(no_traces: None, who: str) -> None:
    async def test(server: Server) -> None:
        await server.start()
        ended: list[bool] = []

        async def on_open(connection: Connection) -> None:
            if ended:
                return
            try:
                if who == "server":
                    connection.send("go")
                await asyncio.Event().wait()
            finally:
                ended.append(True)

        line = connect(server.url, on_open=on_open, **QUICK)
        entering = asyncio.create_task(line.__aenter__())
        await until(lambda: line.opened == 1)
        if who == "client":
            line.close()
        await until(lambda: entering.done())
        assert ended == [True]
        assert line.opened == (1 if who == "client" else 2)
        await line.__aexit__(None, None, None)

    run(test)


def test_what_is_sent_while_on_open_works_comes_after_it(no_traces: None) -> None:
    async def test(server: Server) -> None:
        await server.start()
        go_on = asyncio.Event()

        async def on_open(connection: Connection) -> None:
            await go_on.wait()
            connection.send("login")

        line = connect(server.url, on_open=on_open, **QUICK)
        entering = asyncio.create_task(line.__aenter__())
        await until(lambda: line.opened == 1)
        assert line.send("order")
        go_on.set()
        await entering
        heard = []
        async for message in line:
            heard.append(message)
            if len(heard) == 2:
                break
        assert heard == ["login", "order"]
        await line.__aexit__(None, None, None)

    run(test)


def test_headers_that_are_never_made_are_a_failed_attempt(
    no_traces: None, caplog: pytest.LogCaptureFixture
) -> None:
    calls = []

    async def headers() -> dict[str, str]:
        calls.append(True)
        if len(calls) == 1:
            await asyncio.Event().wait()
        return {}

    async def test(server: Server) -> None:
        await server.start()
        async with connect(server.url, headers=headers, timeout=1.0, **QUICK) as line:
            assert line.is_open

    run(test)
    assert "has not returned within 1 s" in caplog.text
    assert len(calls) == 2


def test_a_close_that_is_refused_changes_nothing(no_traces: None) -> None:
    async def test(server: Server) -> None:
        await server.start()
        async with connect(server.url, **QUICK) as line:
            with pytest.raises(UsageError, match="close code 99"):
                line.close(99)
            line.send("go")
            await until(lambda: line.opened == 2)

    run(test)


def test_a_connection_that_is_forgotten_while_it_is_read_takes_no_other_with_it(
    no_traces: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconnecting, "UNREAD", 1)

    async def test(server: Server) -> None:
        await server.start()
        async with asyncio.timeout(30), connect(server.url, **QUICK) as line:
            line.send("first")
            heard = []
            async for message in line:
                heard.append(message)
                if message == "last":
                    break
                assert line.connection is not None
                line.connection.destroy()
                await until(lambda: line.opened == 2 and line.is_open)
                line.send("last")
            assert heard == ["first", "last"]

    run(test)


def test_a_line_that_comes_back_is_not_awaited_and_says_so() -> None:
    async def main() -> None:
        line: Any = connect("ws://h/", reconnect=True)
        with pytest.raises(UsageError, match="write `async with connect"):
            await line

    asyncio.run(main())


def test_a_server_that_ends_is_noticed_while_its_messages_are_unread(no_traces: None) -> None:
    async def test(server: Server) -> None:
        await server.start()
        async with connect(server.url, **QUICK) as line:
            for message in ("one", "two", "go"):
                line.send(message)
            await until(lambda: line.opened == 2 and line.is_open)
            line.send("three")
            heard = []
            async for message in line:
                heard.append(message)
                if message == "three":
                    break
            assert heard == ["one", "two", "three"]
            assert line.dropped == 0

    run(test)


def test_a_program_that_does_not_read_slows_the_server_down_and_misses_nothing(
    no_traces: None,
) -> None:
    async def test(server: Server) -> None:
        await server.start()
        async with connect(server.url, max_send_buffer_size=10_000_000, **QUICK) as line:
            for number in range(1000):
                line.send(f"{number} {'x' * 1000}")
            await until(lambda: len(line._unread) >= reconnecting.UNREAD)
            for _ in range(20):
                await asyncio.sleep(0.005)
            assert len(line._unread) < 2 * reconnecting.UNREAD
            heard = []
            async for message in line:
                heard.append(int(message.split()[0]))
                if len(heard) == 1000:
                    break
            assert heard == list(range(1000))

    run(test)


async def await_what_was_cancelled() -> None:
    task = asyncio.ensure_future(asyncio.sleep(1000))
    task.cancel()
    await task


@pytest.mark.parametrize("is_async", [True, False])
def test_an_on_open_that_awaited_what_was_cancelled_has_raised(
    no_traces: None, caplog: pytest.LogCaptureFixture, is_async: bool
) -> None:
    async def test(server: Server) -> None:
        await server.start()
        calls: list[Connection] = []

        async def wait(connection: Connection) -> None:
            calls.append(connection)
            if len(calls) == 1:
                await await_what_was_cancelled()

        def refuse(connection: Connection) -> None:
            calls.append(connection)
            if len(calls) == 1:
                raise asyncio.CancelledError

        async with connect(server.url, on_open=wait if is_async else refuse, **QUICK) as line:
            await until(lambda: line.opened == 2 and line.is_open)

    run(test)
    assert "on_open raised; the line is opened again" in caplog.text


def test_headers_that_awaited_what_was_cancelled_are_a_failed_attempt(
    no_traces: None, caplog: pytest.LogCaptureFixture
) -> None:
    calls = []

    async def headers() -> dict[str, str]:
        calls.append(True)
        if len(calls) == 1:
            await await_what_was_cancelled()
        return {}

    async def test(server: Server) -> None:
        await server.start()
        async with connect(server.url, headers=headers, **QUICK) as line:
            assert line.is_open

    run(test)
    assert "has awaited what was cancelled" in caplog.text
    assert len(calls) == 2
