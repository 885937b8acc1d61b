"""Connections and messages leave nothing behind; the tests count memory blocks.

`make soak` looks at the memory of a whole process, after a million messages.
"""

from __future__ import annotations

import logging

import pytest

from kit.leaks import Held, assert_nothing_is_left, bench, growth, held, visit
from kit.site import Serve, Site, echo
from lineman import Connection, DeflateOptions, Request


@pytest.fixture(autouse=True)
def _no_lines_are_kept(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """Pytest keeps every line of the log, which `serve` asks for: ten of them are as many blocks as
    are looked for."""
    caplog.set_level(logging.CRITICAL, "lineman")


def at_rest(site: Site) -> Held:
    site.wait_until_empty()
    return site.call(held)


def test_connections_leave_nothing(serve: Serve, tls: bool) -> None:
    site = serve(tls, on_message=echo)
    left, count = growth(
        lambda count: bench(site.worker.url, "connect", count, "--connections", "1"),
        lambda: at_rest(site),
        500 if tls else 4000,
    )
    assert_nothing_is_left(left, count)


def refuse(connection: Connection, request: Request) -> None:
    if request.path == "/refused":
        connection.reject(403)


@pytest.mark.parametrize(
    ("scheme", "kind", "count"),
    [
        ("ws", "rude", 1500), ("wss", "rude", 600),
        ("ws", "refused", 2000), ("wss", "refused", 600),
        ("ws", "compressed", 1000), ("wss", "compressed", 500),
        ("ws", "hello", 1500), ("wss", "hello", 800),
    ],
)  # fmt: skip
def test_visitors_leave_nothing(serve: Serve, scheme: str, kind: str, count: int) -> None:
    tls = scheme == "wss"
    site = serve(
        tls,
        on_message=echo,
        on_websocket_connect=refuse,
        compression=DeflateOptions(
            server_no_context_takeover=False, client_no_context_takeover=False
        ),
    )
    left, count = growth(
        lambda count: visit(site.port, tls, kind, count), lambda: at_rest(site), count
    )
    assert_nothing_is_left(left, count)


@pytest.mark.parametrize(("protocol", "tls", "count"), [("tcp", False, 2000), ("text", True, 200)])
def test_connections_without_http_leave_nothing(
    serve: Serve, protocol: str, tls: bool, count: int
) -> None:
    site = serve(tls, scheme=protocol, on_message=echo)
    left, done = growth(
        lambda count: bench(site.worker.url, "connect", count, "--connections", "1"),
        lambda: at_rest(site),
        count,
    )
    assert_nothing_is_left(left, done)


@pytest.mark.parametrize(
    ("protocol", "tls", "count"),
    [("text", False, 1000), ("frame", False, 1000), ("tcp", False, 1000), ("frame", True, 300)],
)
def test_visitors_without_http_leave_nothing(
    serve: Serve, protocol: str, tls: bool, count: int
) -> None:
    site = serve(tls, scheme=protocol, on_message=echo)
    left, done = growth(
        lambda count: visit(site.port, tls, protocol, count), lambda: at_rest(site), count
    )
    assert_nothing_is_left(left, done)


MANY = 2000


@pytest.mark.parametrize("size", [16, 600])
def test_what_is_kept_of_each_connection_is_seen(serve: Serve, size: int) -> None:
    kept: list[bytes] = []
    site = serve(on_close=lambda connection, code, reason: kept.append(bytes(size)))
    site.worker.on_message = echo
    left, count = growth(
        lambda count: visit(site.port, False, "rude", count), lambda: at_rest(site), MANY
    )
    # So many that what earlier tests leave to be freed meanwhile does not hide them.
    with pytest.raises(AssertionError, match=f"after {count}"):
        assert_nothing_is_left(left, count)


def test_messages_leave_nothing(serve: Serve, tls: bool) -> None:
    site = serve(tls, on_message=echo)
    left, count = growth(
        lambda count: bench(site.worker.url, "echo", count, "--connections", "20", "--depth", "8"),
        lambda: at_rest(site),
        20_000,
    )
    assert_nothing_is_left(left, count // 10)


def test_messages_without_http_leave_nothing(serve: Serve) -> None:
    site = serve(scheme="text", on_message=echo)
    left, count = growth(
        lambda count: bench(site.worker.url, "echo", count, "--connections", "20", "--depth", "8"),
        lambda: at_rest(site),
        20_000,
    )
    assert_nothing_is_left(left, count // 10)


def test_messages_that_were_dropped_leave_nothing(serve: Serve, tls: bool) -> None:
    site = serve(tls, slow_readers="drop_oldest", max_send_buffer_size=10_000)
    client = site.open(receive_buffer=4096)
    connection = site.connection

    def flood(count: int) -> int:
        before = connection.messages_dropped
        for number in range(count):
            connection.send(bytes(900 + number % 100))
        connection.flush()
        return connection.messages_dropped - before

    while not site.call(lambda: flood(100)):
        pass
    left, dropped = growth(
        lambda count: site.call(lambda: flood(count)), lambda: site.call(held), 50_000
    )
    assert dropped > 40_000
    assert_nothing_is_left(left, dropped // 10)
    client.close()
