"""What cannot be piped, and what a pipe cannot carry."""

from __future__ import annotations

from typing import Any

import pytest

from kit.recorder import Recorder
from kit.site import Serve, echo
from kit.waiting import wait_until
from lineman import Connection, Dialer, UsageError
from net.piped import joining


def test_what_cannot_be_a_pipe_is_told(serve: Serve) -> None:
    said: list[str] = []

    def join(connection: Connection) -> None:
        for wrong in (None, "tcp://a:1", Dialer("tcp://127.0.0.1:9")):
            with pytest.raises(UsageError, match="give a Connection") as told:
                connection.pipe(wrong)
            said.append(str(told.value))

    def early(connection: Connection) -> None:
        with pytest.raises(UsageError, match="not open yet"):
            connection.pipe(connection)
        said.append("early")

    def ended(connection: Connection, message: Any) -> None:
        connection.end()
        with pytest.raises(UsageError, match=r"end\(\) was called"):
            connection.pipe(connection)
        said.append("ended")

    site = serve(on_websocket_connect=early, on_connect=join)
    site.open()
    stream = serve(scheme="tcp", on_message=ended)
    stream.connect().send_bytes(b"x")
    wait_until(lambda: len(said) == 5, "all were told")


def test_a_message_that_the_other_protocol_cannot_carry_closes_its_sender(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    behind = serve(scheme="text", on_message=echo)
    site = serve(on_connect=joining(f"text://127.0.0.1:{behind.port}"))
    client = site.open()
    client.send("one")
    assert client.receive() == "one"
    client.send("two\nlines")
    client.send("three")  # nothing goes on behind a hole
    assert client.receive_close().code == 1003
    client.close()
    site.wait_until_empty()
    behind.wait_until_empty()
    assert "closed with 1003: its pipe to" in caplog.text
    assert "Traceback" not in caplog.text


def test_messages_that_a_pipe_sends_are_not_read_as_well(serve: Serve) -> None:
    told = Recorder()

    async def join(connection: Connection) -> None:
        connection.pipe(connection)
        try:
            async for message in connection:
                told(message)
        except UsageError as error:
            told(str(error))

    site = serve(scheme="text", on_connect=join)
    site.connect()
    assert "messages pipe() sends to another one" in told.wait()[0]


def test_a_connection_that_a_coroutine_waits_for_has_no_pipe(serve: Serve) -> None:
    told = Recorder()

    async def read(connection: Connection) -> None:
        async for message in connection:
            told(message)

    site = serve(scheme="text", on_connect=read)
    client = site.connect()
    client.send_bytes(b"x\n")
    assert told.wait() == ["x"]

    def join() -> None:
        with pytest.raises(UsageError, match="waits for a message"):
            site.connection.pipe(site.connection)

    site.call(join)
