"""The limits of the example, reached by clients behind a proxy that the program trusts."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kit.examples import Example
from lineman.testing.client import RawClient


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    example = Example("rate_limits.py", Path(tmp_path_factory.mktemp("rates")))
    with ExitStack() as stack:
        stack.callback(example.program.stop)
        example.wait()
        yield example.port
        example.stop()


def test_all_connections_of_a_user_share_one_bucket(port: int) -> None:
    began = time.monotonic()
    with RawClient(port) as one, RawClient(port) as two, RawClient(port) as other:
        for client, user in ((one, "ada"), (two, "ada"), (other, "tom")):
            client.open(f"/?user={user}")
        for client in (one, two):
            for _ in range(8):
                client.send("hello")
        said = [client.receive_message() for client in (one, two) for _ in range(8)]
        seconds = time.monotonic() - began
        assert 5 <= said.count("hello") <= 5 + 2 * seconds
        assert said.count("hello") + said.count("slow down") == 16
        other.send("hello")
        assert other.receive_message() == "hello"


def test_a_connection_that_ignores_it_is_closed_with_1008(port: int) -> None:
    with RawClient(port) as client:
        client.open("/?user=eve")
        client.send_bytes(b"\x81\x80\0\0\0\0" * 2000)
        assert client.receive_close().code == 1008


def test_an_address_with_too_many_connections_gets_429(port: int) -> None:
    said = [("X-Real-IP", "203.0.113.9")]
    with ExitStack() as stack:
        clients = [stack.enter_context(RawClient(port)) for _ in range(21)]
        statuses = [client.handshake("/?user=ada", said).status for client in clients]
    assert statuses == [101] * 20 + [429]


def test_a_client_without_a_name_is_refused_in_words(port: int) -> None:
    with RawClient(port) as client:
        answer = client.handshake("/")
        assert (answer.status, answer.text) == (401, "who are you?\n")
