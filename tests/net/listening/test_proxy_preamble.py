"""A service that reads the PROXY protocol: which peers may send it, its effect, and refusals."""

from __future__ import annotations

import json
import socket
import struct
import time
from typing import Any

import pytest

from kit.recorder import Recorder
from kit.site import Serve, Site
from kit.waiting import DEADLINE, wait_until
from lineman import Connection
from lineman.net.listening.proxy_preamble import Preamble
from lineman.protocols.proxies.proxy_header import SIGNATURE

V1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 5000 443\r\n"
LOCAL = SIGNATURE + b"\x20\x00\x00\x00"
UNSPEC = SIGNATURE + b"\x21\x00\x00\x00"
V2 = SIGNATURE + struct.pack("!BBH", 0x21, 0x11, 12) + bytes([192, 0, 2, 7, 198, 51, 100, 1])
V2 += struct.pack("!HH", 5000, 443)
AUTHORITY = b"\x02\x00\x04chat"
V2_TLV = V2[:15] + bytes([12 + len(AUTHORITY)]) + V2[16:] + AUTHORITY

HERE = {"trusted_proxies": ["127.0.0.1/32"]}
ELSEWHERE = {"trusted_proxies": ["10.0.0.0/8"]}


def known(connection: Connection, message: object) -> None:
    """Answers with the service's facts about its client."""
    request = connection.request
    assert request is not None
    header = connection.proxy_header
    connection.send(
        json.dumps(
            {
                "remote": [connection.remote_ip, connection.remote_port],
                "request": [request.remote_ip, request.remote_port],
                "peer": connection.peer_address.rpartition(":")[0],
                "scheme": request.scheme,
                "authority": None if header is None else header.authority,
            }
        )
    )


@pytest.fixture
def start(serve: Serve, tls: bool) -> Any:
    """Starts a service that demands the header, with and without TLS behind it."""

    def make(**options: Any) -> Site:
        options = {"proxy_protocol": "required", **HERE, **options}
        return serve(tls, on_message=known, **options)

    return make


def ask(site: Site, preamble: bytes = b"", **options: Any) -> dict[str, Any]:
    with site.open(preamble=preamble, **options) as client:
        client.send("who am I?")
        answer: dict[str, Any] = json.loads(client.receive())
        return answer


@pytest.mark.parametrize("header", [V1, V2, V2_TLV], ids=["v1", "v2", "v2 with values"])
def test_the_header_names_the_client(start: Any, header: bytes) -> None:
    answer = ask(start(), header)
    assert answer["remote"] == answer["request"] == ["192.0.2.7", 5000]
    assert answer["peer"] == "127.0.0.1"
    assert answer["authority"] == ("chat" if header is V2_TLV else None)


def test_the_proxys_own_connection_is_its_own(start: Any) -> None:
    assert ask(start(), LOCAL)["remote"][0] == "127.0.0.1"


def test_a_client_that_the_proxy_does_not_name_is_unknown(start: Any) -> None:
    assert ask(start(), UNSPEC)["remote"] == ["unknown", 0]


def test_http_headers_of_a_named_client_do_not_count(start: Any) -> None:
    forged = [("X-Real-IP", "6.6.6.6"), ("X-Forwarded-For", "6.6.6.6")]
    assert ask(start(), V2, headers=forged)["remote"] == ["192.0.2.7", 5000]


def test_a_chain_of_proxies_is_followed_where_its_header_is_named(start: Any) -> None:
    """A TCP proxy here, an HTTP proxy (192.0.2.7) before it, the client before that."""
    site = start(real_ip_header="x-forwarded-for", trusted_proxies=["127.0.0.1/32", "192.0.2.0/24"])
    headers = [("X-Forwarded-For", "6.6.6.6, 203.0.113.5")]
    assert ask(site, V2, headers=headers)["remote"] == ["203.0.113.5", 0]
    stranger = V1.replace(b"192.0.2.7", b"192.0.3.7")
    assert ask(site, stranger, headers=headers)["remote"] == ["192.0.3.7", 5000]


@pytest.mark.parametrize("header", [V1, V2_TLV], ids=["v1", "v2"])
def test_a_header_that_comes_byte_by_byte_is_read(start: Any, header: bytes) -> None:
    site = start()
    with site.plain() as client:
        for end in range(1, len(header)):
            client.send_bytes(header[end - 1 : end])
            wait_until_taken(site, header[:end])
        client.send_bytes(header[-1:])
        wait_until(lambda: not preambles(site), "the header is read")
        client.send_bytes(b"what is this?\r\n\r\n")
        assert b" 400 " in client.receive_all()


def preambles(site: Site) -> list[Preamble]:
    """Those whose header is not read yet."""
    service = site.worker.service
    assert service is not None
    return [one for one in site.call(service.poller.handlers) if isinstance(one, Preamble)]


def wait_until_taken(site: Site, data: bytes) -> None:
    """Until the service has taken these bytes off the socket, and is not told of them again."""
    wait_until(lambda: [one._read for one in preambles(site)] == [data], f"{data!r} is taken")


def test_header_and_request_may_come_in_one_piece(serve: Serve) -> None:
    site = serve(on_request=lambda request: request.remote_ip, proxy_protocol="required", **HERE)
    with site.plain() as client:
        client.send_bytes(V2 + b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert client.receive_all().endswith(b"192.0.2.7")


@pytest.mark.parametrize("start_of", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"PROPFIND / HTTP/1.1"])
def test_a_peer_without_the_header_is_refused_in_words(
    start: Any, start_of: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with start().plain() as client:
        client.send_bytes(start_of)
        answer = client.receive_all()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"PROXY protocol" in answer
    assert "not with a PROXY header" in caplog.text
    assert "send-proxy-v2" in caplog.text


@pytest.mark.parametrize(
    "data", [b"PROXY TCP4 garbage\r\n", SIGNATURE + b"\x51\x11\0\0", b"PROXY " + b"x" * 200]
)
def test_a_bad_header_ends_the_connection_with_a_reason(
    start: Any, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    site = start()
    with site.plain() as client:
        client.send_bytes(data)
        assert ended_without_a_word(client.plain)
    site.wait_until_empty()
    assert "refused: " in caplog.text


def ended_without_a_word(sock: socket.socket) -> bool:
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


def test_tls_in_the_place_of_the_header_is_refused(serve: Serve, client_tls: Any) -> None:
    site = serve(True, proxy_protocol="required", **HERE)
    with site.plain() as client:
        client.send_bytes(b"\x16\x03\x01\x00\x05hello")
        assert ended_without_a_word(client.plain)


def test_a_header_that_does_not_come_is_waited_for_no_longer_than_a_handshake(
    start: Any, caplog: pytest.LogCaptureFixture
) -> None:
    site = start(handshake_timeout=3.0)
    with site.plain() as silent, site.plain(preamble=V2[:20]) as slow:
        wait_until(lambda: len(preambles(site)) == 2, "both are accepted")
        wait_until(lambda: V2[:20] in [one._read for one in preambles(site)], "it is taken")
        site.advance_clock(3.5)
        assert ended_without_a_word(silent.plain)
        assert b"400" in slow.receive_all()
    assert "no PROXY header within 3 s" in caplog.text
    site.wait_until_empty()


def test_a_stranger_is_refused_whatever_it_says(
    start: Any, caplog: pytest.LogCaptureFixture
) -> None:
    site = start(**ELSEWHERE)
    with site.plain() as client:
        assert ended_without_a_word(client.plain)
    wait_until(lambda: "only trusted_proxies may connect" in caplog.text, "it is in the log")
    site.wait_until_empty()


def test_a_peer_that_leaves_before_its_header_leaves_nothing_behind(start: Any) -> None:
    site = start()
    for preamble in (b"", V1[:10], V2[:14]):
        site.plain(preamble=preamble).close()
    site.wait_until_empty()


def test_stopping_does_not_wait_for_a_header(serve: Serve) -> None:
    site = serve(proxy_protocol="required", **HERE)
    with site.plain(preamble=V1[:5]) as client:
        wait_until_taken(site, V1[:5])
        began = time.monotonic()
        site.stop()
        assert time.monotonic() - began < DEADLINE / 5
        assert ended_without_a_word(client.plain)


# Optional.


@pytest.mark.parametrize("header", [b"", V1, V2])
def test_an_optional_header_may_be_there_or_not(start: Any, header: bytes) -> None:
    answer = ask(start(proxy_protocol="optional", real_ip_header="x-real-ip"), header)
    # Without it the proxy would have to say by HTTP whom it speaks for.
    assert answer["remote"][0] == ("192.0.2.7" if header else "unknown")


def test_an_optional_header_of_a_stranger_is_no_header(start: Any, tls: bool) -> None:
    site = start(proxy_protocol="optional", **ELSEWHERE)
    assert ask(site)["remote"][0] == "127.0.0.1"
    with site.plain() as client:
        client.send_bytes(V1 + b"GET / HTTP/1.1\r\n\r\n")
        assert b" 400 " in client.receive_all()


def test_what_only_begins_like_a_header_is_given_on_whole(serve: Serve) -> None:
    """Taken from the socket already when it turned out to be none."""
    site = serve(on_request=lambda request: request.method, proxy_protocol="optional", **HERE)
    with site.plain() as client:
        client.send_bytes(b"PRO")
        wait_until_taken(site, b"PRO")
        client.send_bytes(b"PFIND / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert client.receive_all().endswith(b"PROPFIND")


def test_in_front_of_tls_it_is_refused(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    site = serve(True, proxy_protocol="optional", **HERE)
    with site.plain() as client:
        client.send_bytes(b"PRO")
        wait_until_taken(site, b"PRO")
        client.send_bytes(b"PFIND")
        assert b"PROXY protocol" in client.receive_all()
    assert "neither TLS nor a PROXY header" in caplog.text


def test_what_the_proxy_says_about_tls_is_the_scheme(serve: Serve) -> None:
    tls = struct.pack("!BHBI", 0x20, 5, 0x01, 0)
    header = V2[:15] + bytes([12 + len(tls)]) + V2[16:] + tls
    site = serve(on_message=known, proxy_protocol="required", **HERE)
    assert ask(site, header)["scheme"] == "https"
    assert ask(site, V2)["scheme"] == "http"


@pytest.mark.parametrize(
    ("trusted", "value", "scheme"),
    [(HERE, "https", "https"), (HERE, "javascript", "http"), (ELSEWHERE, "https", "http")],
)
def test_a_trusted_proxy_says_which_scheme_the_client_uses(
    serve: Serve, trusted: dict[str, Any], value: str, scheme: str
) -> None:
    site = serve(on_message=known, **trusted)
    headers = [("X-Forwarded-Proto", value), ("X-Real-IP", "192.0.2.7")]
    assert ask(site, headers=headers)["scheme"] == scheme


def test_a_connection_tells_its_client_from_the_first_callback_on(serve: Serve) -> None:
    seen = Recorder()
    site = serve(
        on_websocket_connect=lambda connection, request: seen(repr(connection)),
        proxy_protocol="required",
        **HERE,
    )
    site.open(preamble=V2)
    assert "192.0.2.7:5000" in seen.wait()[0]
