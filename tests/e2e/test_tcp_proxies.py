"""nginx and HAProxy as TCP proxies that tell the client's address by the PROXY protocol."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from e2e.support.client import CLIENT_IP, tcp, tls, websocket
from e2e.support.proxies import Proxy, Start, StartProxy
from e2e.support.service import Service, service
from lineman.testing.certificates import IssuedPair

REQUIRED: dict[str, Any] = {
    "trusted_proxies": ["127.0.0.1/32"],
    "proxy_protocol": "required",
    "max_message_size": 16 << 20,
    "max_send_buffer_size": 32 << 20,
}
FORGED = [("X-Real-IP", "6.6.6.6"), ("X-Forwarded-For", "6.6.6.6"), ("Forwarded", "for=6.6.6.6")]


@pytest.fixture(scope="module")
def running() -> Iterator[ExitStack]:
    with ExitStack() as exits:
        yield exits


@pytest.fixture(scope="module")
def started() -> dict[Any, Any]:
    """Service and proxy by kind and whether TLS ends at the proxy, as far as they were needed."""
    return {}


@pytest.fixture(params=["nginx", "haproxy"])
def kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture(params=[True, False], ids=["TLS ends at the proxy", "TLS passes through"])
def line(
    request: pytest.FixtureRequest,
    kind: str,
    running: ExitStack,
    started: dict[tuple[str, bool], tuple[Service, Proxy]],
    starter: Start,
    certificate: IssuedPair,
) -> tuple[Service, Proxy]:
    """A service that demands the header, and a proxy that sends it."""
    is_ended: bool = request.param
    if (kind, is_ended) not in started:
        options, site = dict(REQUIRED), {"is_tcp": True}
        address = "ws://127.0.0.1:0"
        if not is_ended:
            address = "wss://127.0.0.1:0"
            options |= {"cert": str(certificate.cert), "key": str(certificate.key)}
            site |= {"cert": None, "key": None}
        worker = running.enter_context(service(address=address, **options))
        started[kind, is_ended] = worker, starter(running)(kind, worker.where, **site)
    return started[kind, is_ended]


def test_the_client_is_known_and_its_headers_do_not_count(
    line: tuple[Service, Proxy], trust: ssl.SSLContext, kind: str
) -> None:
    _, proxy = line
    with websocket(tls(proxy.https_port, trust), headers=FORGED) as client:
        known = json.loads(client.ask("whoami"))
    assert known["remote_ip"] == CLIENT_IP
    assert known["peer_address"].startswith("127.0.0.1:")
    assert known["version"] == {"nginx": 1, "haproxy": 2}[kind]
    if kind == "haproxy" and proxy.site.cert:
        assert (known["authority"], known["scheme"]) == ("domain.com", "https")


def test_a_message_of_eight_mebibytes_goes_both_ways(
    line: tuple[Service, Proxy], trust: ssl.SSLContext
) -> None:
    message = bytes(range(256)) * 32768
    with websocket(tls(line[1].https_port, trust)) as client:
        assert client.ask(message) == message


def test_a_direct_client_is_refused_in_words(line: tuple[Service, Proxy]) -> None:
    worker, _ = line
    with socket.create_connection(("127.0.0.1", worker.port), 30) as direct:
        direct.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = direct.recv(65536)
    assert answer.startswith(b"HTTP/1.1 400 ")
    worker.program.wait_for_line("not with a PROXY header")


def test_a_direct_client_that_forges_a_header_is_not_heard(line: tuple[Service, Proxy]) -> None:
    """From an address that is not trusted: there is no answer at all."""
    worker, _ = line
    with tcp(worker.port) as stranger:
        try:
            stranger.sendall(b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\nGET / HTTP/1.1\r\n\r\n")
            answer = stranger.recv(65536)
        except ConnectionError:
            answer = b""
    assert answer == b""
    worker.program.wait_for_line("only trusted_proxies may connect")


def test_clients_come_back_by_their_address_and_to_another_worker_where_theirs_is_gone(
    stack: ExitStack, start_proxy: StartProxy, trust: ssl.SSLContext, kind: str
) -> None:
    running = {}
    for _ in range(2):
        exits = stack.enter_context(ExitStack())
        worker = exits.enter_context(service(**REQUIRED))
        running[worker.program.process.pid] = worker, exits
    where = ",".join(worker.where for worker, _ in running.values())
    proxy = start_proxy(kind, where, is_tcp=True, sticky="ip")

    def seen() -> set[int]:
        programs = set()
        for _ in range(5):
            with websocket(tls(proxy.https_port, trust)) as client:
                programs.add(json.loads(client.ask("whoami"))["program"])
        return programs

    (first,) = seen()
    running[first][1].close()  # gone: its clients are served by the other at once
    assert seen() == running.keys() - {first}


def test_a_silent_line_is_cut_after_the_idle_timeout(
    stack: ExitStack, start_proxy: StartProxy, trust: ssl.SSLContext, kind: str
) -> None:
    worker = stack.enter_context(service(**{**REQUIRED, "ping_interval": 0}))
    proxy = start_proxy(kind, worker.where, is_tcp=True, ping_interval=0.3, ping_timeout=0.2)
    with websocket(tls(proxy.https_port, trust)) as client:
        assert list(client.frames()) == []
        assert client.protocol.close_code == 1006
