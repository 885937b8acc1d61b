"""Tests for nginx, Apache, Caddy and HAProxy alike, as `lineman proxy` configures them."""

from __future__ import annotations

import json
import os
import re
import socket
import ssl
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from websockets.frames import Opcode
from websockets.typing import Subprotocol

from e2e.support.client import CLIENT_IP, DOMAIN, Client, http_get, refusal, tcp, tls, websocket
from e2e.support.proxies import Proxy, StartProxy, site_options, version_of
from e2e.support.render import HOWTO, render
from e2e.support.service import TRUSTED, Service, service
from kit.waiting import DEADLINE
from lineman.testing.certificates import TestCA
from lineman.webservers import PROGRAMS, Site
from lineman.webservers.caddy import CLOSE_DELAY

FORGED = [
    ("X-Real-IP", "6.6.6.6"),
    ("X_Real_IP", "6.6.6.6"),
    ("X-Forwarded-For", "6.6.6.6"),
    ("X-Forwarded-For", "7.7.7.7"),
    ("Forwarded", "for=6.6.6.6"),
]
CLIENTS = 200
STRIPPING = [("Connection", "Upgrade, X-Real-IP, X-Forwarded-For, Forwarded")]


def whoami(client: Client) -> dict[str, Any]:
    """The worker's facts about this client."""
    known: dict[str, Any] = json.loads(client.ask("whoami"))
    return known


def test_text_and_binary_come_back_as_what_they_were(proxy: Proxy, trust: ssl.SSLContext) -> None:
    with websocket(tls(proxy.https_port, trust)) as client:
        assert client.ask("héllo") == "héllo"
        assert client.ask(b"\x00\xff") == b"\x00\xff"


def test_a_message_of_eight_mebibytes_goes_both_ways(proxy: Proxy, trust: ssl.SSLContext) -> None:
    message = bytes(range(256)) * 32768
    with websocket(tls(proxy.https_port, trust)) as client:
        assert client.ask(message) == message


def test_a_rejection_passes_with_its_body(proxy: Proxy, trust: ssl.SSLContext) -> None:
    response = refusal(tls(proxy.https_port, trust), "/wss?refuse=1")
    assert response.status_code == 403
    assert b"not today" in response.body


def test_the_subprotocol_passes(proxy: Proxy, trust: ssl.SSLContext) -> None:
    offered = [Subprotocol("chat.v1"), Subprotocol("other")]
    with websocket(tls(proxy.https_port, trust), subprotocols=offered) as client:
        assert client.protocol.subprotocol == "chat.v1"


def test_the_workers_close_code_and_reason_pass(proxy: Proxy, trust: ssl.SSLContext) -> None:
    with websocket(tls(proxy.https_port, trust)) as client:
        with pytest.raises(EOFError):
            client.ask("close 4001 come back later")
        assert client.protocol.close_code == 4001
        assert client.protocol.close_reason == "come back later"


def test_the_clients_close_code_and_reason_pass(
    proxy: Proxy, worker: Service, trust: ssl.SSLContext
) -> None:
    with websocket(tls(proxy.https_port, trust)) as client:
        client.close(4001, "gone home")
    worker.program.wait_for_line("closed with 4001 gone home")


@pytest.mark.parametrize(
    "headers",
    [[], FORGED, STRIPPING, FORGED + STRIPPING],
    ids=["plain", "forged", "stripping", "both"],
)
def test_remote_ip_is_the_clients_whatever_the_client_writes(
    proxy: Proxy, trust: ssl.SSLContext, headers: list[tuple[str, str]]
) -> None:
    with websocket(tls(proxy.https_port, trust), headers=headers) as client:
        known = whoami(client)
    assert known["remote_ip"] == CLIENT_IP
    assert "127.0.0.1" in str(known["peer_address"])
    assert (known["scheme"], known["path"]) == ("https", "/wss")


def test_a_worker_that_does_not_trust_the_proxy_ignores_its_headers(
    stack: ExitStack, start_proxy: StartProxy, trust: ssl.SSLContext, kind: str
) -> None:
    worker = stack.enter_context(service(trusted_proxies=["10.0.0.0/8", "127.0.0.2/32"]))
    proxy = start_proxy(kind, worker.port)
    with websocket(tls(proxy.https_port, trust), headers=FORGED) as client:
        known = whoami(client)
    assert (known["remote_ip"], known["scheme"]) == ("127.0.0.1", "http")


def test_forged_headers_of_a_direct_client_are_ignored(worker: Service) -> None:
    with websocket(tcp(worker.port), headers=FORGED) as client:
        known = whoami(client)
    assert known["remote_ip"] == CLIENT_IP
    assert CLIENT_IP in str(known["peer_address"])


def test_a_plain_get_is_answered_with_426_by_the_worker(
    proxy: Proxy, trust: ssl.SSLContext
) -> None:
    assert http_get(tls(proxy.https_port, trust), "/wss").startswith("HTTP/1.1 426 ")


def test_no_other_upgrade_passes(proxy: Proxy, trust: ssl.SSLContext) -> None:
    headers = [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c")]
    assert refusal(tls(proxy.https_port, trust), "/wss", headers).status_code == 426


@pytest.mark.parametrize("path", ["/wssx", "/wss/", "/wss/x", "/WSS", "/x/wss"])
def test_another_path_is_404_and_does_not_reach_the_worker(
    proxy: Proxy, trust: ssl.SSLContext, path: str
) -> None:
    assert refusal(tls(proxy.https_port, trust), path).status_code == 404


# An idle timeout of one second: twice the ping's interval and timeout together.
SHORT = {"ping_interval": 0.3, "ping_timeout": 0.2}


def test_the_server_ping_outlives_the_idle_timeout(
    stack: ExitStack, start_proxy: StartProxy, trust: ssl.SSLContext, kind: str
) -> None:
    """Nothing is sent but pings, for longer than the proxy lets a silent line live."""
    worker = stack.enter_context(service(ping_interval=0.3, **TRUSTED))
    proxy = start_proxy(kind, worker.port, **SHORT)
    with websocket(tls(proxy.https_port, trust)) as client:
        for _ in range(4):
            assert next(client.frames()).opcode is Opcode.PING
        assert client.ask("still here") == "still here"


def test_without_the_ping_the_proxy_cuts_a_silent_line(
    stack: ExitStack, start_proxy: StartProxy, trust: ssl.SSLContext, kind: str
) -> None:
    """Shows that the timeout of the test above is really in force."""
    worker = stack.enter_context(service(ping_interval=0, **TRUSTED))
    proxy = start_proxy(kind, worker.port, **SHORT)
    with websocket(tls(proxy.https_port, trust)) as client:
        if kind == "caddy":  # it has no idle timeout
            assert client.is_silent_for(1.5)
            assert client.ask("still here") == "still here"
            return
        assert list(client.frames()) == []
        assert client.protocol.close_code == 1006
    worker.program.wait_for_line("closed with 1006")


def test_two_hundred_clients_are_open_at_once(
    stack: ExitStack, proxy: Proxy, trust: ssl.SSLContext
) -> None:
    """More than Debian's Apache allows by itself, which is 150."""
    clients = [stack.enter_context(websocket(tls(proxy.https_port, trust))) for _ in range(CLIENTS)]
    for number, client in enumerate(clients):
        client.send(f"hello {number}")
    assert [client.recv() for client in clients] == [f"hello {n}" for n in range(CLIENTS)]
    for client in clients:
        client.send_close(1000, "")


def test_a_worker_that_is_gone_is_502_or_503_and_a_new_one_is_found(
    stack: ExitStack, start_proxy: StartProxy, trust: ssl.SSLContext, kind: str
) -> None:
    with service(**TRUSTED) as first:
        address = f"ws://{first.where}"
        proxy = start_proxy(kind, first.where)
        with websocket(tls(proxy.https_port, trust)) as client:
            assert client.ask("one") == "one"
    gone = refusal(tls(proxy.https_port, trust), "/wss")
    assert gone.status_code == {"nginx": 502, "apache": 503, "caddy": 502, "haproxy": 503}[kind]
    stack.enter_context(service(address=address, **TRUSTED))
    with websocket(answered_by_the_new_one(proxy.https_port, trust)) as client:
        assert client.ask("two") == "two"


def answered_by_the_new_one(port: int, trust: ssl.SSLContext) -> ssl.SSLSocket:
    """A connection, once the proxy has noticed: HAProxy looks at a worker every two seconds."""
    deadline = time.monotonic() + DEADLINE
    while http_get(tls(port, trust), "/wss").startswith(("HTTP/1.1 50", "HTTP/1.0 50")):
        assert time.monotonic() < deadline, "the proxy does not find the new worker"
        time.sleep(0.05)
    return tls(port, trust)


def tls_when_trusted(port: int, trust: ssl.SSLContext) -> ssl.SSLSocket:
    """The first connection with a trusted certificate: old processes may answer a few more."""
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            return tls(port, trust)
        except ssl.SSLCertVerificationError:
            if time.monotonic() > deadline:
                raise


def test_a_reload_keeps_the_open_socket_and_serves_the_renewed_certificate(
    start_proxy: StartProxy, worker: Service, kind: str, tmp_path: Path
) -> None:
    before, after = TestCA(tmp_path, filename="before"), TestCA(tmp_path, filename="after")
    files = before.issue(DOMAIN)
    proxy = start_proxy(kind, worker.port, cert=files.cert, key=files.key)
    trusts_old = ssl.create_default_context(cafile=before.ca_path)
    trusts_new = ssl.create_default_context(cafile=after.ca_path)
    with websocket(tls(proxy.https_port, trusts_old)) as old:
        assert old.ask("one") == "one"
        assert after.issue(DOMAIN) == files  # written over the first
        # nginx 1.27.2 and newer reads a file again when its time in seconds is another one.
        for file in (files.cert, files.key):
            os.utime(file, (time.time() + 10,) * 2)
        proxy.reload()
        with websocket(tls_when_trusted(proxy.https_port, trusts_new)) as new:
            assert new.ask("two") == "two"
        if kind == "caddy" and version_of(kind) < CLOSE_DELAY:
            # The howto says so. 1006 where Caddy closes the worker's side before the client's.
            with pytest.raises(EOFError, match=r"1001|1006"):
                old.recv()
        else:
            assert old.ask("three") == "three"


def only(trust: ssl.SSLContext, version: ssl.TLSVersion) -> ssl.SSLContext:
    """The same trust, with one version of TLS alone; old ones must be asked for twice."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        trust.minimum_version = version
        trust.maximum_version = version
    if version < ssl.TLSVersion.TLSv1_2:
        trust.set_ciphers("DEFAULT:@SECLEVEL=0")
    return trust


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_accepted(
    proxy: Proxy, trust: ssl.SSLContext, version: ssl.TLSVersion
) -> None:
    with websocket(tls(proxy.https_port, only(trust, version))) as client:
        assert client.ask("hello") == "hello"


def test_tls_1_1_is_refused_by_the_proxy(proxy: Proxy, trust: ssl.SSLContext) -> None:
    with pytest.raises(ssl.SSLError, match="ALERT_PROTOCOL_VERSION"):
        tls(proxy.https_port, only(trust, ssl.TLSVersion.TLSv1_1))


def test_plain_http_is_sent_to_https(proxy: Proxy) -> None:
    answer = http_get(tcp(proxy.http_port), "/page?x=1")
    assert answer.split()[1] == ("308" if proxy.kind == "caddy" else "301")
    where = f"https://domain.com:{proxy.https_port}/page?x=1"
    if proxy.kind == "caddy":  # takes its https_port for what the outside calls 443
        where = where.replace(f":{proxy.https_port}", "")
    (location,) = re.findall(r"(?mi)^location: (.*)\r$", answer)
    assert location == where


def test_the_place_of_acme_is_not_redirected(proxy: Proxy) -> None:
    answer = http_get(tcp(proxy.http_port), "/.well-known/acme-challenge/no-such-token")
    # nginx and Apache look for a file, HAProxy for a certbot that does not run; Caddy, which does
    # ACME itself, knows of no such token and redirects.
    status = {"nginx": "404", "apache": "404", "haproxy": "503", "caddy": "308"}[proxy.kind]
    assert answer.split()[1] == status


def test_http_2_is_offered_for_pages_and_the_websocket_comes_by_http_1(
    proxy: Proxy, trust: ssl.SSLContext
) -> None:
    trust.set_alpn_protocols(["h2", "http/1.1"])
    with tls(proxy.https_port, trust) as page:
        assert page.selected_alpn_protocol() == "h2"
    # A browser opens a second connection for the websocket, with HTTP/1.1.
    trust.set_alpn_protocols(["http/1.1"])
    with websocket(tls(proxy.https_port, trust)) as client:
        assert client.ask("hello") == "hello"


@pytest.mark.parametrize("kind", ["nginx", "caddy", "haproxy"])  # Apache does not bound it
def test_the_body_of_a_plain_request_is_bounded(
    start_proxy: StartProxy, trust: ssl.SSLContext, kind: str
) -> None:
    """The proxy itself refuses it: the server behind it sends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        proxy = start_proxy(kind, silent.getsockname()[1], max_body=1000)
        with tls(proxy.https_port, trust) as sock:
            head = f"POST /wss HTTP/1.1\r\nHost: {DOMAIN}\r\nContent-Length: 5000\r\n\r\n"
            sock.sendall(head.encode() + b"x" * 5000)
            # Caddy finds out while it forwards already, and calls that a broken connection.
            is_old_caddy = kind == "caddy" and version_of(kind) < (2, 7)
            assert sock.recv(65536).split()[1] == (b"502" if is_old_caddy else b"413")


@pytest.fixture
def socket_directory(tmp_path: Path) -> Iterator[Path]:
    """Where the proxy's user may look; pytest's directories are their owner's alone."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        yield Path(directory)


def test_a_worker_on_a_unix_socket_is_reached_and_knows_its_client(
    stack: ExitStack,
    start_proxy: StartProxy,
    trust: ssl.SSLContext,
    kind: str,
    socket_directory: Path,
) -> None:
    options = {"trusted_proxies": ["unix"], "socket_mode": 0o666}
    address = f"ws+unix://{socket_directory}/app.sock"
    worker = stack.enter_context(service(address=address, **options))
    proxy = start_proxy(kind, worker.where)
    with websocket(tls(proxy.https_port, trust), headers=FORGED + STRIPPING) as client:
        known = whoami(client)
    assert (known["remote_ip"], known["peer_address"]) == (CLIENT_IP, "unix")
    assert known["path"] == "/wss"


def test_a_path_with_all_below_it_reaches_the_worker_as_it_is(
    start_proxy: StartProxy, worker: Service, trust: ssl.SSLContext, kind: str
) -> None:
    proxy = start_proxy(kind, worker.where, path="/chat.v1", is_prefix=True)
    for path in ("/chat.v1", "/chat.v1/", "/chat.v1/room/7"):
        with websocket(tls(proxy.https_port, trust), f"{path}?a=1") as client:
            assert whoami(client)["path"] == path
    for path in ("/chat.v12", "/chatxv1", "/wss", "/x/chat.v1"):
        assert refusal(tls(proxy.https_port, trust), path).status_code == 404


@pytest.mark.parametrize("is_prefix", [False, True])
def test_a_path_in_chinese_reaches_the_worker_as_it_is(
    start_proxy: StartProxy, worker: Service, trust: ssl.SSLContext, kind: str, is_prefix: bool
) -> None:
    proxy = start_proxy(kind, worker.where, path="/聊天/v1", is_prefix=is_prefix)
    with websocket(tls(proxy.https_port, trust), quote("/聊天/v1") + "?a=1") as client:
        assert whoami(client)["path"] == "/聊天/v1"
    status = 101 if is_prefix else 404
    for path, expected in (("/聊天", 404), ("/聊天/v12", 404), ("/聊天/v1/房间", status)):
        if expected == 101:
            with websocket(tls(proxy.https_port, trust), quote(path)) as client:
                assert whoami(client)["path"] == path
        else:
            assert refusal(tls(proxy.https_port, trust), quote(path)).status_code == expected


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"))


# The versions that the pages are written for: those of Debian 12.
PAGES = {"nginx": (1, 22, 1), "apache": (2, 4, 62), "caddy": (2, 6, 2), "haproxy": (2, 6, 12)}


def test_the_page_shows_what_the_command_prints(kind: str) -> None:
    cert, key = Path("/etc/ssl/wss/fullchain.pem"), Path("/etc/ssl/wss/privkey.pem")
    options = {**site_options("127.0.0.1:8282", cert, key), "max_clients": 4096}
    printed = PROGRAMS[kind].render(Site(**options), PAGES[kind])
    assert printed in blocks(HOWTO / f"behind-{kind}.md", kind)


def test_the_python_of_the_page_works(
    stack: ExitStack, start_proxy: StartProxy, trust: ssl.SSLContext, kind: str, tmp_path: Path
) -> None:
    source = blocks(HOWTO / f"behind-{kind}.md", "python")[0]
    script = tmp_path / "app.py"
    script.write_text(render(source, {"127.0.0.1:8282": "127.0.0.1:0"}), encoding="utf-8")
    worker = stack.enter_context(service(script))
    proxy = start_proxy(kind, worker.port)
    with websocket(tls(proxy.https_port, trust)) as client:
        assert client.ask("hello") == f"{CLIENT_IP} said hello"
