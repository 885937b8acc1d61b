"""Certificates from a real authority, Pebble, for workers that run."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from e2e.support.pebble import DOMAIN, Pebble, pebble
from kit.program import Program, free_ports
from kit.waiting import DEADLINE
from lineman import ConfigError, Connection, Worker
from lineman.cli.main import main
from lineman.testing.client import RawClient
from lineman.testing.serving import Serving
from lineman.tls.acme.acme_store import AcmeState, AcmeStore
from lineman.tls.acme.renewal_schedule import Window

APP = Path(__file__).parent / "apps" / "acme.py"


@pytest.fixture
def ports() -> list[int]:
    """Where Pebble validates: http-01, and tls-alpn-01."""
    return free_ports(2)


@pytest.fixture
def authority(tmp_path: Path, ports: list[int]) -> Iterator[Pebble]:
    with pebble(tmp_path, http_port=ports[0], tls_port=ports[1]) as found:
        yield found


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The state directory."""
    return tmp_path / "state"


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level("INFO", "lineman")
    return caplog


def echo(port: int, **options: Any) -> Worker:
    worker = Worker(f"wss://127.0.0.1:{port}", **{"domains": [DOMAIN], **options})
    worker.on_message = lambda connection, message: connection.send(message)
    return worker


def served(port: int, trust: ssl.SSLContext) -> str:
    """Serial of the certificate that a client who verifies it is shown."""
    plain = socket.create_connection(("127.0.0.1", port), DEADLINE)
    with trust.wrap_socket(plain, server_hostname=DOMAIN) as tls:
        found = tls.getpeercert()
        assert found is not None
        return str(found["serialNumber"])


def wait_until(is_so: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while not is_so():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)


def make_due(store: AcmeStore) -> None:
    """Replaces the stored certificate by one whose renewal is due."""
    past = datetime.now(UTC) - timedelta(hours=1)
    later = datetime.now(UTC) + timedelta(days=1)
    window = Window(past - timedelta(hours=1), past)
    state = store.state()
    store.save_state(
        AcmeState(next_at=past, window=window, ask_at=later, not_after=state.not_after)
    )


# The first certificate.


def test_an_address_is_proved_by_its_name_in_the_reverse_dns(
    authority: Pebble, ports: list[int], root: Path, log: pytest.LogCaptureFixture
) -> None:
    acme = authority.options(root, challenges=["tls-alpn-01"], http_port=None)
    with (
        Serving(echo(ports[1], acme=acme, domains=["127.0.0.1"])) as serving,
        RawClient(serving.port, tls=authority.trust(), server_hostname="127.0.0.1") as client,
    ):
        client.open()
    assert "127.0.0.1: answering tls-alpn-01" in log.text


def test_the_first_certificate_comes_through_the_workers_own_port(
    authority: Pebble, ports: list[int], root: Path, log: pytest.LogCaptureFixture
) -> None:
    with Serving(echo(ports[1], acme=authority.options(root))) as serving:
        assert served(serving.port, authority.trust())
        with RawClient(serving.port, tls=authority.trust(), server_hostname=DOMAIN) as client:
            client.open()
            client.send("hello")
            assert client.receive() == "hello"
    assert "waiting for the first certificate for chat.example.net" in log.text
    assert f"{DOMAIN}: answering tls-alpn-01" in log.text
    assert "you agree to the terms of" in log.text
    assert authority.orders == 1


def test_a_port_of_lines_proves_its_name_by_itself(
    authority: Pebble, ports: list[int], root: Path
) -> None:
    """tls-alpn-01 is answered where clients speak lines in TLS."""
    worker = Worker(f"text://127.0.0.1:{ports[1]}", acme=authority.options(root), domains=[DOMAIN])
    worker.on_message = lambda connection, line: connection.send(line)
    with Serving(worker) as serving:
        trust = authority.trust()
        with RawClient(serving.port, tls=trust, server_hostname=DOMAIN) as client:
            client.send_bytes(b"hello\n")
            assert client.receive_bytes() == b"hello\n"
    assert worker.url == f"text+tls://127.0.0.1:{ports[1]}"


def test_a_worker_that_begins_tls_in_mid_connection_gets_its_certificate_by_http(
    authority: Pebble, ports: list[int], root: Path
) -> None:
    acme = authority.options(root, challenges=["http-01"], http_port=ports[0])
    worker = Worker("text://127.0.0.1:0", acme=acme, domains=[DOMAIN], start_tls=True)
    worker.on_message = ask_for_tls
    with Serving(worker) as serving, RawClient(serving.port) as client:
        client.send_bytes(b"STARTTLS\n")
        assert client.receive_bytes() == b"ready\n"
        client.start_tls(authority.trust(), DOMAIN).send_bytes(b"hello\n")
        assert client.receive_bytes() == b"TLSv1.3\n"


def ask_for_tls(connection: Connection, line: str) -> None:
    connection.send(connection.tls_version or "ready")
    if connection.tls is None:
        connection.start_tls()


def test_the_first_certificate_comes_by_http_and_http_is_sent_on_to_https(
    authority: Pebble, ports: list[int], root: Path
) -> None:
    acme = authority.options(root, challenges=["http-01"], http_port=ports[0])
    with Serving(echo(0, acme=acme)) as serving:
        assert served(serving.port, authority.trust())
        link = http.client.HTTPConnection("127.0.0.1", ports[0], timeout=DEADLINE)
        link.request("GET", "/room?name=a", headers={"Host": DOMAIN})
        reply = link.getresponse()
        link.close()
        assert reply.status == 308
        where = reply.getheader("Location")
        assert where == f"https://{DOMAIN}:{serving.port}/room?name=a"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", ports[0]), DEADLINE).close()


@pytest.fixture
def web(tmp_path: Path, ports: list[int]) -> Iterator[Path]:
    """The document root of a web server that has the http port."""
    root = tmp_path / "www"
    root.mkdir()

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(root))

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", ports[0]), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield root
        server.shutdown()
        thread.join()


def test_a_port_that_is_taken_is_told_and_the_other_challenge_is_tried(
    authority: Pebble, ports: list[int], root: Path, web: Path, log: pytest.LogCaptureFixture
) -> None:
    acme = authority.options(root, challenges=["http-01", "tls-alpn-01"], http_port=ports[0])
    with Serving(echo(ports[1], acme=acme)) as serving:
        assert served(serving.port, authority.trust())
    assert f"cannot listen on ws://127.0.0.1:{ports[0]}: address already in use" in log.text
    assert "webroot=" in log.text
    assert "http-01 does not work" in log.text
    assert "trying tls-alpn-01" in log.text


def test_a_web_server_that_has_the_port_answers_with_files_in_its_root(
    authority: Pebble, root: Path, web: Path
) -> None:
    acme = authority.options(root, challenges=["http-01"], webroot=web)
    with Serving(echo(0, acme=acme)) as serving:
        assert served(serving.port, authority.trust())
    assert list((web / ".well-known" / "acme-challenge").iterdir()) == []


def test_names_together_are_one_certificate(
    authority: Pebble, ports: list[int], root: Path
) -> None:
    worker = echo(ports[1], acme=authority.options(root))
    worker.domains = [DOMAIN, "www.example.net", "api.example.net"]
    with Serving(worker) as serving:
        plain = socket.create_connection(("127.0.0.1", serving.port), DEADLINE)
        with authority.trust().wrap_socket(plain, server_hostname="api.example.net") as tls:
            found = tls.getpeercert()
    assert found is not None
    assert {name for _, name in found["subjectAltName"]} == set(worker.domains)


# Renewal.


def test_a_certificate_that_is_there_is_served_without_asking_anybody(
    authority: Pebble, ports: list[int], root: Path
) -> None:
    with Serving(echo(ports[1], acme=authority.options(root))) as serving:
        first = served(serving.port, authority.trust())
    before = len(authority.program.output)
    with Serving(echo(ports[1], acme=authority.options(root))) as serving:
        assert served(serving.port, authority.trust()) == first
    assert "POST" not in authority.program.output[before:]


def test_a_certificate_is_renewed_while_clients_talk(
    authority: Pebble, ports: list[int], root: Path, log: pytest.LogCaptureFixture
) -> None:
    acme, trust = authority.options(root), authority.trust()
    with Serving(echo(ports[1], acme=acme)) as serving:
        first = served(serving.port, trust)
    make_due(AcmeStore(authority.settings(root)))
    with (
        Serving(echo(ports[1], acme=acme)) as serving,
        RawClient(serving.port, tls=trust, server_hostname=DOMAIN) as client,
    ):
        client.open()
        count = 0
        while served(serving.port, trust) == first:
            client.send(str(count))
            assert client.receive() == str(count)
            count += 1
        client.send("still here")
        assert client.receive() == "still here"
    assert "new certificate for chat.example.net" in log.text
    assert authority.orders == 2


def test_every_process_answers_the_authority_and_serves_the_new_certificate(
    authority: Pebble, ports: list[int], root: Path
) -> None:
    """The kernel chooses the process that the authority connects to."""
    acme = {
        "email": "you@example.com", "ca": authority.url, "ca_file": str(authority.ca_file),
        "directory_path": str(root), "challenges": ["tls-alpn-01"], "http_port": None,
    }  # fmt: skip
    env = {
        "SERVICE_PORT": str(ports[1]),
        "SERVICE_OPTIONS": json.dumps({"acme": acme, "domains": [DOMAIN], "count": 3}),
    }
    program = Program("acme.py", [sys.executable, APP], env=env)
    try:
        program.wait_for_line("listening on", count=3)
        trust = authority.trust()
        first = served(ports[1], trust)
        with RawClient(ports[1], tls=trust, server_hostname=DOMAIN) as client:
            client.open()
            assert main(["cert", "renew", "--force", "--directory", str(root), DOMAIN]) == 0
            program.wait_for_line("serving a new certificate", count=3)
            assert first not in {served(ports[1], trust) for _ in range(20)}
            client.send("still here")
            assert client.receive() == "still here"
        assert authority.orders == 2
    finally:
        program.stop()


def test_an_authority_that_is_down_is_no_harm_to_who_is_served(
    authority: Pebble, ports: list[int], root: Path, log: pytest.LogCaptureFixture
) -> None:
    acme, trust = authority.options(root), authority.trust()
    with Serving(echo(ports[1], acme=acme)) as serving:
        first = served(serving.port, trust)
    store = AcmeStore(authority.settings(root))
    make_due(store)
    authority.program.stop()
    with Serving(echo(ports[1], acme=acme)) as serving:
        wait_until(lambda: "no new certificate" in log.text, "the line in the log")
        assert served(serving.port, trust) == first
    assert "cannot be reached" in log.text
    assert "the old certificate is still served" in log.text
    state = store.state()
    assert state.failures == 1
    assert state.failed_at is not None
    assert state.next_at is not None
    assert timedelta(minutes=1) <= state.next_at - state.failed_at <= timedelta(minutes=1.1)


# What goes wrong at the start.


def test_a_start_that_gets_no_certificate_says_why_and_the_next_one_keeps_quiet(
    authority: Pebble, root: Path
) -> None:
    """Pebble validates at a closed port. A loop of restarts must not ask it each time."""
    acme = authority.options(root, start_timeout=30)
    for _ in range(2):
        with pytest.raises(ConfigError) as caught, Serving(echo(0, acme=acme)):
            pass
        text = str(caught.value)
        assert "there is no certificate for chat.example.net" in text
        assert "Failed to connect to 127.0.0.1" in text
        assert "open the firewall" in text
        assert "The next attempt is not before" in text
        assert "lineman cert obtain" in text
    assert authority.orders == 1


def test_a_start_ends_at_once_when_it_is_told_to(tmp_path: Path, root: Path) -> None:
    """Nothing listens at the authority's address, and the first wait is not over yet."""
    (port,) = free_ports(1)
    acme = {
        "email": "", "ca": f"https://127.0.0.1:{port}/dir", "directory_path": str(root),
        "challenges": ["tls-alpn-01"], "http_port": None, "start_timeout": 600,
    }  # fmt: skip
    env = {
        "SERVICE_PORT": "0",
        "SERVICE_OPTIONS": json.dumps({"acme": acme, "domains": [DOMAIN], "count": 1}),
    }
    program = Program("acme.py", [sys.executable, APP], env=env)
    try:
        program.wait_for_line("no new certificate for chat.example.net")
        program.signal(signal.SIGTERM)
        assert program.process.wait(DEADLINE) == 0
    finally:
        program.stop()
