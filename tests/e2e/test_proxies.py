"""What holds behind nginx and behind Apache alike, with the configurations of docs/howto."""

from __future__ import annotations

import json
import re
import ssl
import time
import warnings
from contextlib import ExitStack
from pathlib import Path

import pytest
from websockets.frames import Opcode
from websockets.typing import Subprotocol

from e2e.support.client import CLIENT_IP, DOMAIN, Client, http_get, refusal, tcp, tls, websocket
from e2e.support.program import DEADLINE
from e2e.support.proxies import Proxy, StartProxy
from e2e.support.render import HOWTO, render
from e2e.support.service import TRUSTED, Service, service
from lineman.testing.certificates import TestCA

FORGED = [
    ("X-Real-IP", "6.6.6.6"),
    ("X_Real_IP", "6.6.6.6"),
    ("X-Forwarded-For", "6.6.6.6"),
    ("X-Forwarded-For", "7.7.7.7"),
    ("Forwarded", "for=6.6.6.6"),
]
STRIPPING = [("Connection", "Upgrade, X-Real-IP, X-Forwarded-For, Forwarded")]


def whoami(client: Client) -> dict[str, str]:
    """What the worker knows about this client."""
    known: dict[str, str] = json.loads(client.ask("whoami"))
    return known


def test_text_and_binary_come_back_as_what_they_were(proxy: Proxy, trust: ssl.SSLContext) -> None:
    with websocket(tls(proxy.https_port, trust)) as client:
        assert client.ask("héllo") == "héllo"
        assert client.ask(b"\x00\xff") == b"\x00\xff"


def test_a_message_of_one_mebibyte_goes_both_ways(proxy: Proxy, trust: ssl.SSLContext) -> None:
    message = bytes(range(256)) * 4096
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


@pytest.mark.parametrize(
    "trusted", [[], ["10.0.0.0/8", "127.0.0.2/32"]], ids=["nobody", "somebody else"]
)
def test_a_worker_that_does_not_trust_the_proxy_ignores_its_headers(
    stack: ExitStack,
    start_proxy: StartProxy,
    trust: ssl.SSLContext,
    kind: str,
    trusted: list[str],
) -> None:
    worker = stack.enter_context(service(trusted_proxies=trusted))
    proxy = start_proxy(kind, worker.port)
    with websocket(tls(proxy.https_port, trust), headers=FORGED) as client:
        assert whoami(client)["remote_ip"] == "127.0.0.1"


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


def test_the_server_ping_outlives_the_idle_timeout(
    stack: ExitStack, start_proxy: StartProxy, trust: ssl.SSLContext, kind: str
) -> None:
    """Nothing is sent but pings, for longer than the proxy lets a silent line live."""
    worker = stack.enter_context(service(ping_interval=0.5, **TRUSTED))
    proxy = start_proxy(kind, worker.port, idle_timeout=3)
    with websocket(tls(proxy.https_port, trust)) as client:
        for _ in range(8):
            assert next(client.frames()).opcode is Opcode.PING
        assert client.ask("still here") == "still here"


def test_without_the_ping_the_proxy_cuts_a_silent_line(
    stack: ExitStack, start_proxy: StartProxy, trust: ssl.SSLContext, kind: str
) -> None:
    """The other half of the proof: the timeout above is really in force."""
    worker = stack.enter_context(service(ping_interval=0, **TRUSTED))
    proxy = start_proxy(kind, worker.port, idle_timeout=3)
    with websocket(tls(proxy.https_port, trust)) as client:
        assert list(client.frames()) == []
        assert client.protocol.close_code == 1006
    worker.program.wait_for_line("closed with 1006")


def test_a_worker_that_is_gone_is_502_or_503_and_a_new_one_is_found(
    stack: ExitStack, start_proxy: StartProxy, trust: ssl.SSLContext, kind: str
) -> None:
    with service(**TRUSTED) as first:
        port = first.port
        proxy = start_proxy(kind, port)
        with websocket(tls(proxy.https_port, trust)) as client:
            assert client.ask("one") == "one"
    gone = refusal(tls(proxy.https_port, trust), "/wss")
    assert gone.status_code == {"nginx": 502, "apache": 503}[kind]
    stack.enter_context(service(port=port, **TRUSTED))
    with websocket(tls(proxy.https_port, trust)) as client:
        assert client.ask("two") == "two"


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
        proxy.reload()
        with websocket(tls_when_trusted(proxy.https_port, trusts_new)) as new:
            assert new.ask("two") == "two"
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
    assert answer.startswith("HTTP/1.1 301 ")
    assert re.search(r"(?mi)^location: https://domain\.com/page\?x=1\r$", answer)


def test_the_place_of_acme_is_not_redirected(proxy: Proxy) -> None:
    answer = http_get(tcp(proxy.http_port), "/.well-known/acme-challenge/no-such-token")
    assert answer.startswith("HTTP/1.1 404 ")


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page in one language."""
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"))


def test_the_page_shows_the_configuration_that_is_tested(kind: str) -> None:
    tested = (HOWTO / kind / "wss.conf").read_text(encoding="utf-8")
    assert tested in blocks(HOWTO / f"behind-{kind}.md", kind)


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
