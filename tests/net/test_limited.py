"""The limits of a running worker: refused clients get an answer, and other clients are served."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any

import pytest

from kit.recorder import Recorder
from kit.site import Site, echo, still_serves
from kit.waiting import wait_until
from lineman.errors import ProtocolError
from lineman.testing.client import RawClient, encode

Serve = Callable[..., Site]

PROXIED: dict[str, Any] = {"trusted_proxies": ["127.0.0.1/32"]}


def told(ip: str, **others: str) -> list[tuple[str, str]]:
    """The headers of a proxy for a client with this address."""
    return [("X-Real-IP", ip), *((name.replace("_", "-"), text) for name, text in others.items())]


def hits(site: Site) -> dict[str, int]:
    service = site.worker.service
    assert service is not None
    return dict(service.tally.hits)


def refused(site: Site, headers: list[tuple[str, str]] | None = None, **options: Any) -> Any:
    """The answer to a handshake that is refused."""
    reply = site.connect(**options).handshake("/", headers or [])
    assert reply.headers["retry-after"] == "5"
    return reply


def test_there_may_be_so_many_websockets_and_plain_requests_still(serve: Serve, tls: bool) -> None:
    site = serve(tls, max_connections=2, on_message=echo, on_request=lambda request: request.path)
    first, second = site.open(), site.open()
    assert refused(site).status == 503
    plain = site.connect()
    assert plain.request("/healthz").text == "/healthz"
    assert hits(site) == {"max_connections": 1}
    second.close()
    wait_until(lambda: len(site.worker.connections) == 1, "it is gone")
    still_serves(site.open())
    still_serves(first)


def test_a_place_that_was_taken_while_a_callback_looked_is_not_given_twice(serve: Serve) -> None:
    async def look(connection: Any, request: Any) -> None:
        while len(waiting.calls) < 2:
            await asyncio.sleep(0.005)

    waiting = Recorder()

    def knock(connection: Any, request: Any) -> Any:
        waiting(connection)
        return look(connection, request)

    site = serve(max_connections=1, on_websocket_connect=knock)
    clients = [site.connect(), site.connect()]
    for client in clients:
        client.send_bytes(client.handshake_bytes())
    assert sorted(client.receive_reply().status for client in clients) == [101, 503]


def test_an_address_behind_a_proxy_has_so_many_connections(serve: Serve) -> None:
    site = serve(connections_per_ip=2, on_message=echo, **PROXIED)
    clients = [site.open("/", told("203.0.113.7")) for _ in range(2)]
    assert refused(site, told("203.0.113.7")).status == 429
    still_serves(site.open("/", told("203.0.113.8")))
    clients[0].close()
    wait_until(lambda: len(site.worker.connections) == 2, "it is gone")
    still_serves(site.open("/", told("203.0.113.7")))
    assert hits(site) == {"connections_per_ip": 1}


def test_nobody_at_this_machine_is_counted_without_a_trusted_proxy(serve: Serve, tls: bool) -> None:
    """Behind a proxy that is not trusted, every client is 127.0.0.1."""
    site = serve(tls, connections_per_ip=1, connects_per_second_per_ip=1, on_message=echo)
    for client in [site.open("/", told("203.0.113.7")) for _ in range(8)]:
        still_serves(client)
    assert not hits(site)


def test_an_address_of_the_proxy_protocol_counts_before_the_first_request(serve: Serve) -> None:
    site = serve(connections_per_ip=1, proxy_protocol="required", on_message=echo, **PROXIED)
    header = b"PROXY TCP6 2001:db8:1:2::%d 2001:db8::1 4711 443\r\n"
    first = site.connect(preamble=header % 1)
    service = site.worker.service
    assert service is not None
    wait_until(lambda: len(service.admission) == 1, "it counts")
    assert refused(site, preamble=header % 2).status == 429
    still_serves(first.open())
    other = site.open(preamble=b"PROXY TCP6 2001:db8:1:3::1 2001:db8::1 4711 443\r\n")
    still_serves(other)


def test_a_header_of_the_clients_own_neither_slips_past_nor_locks_anybody_out(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """The proxy sets X-Real-IP alone, and passes on what else the client has sent."""
    site = serve(connections_per_ip=2, on_message=echo, **PROXIED)
    caplog.set_level(logging.WARNING, "lineman")
    let_in = 0
    for number in range(8):
        forged = told("203.0.113.7", X_Forwarded_For=f"198.51.100.{number}")
        let_in += site.connect().handshake("/", forged).status == 101
    assert let_in == 2
    for number in range(8):  # whoever they are that it named
        still_serves(site.open("/", told(f"198.51.100.{number}")))
    lines = [line for line in caplog.messages if "real_ip_header" in line]
    assert len(lines) == 1
    assert "set real_ip_header='x-real-ip' or 'x-forwarded-for'" in lines[0]


def test_several_addresses_in_one_header_are_no_way_past_either(serve: Serve) -> None:
    site = serve(connections_per_ip=2, on_message=echo, **PROXIED)
    statuses = [
        site.connect().handshake("/", told(f"198.51.100.{number}, 203.0.113.7")).status
        for number in range(5)
    ]
    assert statuses == [101, 101, 429, 429, 429]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"messages_per_second": 5}, "more than 5 messages a second (messages_per_second)"),
        ({"bytes_per_second": 100}, "more than 100 bytes a second (bytes_per_second)"),
    ],
)
def test_a_client_that_sends_too_much_is_closed_and_no_other(
    serve: Serve, tls: bool, options: dict[str, int], words: str
) -> None:
    broken = Recorder()
    site = serve(tls, on_message=echo, on_error=broken, **options)
    flooder, other = site.open(), site.open()
    with contextlib.suppress(ConnectionError):
        for _ in range(30):
            flooder.send("123456")
    close = flooder.receive_close()
    assert (close.code, close.reason) == (1008, words)
    assert isinstance(broken.wait()[0][2], ProtocolError)
    assert hits(site) == {next(iter(options)): 1}
    still_serves(other)
    service = site.worker.service
    assert service is not None
    wait_until(lambda: service.tally.closes["policy_violation"] == 1, "it is counted")


@pytest.mark.parametrize("is_slow", [False, True], ids=["plain", "async"])
@pytest.mark.parametrize("is_long", [False, True], ids=["usual handshake", "long handshake"])
@pytest.mark.parametrize("when", ["with the handshake", "behind it", "both"])
def test_what_comes_before_the_handshake_is_answered_counts(
    serve: Serve, tls: bool, is_slow: bool, is_long: bool, when: str
) -> None:
    heard = Recorder()

    async def decide(connection: Any, request: Any) -> None:
        heard("asked")
        while len(heard.calls) < 2:
            await asyncio.sleep(0.005)

    site = serve(
        tls,
        bytes_per_second=1000,
        max_head_size=20_000,
        on_websocket_connect=decide if is_slow else lambda connection, request: None,
        on_message=lambda connection, message: heard(message),
    )
    client = site.connect()
    # One burst is let through, whatever its size; it is paid for afterwards.
    flood = [encode("x") * 1000] * 2 if when == "both" else [encode("x") * 2000]
    headers = [("X-Long", "y" * 10_000)] if is_long else []
    first = b"" if when == "behind it" else flood.pop()
    client.send_bytes(client.handshake_bytes("/", headers) + first)
    if is_slow:
        heard.wait()
    if flood:
        client.send_bytes(flood.pop())
    if is_slow:
        heard("decide")
    assert client.receive_reply().status == 101
    wait_until(lambda: "x" in heard.calls, "the burst is taken")
    with contextlib.suppress(ConnectionError):
        client.send("y")
    assert client.receive_close().code == 1008
    assert "y" not in heard.calls


def test_bytes_of_a_message_that_never_ends_count_as_they_come(serve: Serve) -> None:
    site = serve(on_message=echo, bytes_per_second=1000)
    client = site.open()
    client.send_frame(2, bytes(500), fin=False)
    for _ in range(2):
        client.ping(b"here")
        assert client.receive_pong() == b"here"
        client.send_frame(0, bytes(1000), fin=False)
    assert client.receive_close().code == 1008


def test_the_clients_of_one_address_share_its_rate(serve: Serve) -> None:
    site = serve(on_message=echo, messages_per_second_per_ip=3, **PROXIED)
    clients = [site.open("/", told("203.0.113.7")) for _ in range(3)]
    for client in clients:
        for _ in range(2):
            client.send("x")
            assert client.receive() == "x"
    clients[0].send("one more")
    assert "of one address (messages_per_second_per_ip)" in clients[0].receive_close().reason
    still_serves(site.open("/", told("203.0.113.8")))


def test_control_frames_count_as_messages(serve: Serve) -> None:
    site = serve(messages_per_second=5, on_message=echo)
    client = site.open()
    for _ in range(11):
        client.ping(b"")
    assert client.receive_close().code == 1008


def test_those_who_say_nothing_make_way_for_others(
    serve: Serve, tls: bool, caplog: pytest.LogCaptureFixture
) -> None:
    site = serve(tls, max_handshakes=5, on_message=echo, handshake_timeout=1000)
    silent = [site.plain() for _ in range(5)]
    service = site.worker.service
    assert service is not None
    wait_until(lambda: len(service.newcomers) == 5, "all are in")
    site.advance_clock(2)
    still_serves(site.open())
    assert silent[0].receive_bytes() == b""
    assert hits(site)["max_handshakes"] >= 1
    assert "said nothing were let go for others (max_handshakes)" in caplog.text
    assert service.tally.failures["overload"] >= 1


def test_a_handshake_that_does_not_go_on_makes_way_with_an_answer(serve: Serve) -> None:
    site = serve(max_handshakes=3, on_message=echo, handshake_timeout=1000)
    slow = [site.connect() for _ in range(3)]
    for client in slow:
        client.send_bytes(b"GET / HTTP/1.1\r\nHost: x\r\n")
    service = site.worker.service
    assert service is not None
    wait_until(lambda: sum(each.bytes_read > 0 for each in list(service.newcomers)) == 3, "read")
    site.advance_clock(2)
    newcomer = site.connect()
    newcomer.send_bytes(newcomer.handshake_bytes())
    site.advance_clock(2)
    assert newcomer.receive_reply().status == 101
    reply = slow[0].receive_reply()
    assert (reply.status, reply.headers["retry-after"]) == (503, "5")


def test_who_waits_for_the_program_keeps_its_place(serve: Serve) -> None:
    go_on = asyncio.Event()

    async def wait(request: Any) -> str:
        if request.path == "/wait":
            await go_on.wait()
        return "done"

    site = serve(max_handshakes=2, on_request=wait, handshake_timeout=1000)
    waiting = [site.connect() for _ in range(4)]
    for client in waiting:
        client.send_bytes(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
    assert site.connect().request("/").text == "done"
    site.advance_clock(10)
    site.call(go_on.set)
    assert [client.receive_reply().text for client in waiting] == ["done"] * 4
    assert not hits(site)


def test_every_newcomer_is_forgotten(serve: Serve, tls: bool) -> None:
    site = serve(tls, on_message=echo, on_request=lambda request: "x", connections_per_ip=3)
    site.open()
    site.plain().send_bytes(b"garbage\r\n\r\n")
    site.plain().close()
    site.plain().send_bytes(b"\x16")
    plain = site.connect()
    plain.request("/")
    site.close_clients()
    service = site.worker.service
    assert service is not None
    site.wait_until_empty()
    assert not service.newcomers


def test_a_connection_that_was_counted_is_given_back_when_it_ends(serve: Serve) -> None:
    site = serve(connections_per_ip=1, on_message=echo, **PROXIED)
    for _ in range(5):
        client: RawClient = site.open("/", told("203.0.113.7"))
        client.send_close()
        client.receive_close()
        client.close()
        wait_until(lambda: not site.worker.connections, "it is gone")


def test_a_proxy_that_has_sent_its_header_does_not_make_way_for_silent_ones(serve: Serve) -> None:
    options: dict[str, Any] = {"proxy_protocol": "required", "handshake_timeout": 1000, **PROXIED}
    site = serve(max_handshakes=3, on_message=echo, **options)
    spoken = site.connect(preamble=b"PROXY TCP4 203.0.113.7 ")
    silent = [site.connect() for _ in range(2)]
    service = site.worker.service
    assert service is not None
    wait_until(lambda: len(service.newcomers) == 3, "all are in")
    wait_until(lambda: any(each._read for each in list(service.newcomers)), "its beginning is read")
    site.advance_clock(1)
    still_serves(site.open(preamble=b"PROXY TCP4 203.0.113.8 192.0.2.1 4711 443\r\n"))
    assert silent[0].receive_bytes() == b""
    spoken.send_bytes(b"192.0.2.1 4711 443\r\n")
    still_serves(spoken.open())


def test_an_idle_keep_alive_connection_makes_way_at_once(serve: Serve, tls: bool) -> None:
    site = serve(tls, max_handshakes=2, on_message=echo, on_request=lambda request: "x")
    idle = [site.connect() for _ in range(2)]
    for client in idle:
        assert client.request("/").text == "x"
    still_serves(site.open())
    assert idle[0].receive_all() == b""
