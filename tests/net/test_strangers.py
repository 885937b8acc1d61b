"""Pages whose site a proxy has hidden: they are accepted, but the program gets no identity."""

from __future__ import annotations

import ssl
import struct
from typing import Any

import pytest

from kit.recorder import Recorder
from kit.site import Serve, Site
from lineman import Connection, Worker
from lineman.config import checked_options
from lineman.protocols.http.requests import Headers, Request
from lineman.protocols.proxies.proxy_header import SIGNATURE
from lineman.protocols.websocket import checkup
from lineman.protocols.websocket.origins import Standing
from lineman.testing.certificates import IssuedPair, TestCA
from lineman.testing.client import RawClient

PAGE = ("Origin", "https://www.domain.com")
SECRETS = [
    ("Cookie", "session=secret"), ("Authorization", "Basic secret"), ("X-Forwarded-User", "secret"),
    ("Remote-User", "secret"), ("X-SSL-Client-S-DN", "CN=secret"), ("X_Real_IP", "secret"),
]  # fmt: skip
PRIVATE = ("_head", "_lines", "_index", "_cookies", "_query", "_headers")
SHOWN = [("User-Agent", "a browser"), ("X-Forwarded-For", "203.0.113.7")]
# Whatever is unusual is read by the strict parser and not in one pass.
USUAL: list[tuple[str, str]] = []
UNUSUAL = [("Proxy-Connection", "keep-alive")]


def everything(connection: Connection, request: Request | None) -> str:
    """Everything that a program can learn about a handshake."""
    assert request is not None
    seen: list[Any] = [request, request.headers, request.cookies, request.target, request.body]
    # In compiled code, no program can read private attributes.
    seen += [getattr(request, name, None) for name in (*dir(request), *PRIVATE)]
    seen += [request.headers.get(name) for name, _ in SECRETS]
    seen += [connection, connection.data, connection.proxy_header, connection.tls]
    if connection.proxy_header is not None:
        seen += [connection.proxy_header.tls, connection.proxy_header.tlvs]
    seen += [getattr(request.headers, name, None) for name in (*dir(request.headers), *PRIVATE)]
    return repr(seen)


class Spy:
    """Records what each callback can see."""

    def __init__(self) -> None:
        self.seen = Recorder()
        self.headers = Recorder()
        self.callbacks: dict[str, Any] = {
            "on_websocket_connect": self.ask,
            "on_connect": lambda connection: self.ask(connection, connection.request),
            "on_close": lambda connection, code, reason: self.ask(connection, connection.request),
        }

    def ask(self, connection: Connection, request: Request | None) -> None:
        assert request is not None
        self.headers(request.headers.items())
        self.seen(everything(connection, request))


@pytest.mark.parametrize("more", [USUAL, UNUSUAL], ids=["usual", "unusual"])
def test_a_page_of_another_site_learns_nothing_of_what_a_proxy_made_of_credentials(
    serve: Serve, tls: bool, more: list[tuple[str, str]]
) -> None:
    spy = Spy()
    site = serve(tls, **spy.callbacks)
    made_by_proxies = [pair for pair in SECRETS if pair[0] not in ("Cookie", "Authorization")]
    client = hidden(site, "shop.example").open("/", [PAGE, *made_by_proxies, *SHOWN, *more])
    client.close()
    for seen in spy.seen.wait(3):
        assert "secret" not in repr(seen)


def hidden(site: Site, name: str = "127.0.0.1:8282", **options: Any) -> RawClient:
    """A client as the proxy is one that puts its upstream's address in the place of `Host`."""
    client = site.connect(**options)
    client.host = name
    return client


@pytest.mark.parametrize("more", [USUAL, UNUSUAL], ids=["usual", "unusual"])
def test_no_callback_learns_anything_of_who_a_stranger_is(
    serve: Serve, tls: bool, more: list[tuple[str, str]]
) -> None:
    spy = Spy()
    site = serve(tls, **spy.callbacks)
    client = hidden(site).open("/?room=7", [PAGE, *SECRETS, *SHOWN, *more])
    client.close()
    for seen in spy.seen.wait(3):
        assert "secret" not in seen
    for headers in spy.headers.calls:
        names = [name.lower() for name, _ in headers]
        assert names == [
            "host", "sec-websocket-key", "sec-websocket-version", "origin", "user-agent",
            "x-forwarded-for",
        ]  # fmt: skip


def test_without_callbacks_at_the_handshake_the_kept_request_is_a_strangers_too(
    serve: Serve,
) -> None:
    site = serve(on_message=lambda connection, message: connection.send(
        everything(connection, connection.request)
    ))  # fmt: skip
    client = hidden(site).open("/", [PAGE, *SECRETS])
    client.send("who am I?")
    assert "secret" not in client.receive()


def test_a_request_before_on_the_same_line_tells_nothing_of_the_stranger_after_it(
    serve: Serve,
) -> None:
    spy = Spy()
    site = serve(on_request=lambda request: "a page", **spy.callbacks)
    client = hidden(site)
    assert client.request("/", SECRETS).text == "a page"
    client.open("/", [PAGE, *SECRETS])
    for seen in spy.seen.wait(2):
        assert "secret" not in seen


def test_an_async_callback_sees_a_stranger_as_well(serve: Serve) -> None:
    spy = Spy()

    async def ask(connection: Connection, request: Request) -> None:
        spy.ask(connection, request)

    hidden(serve(on_websocket_connect=ask)).open("/", [PAGE, *SECRETS])
    assert "secret" not in spy.seen.wait(1)[0]


def tlv(kind: int, value: bytes) -> bytes:
    return struct.pack("!BH", kind, len(value)) + value


def test_what_a_tcp_proxy_says_of_a_certificate_is_withheld(serve: Serve) -> None:
    certificate = b"\x07" + struct.pack("!I", 0) + tlv(0x22, b"secret") + tlv(0x21, b"TLSv1.3")
    values = tlv(0x20, certificate) + tlv(0xE0, b"secret") + tlv(0x02, b"domain.com")
    addresses = bytes([192, 0, 2, 7, 198, 51, 100, 1]) + struct.pack("!HH", 5000, 443)
    header = SIGNATURE + struct.pack("!BBH", 0x21, 0x11, len(addresses + values))
    spy = Spy()
    site = serve(proxy_protocol="required", trusted_proxies=["127.0.0.1/32"], **spy.callbacks)
    preamble = header + addresses + values
    hidden(site, preamble=preamble).open("/", [PAGE])
    for seen in spy.seen.wait(2):
        assert "secret" not in seen
    assert site.connection.remote_ip == "192.0.2.7"
    assert site.connection.request is not None
    assert site.connection.request.scheme == "https"
    named = hidden(site, "domain.com", preamble=preamble).open("/", [PAGE, *SECRETS])
    assert "secret" in spy.seen.wait(4)[-1]
    named.close()


@pytest.mark.parametrize("cookie", [[], SECRETS[:1]], ids=["no cookie", "cookie"])
def test_a_client_that_shows_us_a_certificate_is_no_stranger(
    serve: Serve, authority: TestCA, caplog: pytest.LogCaptureFixture, cookie: Any
) -> None:
    phone = authority.issue(["phone.test"], filename="visitor", purpose="client")
    site = serve(True, ca_file=authority.ca_path, verify_client="optional")
    shows = ssl.create_default_context(cafile=authority.ca_path)
    shows.load_cert_chain(phone.cert, phone.key)
    reply = hidden(site, tls=shows).handshake("/", [PAGE, *cookie])
    assert reply.status == 403
    assert "certificate" in reply.text
    assert "proxy_set_header Host $http_host;" in caplog.text
    hidden(site, tls=shows).open("/", cookie)  # a program, no page
    hidden(site).open("/", [PAGE, *cookie])  # it has none


def test_the_log_says_once_a_minute_what_ends_it(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    site = serve()
    for _ in range(3):
        hidden(site).open("/", [PAGE, SECRETS[0]])
    (line,) = [each.getMessage() for each in caplog.records if "stranger" in each.getMessage()]
    assert "127.0.0.1" in line
    assert "proxy_set_header Host $http_host;" in line
    assert "ProxyPreserveHost On" in line
    assert 'origins=["https://www.domain.com"]' in line
    assert "secret" not in line


@pytest.mark.parametrize(
    ("host", "more"),
    [
        ("domain.com", []),
        ("www.domain.com:8282", []),
        ("127.0.0.1:8282", [("X-Forwarded-Host", "domain.com")]),
        ("127.0.0.1:8282", [("Forwarded", 'for=_x;host="www.domain.com"')]),
        ("127.0.0.1:8282", [("Sec-Fetch-Site", "same-origin")]),
    ],
)
def test_a_page_of_this_site_keeps_its_cookies(serve: Serve, host: str, more: Any) -> None:
    spy = Spy()
    hidden(serve(**spy.callbacks), host).open("/", [PAGE, *SECRETS, *more])
    for seen in spy.seen.wait(2):
        assert "session=secret" in seen


def test_a_program_keeps_all_that_it_sends(serve: Serve) -> None:
    spy = Spy()
    hidden(serve(**spy.callbacks)).open("/", SECRETS)
    for seen in spy.seen.wait(2):
        assert "session=secret" in seen


def test_the_address_of_a_plain_worker_is_no_sites_name_and_that_of_a_worker_with_tls_is(
    certificate: IssuedPair,
) -> None:
    """Behind a proxy it is the upstream's; clients of a worker with TLS connect to that name."""
    lines = [("Host", "chat.example:8282"), PAGE, SECRETS[0]]
    request = Request("GET", "/", "1.1", Headers(lines), upgrade=True)
    plain = checked_options.read(Worker("ws://chat.example:8282"))
    assert plain.addresses[0].origins.judge(request).standing is Standing.STRANGER
    files = {"cert": certificate.cert, "key": certificate.key}
    tls = checked_options.read(Worker("wss://chat.example:8282", **files))
    assert tls.addresses[0].origins.judge(request).standing is Standing.REFUSED
    other = checked_options.read(Worker("ws://chat.example:8283"))
    assert other.addresses[0].origins.judge(request).standing is Standing.REFUSED


@pytest.mark.parametrize(
    ("host", "origin", "page"),
    [
        ("127.0.0.1", "https://domain.com", "stranger"),
        ("domain.com", "https://domain.com", "own"),
        ("domain.com", "https://evil.example", "foreign"),
    ],
)
def test_the_doctor_is_told_how_its_handshake_was_taken_and_nobody_else(
    serve: Serve, host: str, origin: str, page: str
) -> None:
    site = serve(trusted_proxies=["127.0.0.1/32"], real_ip_header="x-real-ip")
    question = [("Origin", origin), ("X-Lineman-Doctor", "1")]
    addresses = {checkup.CLAIMED: "believed", "203.0.113.7": "other", "": "unknown"}
    for claim, address in addresses.items():
        headers = [*question, *([("X-Real-IP", claim)] if claim else [])]
        reply = hidden(site, host).handshake("/", headers)
        assert checkup.read(reply.headers["x-lineman-doctor"]) == {"page": page, "address": address}
    assert "x-lineman-doctor" not in hidden(site, host).handshake("/", question[:1]).headers
