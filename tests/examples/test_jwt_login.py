"""Tokens at the handshake and in the open connection, on the program as it stands."""

from __future__ import annotations

import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import jwt
import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from kit.examples import EXAMPLES, Example
from kit.peer_client import PeerClient
from kit.program import Program
from kit.waiting import DEADLINE
from lineman.testing.client import RawClient

SECRET = "a secret of the tests, which is long enough for HS384"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    example = Example("jwt_login.py", tmp_path_factory.mktemp("jwt"), JWT_SECRET=SECRET)
    with ExitStack() as stack:
        stack.callback(example.program.stop)
        example.wait()
        yield example.port
        example.stop()


def token(secret: str = SECRET, algorithm: str = "HS256", **claims: Any) -> str:
    standing = {"sub": "ada", "exp": time.time() + 86_400}
    return jwt.encode({**standing, **claims}, secret, algorithm)


def connect(port: int, shown: str) -> PeerClient:
    return PeerClient(f"ws://127.0.0.1:{port}", subprotocols=["chat", f"token.{shown}"])


def log_in(port: int, **form: str) -> str:
    data = urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/login", data, DEADLINE) as answer:
        return str(answer.read().decode())


def test_a_token_from_the_login_opens_the_chat(port: int) -> None:
    with connect(port, log_in(port, name="ada", password="engine")) as client:
        client.send("hello")
        assert client.recv() == "ada: hello"


def test_a_wrong_password_gets_no_token(port: int) -> None:
    for form in ({"name": "ada", "password": "☕"}, {"name": "eve", "password": ""}, {}):
        with pytest.raises(urllib.error.HTTPError, match="401") as caught:
            log_in(port, **form)
        caught.value.close()


def test_a_token_may_come_as_a_cookie(port: int) -> None:
    cookie = {"Cookie": f"token={token(sub='tom')}"}
    with PeerClient(f"ws://127.0.0.1:{port}", additional_headers=cookie) as client:
        client.send("hello")
        assert client.recv() == "tom: hello"


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ("", "Not enough segments"),
        ("tom", "Not enough segments"),
        ("é.ü.ö", "Invalid header padding"),
        (token(exp=1), "Signature has expired"),
        (token("another secret, which is long enough too"), "Signature verification failed"),
        (token(algorithm="HS384"), "The specified alg value is not allowed"),
        (token(sub=None), 'Token is missing the "sub" claim'),
        (token("", "none"), "The specified alg value is not allowed"),
    ],
    ids=["none", "a word", "no base64", "old", "forged", "HS384", "nobody's", "unsigned"],
)
def test_a_wrong_token_is_refused_in_words(shown: str, said: str, port: int) -> None:
    with RawClient(port) as client:
        answer = client.handshake(headers=[("Cookie", f"token={shown}")])
        assert answer.status == 401
        assert said in answer.text
        assert "log in for a new token" in answer.text


def test_a_connection_ends_with_its_token_unless_there_is_a_newer_one(port: int) -> None:
    with ExitStack() as stack:
        ends, kept, left = connect_both(port, stack)
        with pytest.raises(ConnectionClosedError, match=r"4401.*the token has ended"):
            left.recv()
        assert time.time() >= ends
        kept.send("still here")
        assert kept.recv() == "ada: still here"


def connect_both(port: int, stack: ExitStack) -> tuple[float, PeerClient, PeerClient]:
    """When the tokens end, a client that has a newer one, and one that has none.

    On a machine that stood still for too long they begin again, with tokens that end later.
    """
    for seconds in (1, 4, 16, 64):
        ends = time.time() + seconds
        with ExitStack() as both, suppress(InvalidStatus, ConnectionClosedError):
            kept = both.enter_context(connect(port, token(exp=ends)))
            kept.send(f"token {token()}")
            assert kept.recv() == "token accepted"
            left = both.enter_context(connect(port, token(exp=ends)))
            stack.push(both.pop_all())
            return ends, kept, left
    raise AssertionError("no client connects within a minute")


@pytest.mark.parametrize(
    ("sent", "said"),
    [(token(exp=1), "Signature has expired"), (token(sub="tom"), "a token of another user")],
    ids=["old", "another user's"],
)
def test_a_wrong_new_token_closes_the_connection(sent: str, said: str, port: int) -> None:
    with connect(port, token()) as client:
        client.send(f"token {sent}")
        with pytest.raises(ConnectionClosedError, match=rf"4401.*{said}"):
            client.recv()


def test_a_short_secret_is_refused_at_the_start() -> None:
    program = Program(
        "jwt_login.py", [sys.executable, EXAMPLES / "jwt_login.py"], env={"JWT_SECRET": "short"}
    )
    assert program.process.wait(DEADLINE) != 0
    program.stop()
    assert "openssl rand -hex 32" in program.output
    assert "Traceback" not in program.output
