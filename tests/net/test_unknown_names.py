"""What a connection does not have, in the callbacks of a running service."""

from __future__ import annotations

from typing import Any

import pytest

from kit.site import Serve
from kit.waiting import wait_until
from lineman import Connection
from lineman.errors import UnknownNameError

THINGS = [
    ("uid", 'connection.data["uid"]'),
    ("onConnect", "callbacks are set on the worker"),
    ("on_connect", "callbacks are set on the worker"),
    ("onMessage", "did you mean on_message?"),
    ("maxSendBufferSize", "did you mean max_send_buffer_size?"),
    ("defaultMaxSendBufferSize", "option of the worker: max_send_buffer_size"),
    ("maxPackageSize", "did you mean max_message_size?"),
    ("websocketType", "str is text, bytes is binary"),
    ("getRemoteIp", "did you mean remote_ip?"),
    ("get_remote_ip", "did you mean remote_ip?"),
    ("realIP", "remote_ip"),
    ("lastMessageTime", "connection.idle"),
    ("context", "did you mean data?"),
    ("headers", "the client's are request.headers"),
    ("getSendBufferQueueSize", "did you mean unsent?"),
]


@pytest.mark.parametrize(("name", "says"), THINGS)
def test_what_a_connection_does_not_have_is_refused_with_what_to_use(
    serve: Serve, name: str, says: str
) -> None:
    def try_both(connection: Connection, message: str) -> None:
        words = []
        for action in (lambda: setattr(connection, name, 1), lambda: getattr(connection, name)):
            with pytest.raises(UnknownNameError) as caught:
                action()
            words.append(str(caught.value))
        assert words[0] == words[1]
        assert not hasattr(connection, name)
        assert name not in dir(connection)
        connection.send(words[0])

    client = serve(on_message=try_both).open()
    client.send("try")
    words = client.receive()
    assert f"a Connection has no {name}" in words
    assert says in words


def test_the_programs_own_goes_into_data(serve: Serve) -> None:
    def keep(connection: Any, message: str) -> None:
        try:
            connection.nickname = message
        except UnknownNameError as error:
            connection.send(str(error))
        connection.data = {"nickname": message}  # what it has may be set as before
        connection.send(connection.data["nickname"])
        try:
            connection.sned(message)
        except AttributeError as error:
            connection.send(str(error.name))

    client = serve(on_message=keep).open()
    client.send("me")
    assert 'connection.data["nickname"]' in str(client.receive())
    assert client.receive() == "me"
    assert client.receive() == "sned"


@pytest.mark.parametrize("name", ["nickname", "remote_ipp"])
@pytest.mark.parametrize("kind", ["plain", "async", "handshake"])
def test_what_is_read_and_not_there_is_told_in_the_log(
    serve: Serve, caplog: pytest.LogCaptureFixture, name: str, kind: str
) -> None:
    def read(connection: Connection) -> None:
        getattr(connection, name)

    async def read_async(connection: Connection) -> None:
        getattr(connection, name)

    if kind == "handshake":
        site = serve(on_websocket_connect=read)
        client = site.connect()
        client.send_bytes(client.handshake_bytes())
    else:
        site = serve(on_connect=read if kind == "plain" else read_async)
        site.open()
    says = 'connection.data["nickname"]' if name == "nickname" else "did you mean remote_ip?"
    wait_until(lambda: says in caplog.text, "the log tells what to use")
    assert f"a Connection has no {name}" in caplog.text


def test_an_attribute_error_about_something_else_is_left_alone(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    def read(connection: Connection) -> None:
        connection.data.nickname  # noqa: B018

    serve(on_connect=read).open()
    wait_until(lambda: "'dict' object has no attribute" in caplog.text, "it is logged")
    assert "Connection has no" not in caplog.text


def test_what_cannot_be_set_says_so_in_pythons_words(serve: Serve) -> None:
    def set_it(connection: Any) -> None:
        with pytest.raises(AttributeError) as caught:
            connection.unsent = 5
        assert not isinstance(caught.value, UnknownNameError)
        connection.send("refused")

    assert serve(on_connect=set_it).open().receive() == "refused"
