"""Websockets over HTTP/2 (RFC 8441), where the proxy in front offers them."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator

import h2.connection
import h2.events
import h2.settings
import pytest
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from e2e.support.client import CLIENT_IP, DOMAIN, tls
from e2e.support.proxies import Proxy, version_of
from lineman.webservers.apache import H2_WEBSOCKETS

FORGED = [
    ("x-real-ip", "6.6.6.6"),
    ("x-forwarded-for", "6.6.6.6"),
    ("forwarded", "for=6.6.6.6"),
    ("origin", f"https://{DOMAIN}"),
]


class Http2:
    """One HTTP/2 connection with at most one websocket on it."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self._sock = sock
        self._http = h2.connection.H2Connection()
        self._http.initiate_connection()
        self._events = self._receive()
        self._wait_for(h2.events.RemoteSettingsChanged)

    def _receive(self) -> Iterator[h2.events.Event]:
        while True:
            self._sock.sendall(self._http.data_to_send())
            data = self._sock.recv(65536)
            assert data, "the proxy ended the connection"
            yield from self._http.receive_data(data)

    def _wait_for(self, kind: type) -> h2.events.Event:
        return next(event for event in self._events if isinstance(event, kind))

    @property
    def offers_websockets(self) -> bool:
        return self._http.remote_settings.enable_connect_protocol == 1

    def open(self, path: str) -> int:
        """Asks for a websocket; the status of the answer."""
        head = [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "https"),
            (":authority", DOMAIN),
            (":path", path),
            ("sec-websocket-version", "13"),
            *FORGED,
        ]
        self._http.send_headers(1, head)
        answer = self._wait_for(h2.events.ResponseReceived)
        assert isinstance(answer, h2.events.ResponseReceived)
        return int(dict(answer.headers)[b":status"])

    def ask(self, text: str) -> str:
        """Sends a text message; the one that comes back."""
        self._http.send_data(1, Frame(Opcode.TEXT, text.encode()).serialize(mask=True))
        stream = StreamReader()
        parser = Frame.parse(stream.read_exact, mask=False)
        next(parser)
        while True:
            event = self._wait_for(h2.events.DataReceived)
            assert isinstance(event, h2.events.DataReceived)
            stream.feed_data(event.data)
            try:
                next(parser)
            except StopIteration as done:
                frame: Frame = done.value
                return frame.data.decode()


@pytest.fixture
def http2(proxy: Proxy, trust: ssl.SSLContext) -> Iterator[Http2]:
    trust.set_alpn_protocols(["h2"])
    with tls(proxy.https_port, trust) as sock:
        yield Http2(sock)


def offers(kind: str) -> bool:
    """Whether this one carries websockets over HTTP/2, as the pages say."""
    return kind == "haproxy" or (kind == "apache" and version_of("apache") >= H2_WEBSOCKETS)


def test_only_those_offer_it_of_which_the_pages_say_so(http2: Http2, kind: str) -> None:
    assert http2.offers_websockets == offers(kind)


@pytest.mark.parametrize("kind", ["apache", "haproxy"])
def test_a_websocket_over_http_2_reaches_the_worker_with_the_clients_address(
    http2: Http2, kind: str
) -> None:
    if not offers(kind):
        pytest.fail(f"this {kind} is too old for websockets over HTTP/2; fix: upgrade it")
    assert http2.open("/wss") == 200
    known = json.loads(http2.ask("whoami"))
    assert (known["remote_ip"], known["scheme"], known["path"]) == (CLIENT_IP, "https", "/wss")
    assert http2.ask("hello") == "hello"


@pytest.mark.parametrize("kind", ["apache", "haproxy"])
def test_another_path_is_404_there_too(http2: Http2) -> None:
    assert http2.open("/wssx") == 404
