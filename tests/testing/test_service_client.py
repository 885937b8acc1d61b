"""A client that says what it expects."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from lineman import Connection, Worker
from lineman.testing.serving import Serving


def obey(connection: Connection, message: str | bytes) -> None:
    """Does what a message says."""
    text = message.decode() if isinstance(message, bytes) else message
    word, _, rest = text.partition(" ")
    if word == "close":
        connection.close(code=int(rest), reason="as you wish")
    elif word == "bytes":
        connection.send(rest.encode())
    elif word == "hold":
        pass
    else:
        connection.send(rest)


@pytest.fixture
def serving() -> Iterator[Serving]:
    worker = Worker("ws://127.0.0.1:0")
    worker.on_message = obey
    with Serving(worker) as started:
        yield started


def test_it_gets_what_it_expects(serving: Serving) -> None:
    client = serving.connect()
    client.send("say hello")
    assert client.expect("hello") == "hello"
    client.send("say 42 apples")
    client.expect(re.compile(r"\d+ apples"))
    client.send("bytes x")
    client.expect(b"x")
    client.send('say {"a": [1, 2]}')
    client.expect_json({"a": [1, 2]})
    client.send("say yes")
    client.expect(lambda message: message == "yes")
    client.expect_nothing()


@pytest.mark.parametrize(
    ("sent", "wanted", "says"),
    [
        ("say hallo", "hello", "expected 'hello', got 'hallo'"),
        ("bytes x", "x", "expected 'x', got b'x'"),
        ("say x", re.compile("y+"), r"expected a text like 'y\+', got 'x'"),
        ("say x", lambda message: message == "y", "expected another message, got 'x'"),
        ("close 4001", "x", "expected 'x'; the server closed with 4001: as you wish"),
    ],
)
def test_it_says_what_it_got_instead(serving: Serving, sent: str, wanted: str, says: str) -> None:
    client = serving.connect()
    client.send(sent)
    with pytest.raises(AssertionError, match=says):
        client.expect(wanted)


def test_a_message_that_does_not_come_is_told(serving: Serving) -> None:
    client = serving.connect()
    client.plain.settimeout(0.05)
    client.send("hold")
    with pytest.raises(AssertionError, match="expected 'x'; nothing came in time"):
        client.expect("x")
    with pytest.raises(AssertionError, match="expected close code 1000; nothing came in time"):
        client.expect_close(1000)


def test_what_is_no_json_is_told(serving: Serving) -> None:
    client = serving.connect()
    client.send("say no")
    with pytest.raises(AssertionError, match="got 'no', which is no JSON"):
        client.expect_json({})
    client.send("say [1]")
    with pytest.raises(AssertionError, match=r"expected \[2\], got \[1\]"):
        client.expect_json([2])


def test_a_close_has_its_code_and_reason(serving: Serving) -> None:
    client = serving.connect()
    client.send("close 4001")
    event = client.expect_close(4001, "as you wish")
    assert (event.code, event.reason) == (4001, "as you wish")
    client.assert_ended()


@pytest.mark.parametrize(
    ("sent", "code", "says"),
    [
        ("close 4001", 4002, "expected close code 4002, got 4001 'as you wish'"),
        ("say x", 1000, "expected close code 1000, got 'x'"),
        ("say x", None, "expected a close frame, got 'x'"),
    ],
)
def test_another_end_is_told(serving: Serving, sent: str, code: int | None, says: str) -> None:
    client = serving.connect()
    client.send(sent)
    with pytest.raises(AssertionError, match=says):
        client.expect_close(code)


@pytest.mark.parametrize(
    ("sent", "says"),
    [("say x", "expected nothing, got 'x'"), ("close 4001", "the server closed with 4001")],
)
def test_more_than_nothing_is_told(serving: Serving, sent: str, says: str) -> None:
    client = serving.connect()
    client.send(sent)
    with pytest.raises(AssertionError, match=says):
        client.expect_nothing()
