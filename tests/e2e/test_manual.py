"""The exact lines of Workerman's manual page on wss, and a browser with a cookie."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome

from e2e.support import raw
from e2e.support.manual import manual
from e2e.support.service import TRUSTED, Service, service
from kit.browser import chromium
from lineman.base.finding import Finding, Level
from lineman.doctor.checks import judge
from lineman.doctor.facts import Question
from lineman.doctor.looks.outside import Tools, look
from lineman.protocols.websocket.client.url import parse
from lineman.testing.certificates import IssuedPair, TestCA
from lineman.testing.client import RawClient
from lineman.tls.advice.certificate_facts import read_roots

SITE, WWW, EVIL = "domain.example", "www.domain.example", "evil.example"
FORWARDED_HOST = {
    "nginx": "proxy_set_header Host $http_host;",
    "apache": "ProxyPreserveHost On",
}

_TALK = """
const [url, done] = arguments;
const ws = new WebSocket(url);
ws.onopen = () => ws.send("headers");
ws.onmessage = event => done(event.data);
ws.onclose = event => done("closed with " + event.code);
"""


@pytest.fixture(scope="module")
def backend() -> Iterator[Service]:
    """A worker as in the manual: on every address, without options."""
    with service(address="websocket://0.0.0.0:0") as running:
        yield running


@pytest.fixture(scope="module")
def pair(ca: TestCA) -> IssuedPair:
    return ca.issue([SITE, WWW, EVIL], filename="manual")


@pytest.fixture(scope="module")
def browser(ca: TestCA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    home = tmp_path_factory.mktemp("home")
    with chromium(home, [ca.ca_path], here="*.example") as driver:
        yield driver


def talk(browser: Chrome, page: str, port: int) -> Any:
    """The headers that the service gets from a page whose site has set a cookie."""
    browser.get(f"https://{SITE}:{port}/")
    browser.delete_all_cookies()
    cookie = {"name": "_ga", "value": "GA1.1.1", "sameSite": "None", "secure": True}
    browser.add_cookie({**cookie, "domain": f".{SITE}"})
    browser.get(f"https://{page}:{port}/")
    answer = browser.execute_async_script(_TALK, f"wss://{SITE}:{port}/wss")  # type: ignore[no-untyped-call]
    return dict(json.loads(answer)) if answer.startswith("[") else answer


def diagnosed(ca: TestCA, port: int, **question: Any) -> dict[str, Finding]:
    """The doctor's warnings, from outside and while the service runs."""
    tools = Tools(timeout=20.0, given=("127.0.0.1",), roots=tuple(read_roots(ca.ca_path)))
    asked = Question(parse(f"wss://{SITE}:{port}/wss"), **question)
    bad = [each for each in judge(look(asked, tools)) if each.level >= Level.WARNING]
    return {each.name: each for each in bad}


@pytest.mark.parametrize("page", [SITE, WWW])
def test_the_manuals_nginx_lines_let_a_visitor_with_a_cookie_in_without_it(
    browser: Chrome, backend: Service, pair: IssuedPair, tmp_path: Path, page: str
) -> None:
    with manual("nginx", tmp_path, backend.port, pair) as port:
        seen = talk(browser, page, port)
    assert seen["Host"] == f"127.0.0.1:{backend.port}"
    assert seen["X-Real-IP"] == "127.0.0.1"
    assert seen["Origin"] == f"https://{page}:{port}"
    assert "Cookie" not in seen
    (line, *_) = backend.program.wait_for_line("let in as a stranger")
    assert "proxy_set_header Host $http_host;" in line


def test_the_doctor_sees_from_outside_that_the_manuals_nginx_lines_hide_the_site(
    backend: Service, pair: IssuedPair, ca: TestCA, tmp_path: Path
) -> None:
    with manual("nginx", tmp_path, backend.port, pair) as port:
        found = diagnosed(ca, port)
        mini_program = diagnosed(ca, port, profile="wechat")
    assert found["host-hidden"].level is Level.WARNING
    assert "proxy_set_header Host $http_host;" in found["host-hidden"].fix
    assert "real-ip-spoofable" not in found
    assert "host-hidden" not in mini_program  # it is no page


@pytest.mark.parametrize(
    ("kind", "header", "is_spoofable"),
    [
        ("apache", "x-real-ip", True),
        ("apache", "x-forwarded-for", False),
        ("nginx", "x-real-ip", False),
    ],
)
def test_the_doctor_finds_a_client_that_may_choose_its_own_address(
    pair: IssuedPair, ca: TestCA, tmp_path: Path, kind: str, header: str, is_spoofable: bool
) -> None:
    with (
        service(real_ip_header=header, **TRUSTED) as trusting,
        manual(kind, tmp_path, trusting.port, pair, FORWARDED_HOST[kind]) as port,
    ):
        found = diagnosed(ca, port)
    assert ("real-ip-spoofable" in found) is is_spoofable
    assert "host-hidden" not in found


def test_the_doctor_tells_a_list_without_the_sites_own_pages_from_a_hidden_host(
    pair: IssuedPair, ca: TestCA, tmp_path: Path
) -> None:
    with (
        service(origins=["https://app.example"]) as listed,
        manual("nginx", tmp_path, listed.port, pair) as port,
    ):
        found = diagnosed(ca, port)
        assert found["origin-refused"].level is Level.WARNING
        assert "--origin" in found["origin-refused"].fix
        assert diagnosed(ca, port, origin="https://app.example") == {}
        assert diagnosed(ca, port, origin="https://evil.example")["origin-refused"].fix


def test_the_doctor_names_a_hidden_host_where_another_framework_refuses_the_page(
    pair: IssuedPair, ca: TestCA, tmp_path: Path
) -> None:
    def by_host(link: socket.socket) -> None:
        """Compares Origin and Host as many programs do, and accepts clients without a cookie."""
        headers = raw.head_of(link)
        if "cookie" in headers and headers.get("origin") != f"https://{headers['host']}":
            link.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        else:
            raw.open_line(link, headers)
            with contextlib.suppress(IndexError):  # it came to look and no more
                raw.pong(link)

    with raw.serving(by_host) as upstream, manual("nginx", tmp_path, upstream, pair) as port:
        found = diagnosed(ca, port)
    assert found["host-hidden"].level is Level.ERROR
    assert "proxy_set_header Host $http_host;" in found["host-hidden"].fix


@pytest.mark.parametrize("page", [SITE, WWW])
def test_the_manuals_apache_lines_keep_the_visitors_cookie(
    browser: Chrome, backend: Service, pair: IssuedPair, tmp_path: Path, page: str
) -> None:
    with manual("apache", tmp_path, backend.port, pair) as port:
        seen = talk(browser, page, port)
    assert seen["Host"] == f"127.0.0.1:{backend.port}"
    assert seen["Cookie"] == "_ga=GA1.1.1"


@pytest.mark.parametrize("kind", ["nginx", "apache"])
def test_with_the_line_that_the_log_names_the_cookie_comes_and_foreign_pages_do_not(
    browser: Chrome, backend: Service, pair: IssuedPair, ca: TestCA, tmp_path: Path, kind: str
) -> None:
    with manual(kind, tmp_path, backend.port, pair, FORWARDED_HOST[kind]) as port:
        for page in (SITE, WWW):
            seen = talk(browser, page, port)
            assert seen["Host"] == f"{SITE}:{port}"
            assert seen["Cookie"] == "_ga=GA1.1.1"
        with client(port, ca) as lured:
            assert lured.handshake("/wss", BY_EVIL).status == 403


# A browser of today sends no cookies from one site to another, an older one does.
BY_EVIL = [("Origin", f"https://{EVIL}"), ("Cookie", "session=secret")]


def client(port: int, ca: TestCA) -> RawClient:
    return RawClient(port, tls=ssl.create_default_context(cafile=ca.ca_path), server_hostname=SITE)


def test_behind_the_manuals_nginx_lines_a_foreign_page_comes_in_without_the_cookie(
    backend: Service, pair: IssuedPair, ca: TestCA, tmp_path: Path
) -> None:
    with manual("nginx", tmp_path, backend.port, pair) as port, client(port, ca) as lured:
        lured.open("/wss", [*BY_EVIL, ("X-Forwarded-User", "secret")])
        lured.send("headers")
        seen = lured.receive()
    assert EVIL in seen
    assert "secret" not in seen


def test_behind_the_manuals_apache_lines_which_tell_the_site_a_foreign_page_is_refused(
    backend: Service, pair: IssuedPair, ca: TestCA, tmp_path: Path
) -> None:
    with manual("apache", tmp_path, backend.port, pair) as port, client(port, ca) as lured:
        assert lured.handshake("/wss", BY_EVIL).status == 403
