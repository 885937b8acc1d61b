"""`lineman bench` against real servers: one of ours, and one that is not."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve

from cli.running import Service, running
from kit.descriptors import descriptors, wait_until_none_is_left
from kit.program import free_ports
from kit.waiting import DEADLINE
from lineman.cli.load import engine as engines
from lineman.cli.main import main
from lineman.testing.certificates import IssuedPair, TestCA


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    """Our worker, without TLS."""
    with running("ws") as found:
        yield found


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> TestCA:
    return TestCA(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def pair(ca: TestCA) -> IssuedPair:
    return ca.issue(["localhost"])


@pytest.fixture(scope="module")
def tls_service(pair: IssuedPair) -> Iterator[Service]:
    """Our worker, with TLS."""
    with running("wss", pair.cert, pair.key) as found:
        yield found


@contextmanager
def other(pair: IssuedPair | None = None) -> Iterator[str]:
    """An echo by the `websockets` package."""

    def echo(connection: ServerConnection) -> None:
        for message in connection:
            connection.send(message)

    context = None
    if pair is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.cert, pair.key)
    with serve(echo, "127.0.0.1", 0, ssl=context, compression=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        scheme = "ws" if pair is None else "wss"
        yield f"{scheme}://localhost:{server.socket.getsockname()[1]}/"
        server.shutdown()
        thread.join(DEADLINE)


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        values: dict[str, Any] = json.loads(self.out)
        return values


class Bench:
    """Runs the command in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, url: str, *words: str, duration: str = "0.2") -> Outcome:
        self._capsys.readouterr()
        status = main(["bench", url, "--duration", duration, *words])
        return Outcome(status, *self._capsys.readouterr())


@pytest.fixture
def bench(capsys: pytest.CaptureFixture[str]) -> Bench:
    return Bench(capsys)


def answered(values: dict[str, Any]) -> int:
    """How many were answered in all: also those whose answer came after the end."""
    return sum(count for _, _, count in values["histogram_us"])


def assert_good(outcome: Outcome) -> dict[str, Any]:
    assert outcome.status == 0, outcome
    values = outcome.json
    assert values["failures"] == {}
    assert values["unanswered"] == 0
    return values


# Echo.


@pytest.mark.parametrize(
    "words",
    [
        ["--connections", "1"],
        ["--connections", "20", "--text"],
        ["--connections", "5", "--depth", "16"],
        ["--connections", "5", "--depth", "16", "--batch", "--spin"],
        ["--connections", "3", "--size", "0"],
        ["--connections", "3", "--size", "126", "--warmup", "0.05"],
        ["--connections", "2", "--depth", "4", "--size", "300000"],
    ],
    ids=" ".join,
)
def test_our_worker_answers_everything(bench: Bench, service: Service, words: list[str]) -> None:
    values = assert_good(bench(service.url, "--json", *words))
    connections = int(words[1])
    assert answered(values) >= connections
    assert values["opened"] == connections
    assert values["close_codes"] == {"1000": connections}
    assert 0 < values["latency_us"]["p50"] <= values["latency_us"]["p99"]
    assert values["payload_bytes"] == values["count"] * values["size"]


def test_our_worker_answers_everything_over_tls(
    bench: Bench, tls_service: Service, ca: TestCA
) -> None:
    words = ["--connections", "5", "--depth", "2", "--size", "70000", "--ca", str(ca.ca_path)]
    values = assert_good(bench(tls_service.url, "--json", *words))
    assert values["tls"].startswith("TLSv1.3 ")
    assert answered(values) >= 10


def test_another_server_answers_everything(bench: Bench) -> None:
    with other() as url:
        assert answered(assert_good(bench(url, "--json", "--connections", "5"))) >= 5


def test_another_server_answers_everything_over_tls(
    bench: Bench, pair: IssuedPair, ca: TestCA
) -> None:
    with other(pair) as url:
        words = ["--connections", "3", "--size", "40000", "--ca", str(ca.ca_path)]
        assert answered(assert_good(bench(url, "--json", *words))) >= 3


def test_the_report_is_for_people(bench: Bench, service: Service) -> None:
    outcome = bench(service.url, "--connections", "3")
    assert outcome.status == 0
    assert outcome.out.startswith(f"{service.url}/  echo, 3 connections, 32 B binary, 0.2 s\n")
    assert "█" * 40 in outcome.out
    assert "  failures        none\n" in outcome.out
    assert outcome.err.startswith("connecting …\n")
    assert "echo …\n" in outcome.err


def test_a_greeting_does_not_disturb(bench: Bench, service: Service) -> None:
    values = assert_good(bench(f"{service.url}/greeting", "--json", "--connections", "4"))
    assert values["other_messages"] == 4
    assert answered(values) >= 4


def test_a_rate_is_kept(bench: Bench, service: Service) -> None:
    words = ["--json", "--connections", "4", "--depth", "100", "--rate", "200"]
    values = assert_good(bench(service.url, *words, duration="0.5"))
    assert 1 <= answered(values) <= 101


def test_the_servers_cpu_time_is_measured(bench: Bench, service: Service) -> None:
    values = assert_good(bench(service.url, "--json", "--pid", str(service.pid), duration="0.3"))
    assert 0 < values["server_cpu_us_each"] < 100_000


def test_headers_and_subprotocols_are_sent(bench: Bench, service: Service) -> None:
    words = ["--header", "X-Ticket: 7", "--subprotocol", "chat", "--json", "--connections", "2"]
    assert assert_good(bench(f"{service.url}/members", *words))["subprotocol"] == "chat"


# The other modes.


def test_idle_opens_and_holds(bench: Bench, service: Service) -> None:
    values = assert_good(bench(service.url, "--mode", "idle", "--json", "--connections", "50"))
    assert values["opened"] == 50
    assert values["close_codes"] == {"1000": 50}


def test_connect_opens_and_closes_again_and_again(bench: Bench, service: Service) -> None:
    words = ["--mode", "connect", "--json", "--connections", "4"]
    values = assert_good(bench(service.url, *words, duration="0.3"))
    assert answered(values) > 0
    assert set(values["close_codes"]) == {"1000"}


def test_connect_works_over_tls(bench: Bench, tls_service: Service) -> None:
    words = ["--mode", "connect", "--json", "--connections", "2", "--insecure"]
    assert_good(bench(tls_service.url, *words, duration="0.3"))


def test_connect_keeps_a_rate(bench: Bench, service: Service) -> None:
    words = ["--mode", "connect", "--json", "--connections", "30", "--rate", "50"]
    assert answered(assert_good(bench(service.url, *words, duration="0.3"))) <= 16


def test_a_broadcast_reaches_everybody(bench: Bench, service: Service) -> None:
    words = ["--mode", "broadcast", "--json", "--connections", "10", "--depth", "2"]
    values = assert_good(bench(f"{service.url}/all", *words))
    assert answered(values) >= 20
    assert values["opened"] == 11


# What cannot work is said before anything else.


def test_a_refused_connection_is_explained(bench: Bench) -> None:
    (port,) = free_ports(1)
    outcome = bench(f"ws://127.0.0.1:{port}/")
    assert outcome.status == 1
    assert f"nothing listens on 127.0.0.1, port {port}: connection refused; fix:" in outcome.err
    assert outcome.out == ""


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/members", "HTTP 403 (members only); fix: send what the service asks for"),
        ("/nowhere", "HTTP 404 (no such room); fix: give the path"),
    ],
)
def test_a_refused_handshake_is_explained(
    bench: Bench, service: Service, path: str, words: str
) -> None:
    outcome = bench(service.url + path)
    assert outcome.status == 1
    assert words in outcome.err


def test_a_plain_client_on_a_tls_port_is_told_to_use_wss(
    bench: Bench, tls_service: Service
) -> None:
    outcome = bench(tls_service.url.replace("wss:", "ws:"))
    assert outcome.status == 1
    assert "speaks TLS only (This port speaks TLS" in outcome.err
    assert f"fix: use {tls_service.url}/" in outcome.err


def test_a_plain_client_on_another_servers_tls_port_is_told_so_too(
    bench: Bench, pair: IssuedPair
) -> None:
    with other(pair) as url:
        outcome = bench(url.replace("wss:", "ws:"))
    assert outcome.status == 1
    assert f"use {url}" in outcome.err


def test_a_tls_client_on_a_plain_port_is_told_to_use_ws(bench: Bench, service: Service) -> None:
    outcome = bench(service.url.replace("ws:", "wss:"))
    assert outcome.status == 1
    assert f"does not speak TLS; fix: use {service.url}/" in outcome.err


def test_a_certificate_that_is_not_trusted_is_explained(bench: Bench, tls_service: Service) -> None:
    outcome = bench(tls_service.url)
    assert outcome.status == 1
    assert "the certificate of localhost is not trusted: " in outcome.err
    assert "(--ca FILE), or do not ask (--insecure)" in outcome.err


def test_insecure_trusts_any_certificate(bench: Bench, tls_service: Service) -> None:
    assert_good(bench(tls_service.url, "--insecure", "--json", "--connections", "2"))


def test_a_certificate_for_another_name_is_explained(
    bench: Bench, tls_service: Service, ca: TestCA
) -> None:
    outcome = bench(tls_service.url.replace("localhost", "127.0.0.1"), "--ca", str(ca.ca_path))
    assert outcome.status == 1
    assert "certificate is not valid for '127.0.0.1'" in outcome.err


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_of_authorities_that_is_none_is_named(
    bench: Bench, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    outcome = bench("wss://localhost:1/", "--ca", str(path))
    assert outcome.status == 1
    assert f"cannot use the authorities in {path}: " in outcome.err


def test_a_name_that_nobody_knows_is_explained(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(engines.socket, "getaddrinfo", unknown)
    outcome = bench("ws://nowhere.example/")
    assert outcome.status == 1
    assert "the name nowhere.example is not known" in outcome.err


def test_a_server_that_never_answers_is_given_up(bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        outcome = bench(f"ws://127.0.0.1:{port}/", "--timeout", "0.2")
    assert outcome.status == 1
    assert "did not open a websocket within 0.2 s" in outcome.err


def test_more_connections_than_descriptors_are_refused(
    bench: Bench, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines.resource, "getrlimit", lambda _: (100, 100))
    outcome = bench(service.url, "--connections", "1000")
    assert outcome.status == 1
    assert "1000 connections need 1064 file descriptors, 100 are allowed" in outcome.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["http://localhost/"], "write ws://localhost/"),
        (["ws://localhost/", "--mode", "idle", "--rate", "5"], "leave --rate out"),
        (["ws://localhost/", "--header", "Host: other"], "the header Host"),
    ],
)
def test_options_that_make_no_sense_end_with_status_2(
    bench: Bench, words: list[str], said: str
) -> None:
    outcome = bench(words[0], *words[1:])
    assert outcome.status == 2
    assert said in outcome.err


@pytest.mark.parametrize(
    "words",
    [
        ["--connections", "0"],
        ["--connections", "many"],
        ["--size", "-1"],
        ["--rate", "0"],
        ["--rate", "nan"],
        ["--timeout", "inf"],
        ["--header", "no colon"],
        ["--pid", "1,x"],
        ["--text", "--binary"],
        ["--mode", "swim"],
    ],
    ids=" ".join,
)
def test_values_that_are_none_end_with_status_2(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bench", "ws://localhost/", *words])
    assert ended.value.code == 2
    assert f"argument {words[-1] if words[0] == '--text' else words[0]}" in capsys.readouterr().err


# What goes wrong while it runs.


def test_a_service_that_answers_something_else_is_found_out(
    bench: Bench, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "FUTILE", 0)
    outcome = bench(f"{service.url}/ok", "--connections", "3", duration="30")
    assert outcome.status == 1
    assert "none of them is what was sent; fix: " in outcome.out
    assert "--any-reply" in outcome.out


def test_any_reply_takes_whatever_comes(bench: Bench, service: Service) -> None:
    words = ["--any-reply", "--json", "--connections", "3", "--text"]
    values = assert_good(bench(f"{service.url}/ok", *words))
    assert values["payload_bytes"] == 2 * values["count"]


def test_a_service_that_closes_is_reported_with_its_code_and_reason(
    bench: Bench, service: Service
) -> None:
    outcome = bench(f"{service.url}/goodbye", "--connections", "3", duration="30")
    assert outcome.status == 1
    assert "3 × closed by the server: 4001 (enough); fix:" in outcome.out
    assert "  close codes     4001 × 3\n" in outcome.out
    assert "ended after" in outcome.out


def test_a_service_that_drops_connections_is_reported(bench: Bench, service: Service) -> None:
    outcome = bench(f"{service.url}/drop", "--connections", "3", "--json", duration="30")
    assert outcome.status == 1
    values = outcome.json
    assert values["failures"] == {"connection lost without a close frame": 3}
    assert values["close_codes"] == {"1006": 3}
    assert values["unanswered"] == 3
    assert values["interrupted"]


def test_answers_that_never_come_are_reported(bench: Bench, service: Service) -> None:
    words = ["--connections", "2", "--timeout", "0.2", "--json"]
    values = bench(f"{service.url}/silence", *words).json
    assert values["count"] == 0
    assert values["unanswered"] == 2


def test_a_client_that_waits_too_long_gives_up(bench: Bench, service: Service) -> None:
    words = ["--connections", "2", "--timeout", "0.2", "--json"]
    outcome = bench(f"{service.url}/silence", *words, duration="30")
    assert outcome.status == 1
    assert outcome.json["failures"] == {"no answer within 0.2 s": 2}


def test_ctrl_c_reports_what_was_measured_so_far(service: Service) -> None:
    words = [sys.executable, "-m", "lineman", "bench", service.url, "--duration", "600"]
    with subprocess.Popen(
        [*words, "--connections", "3"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line == "echo …\n":
                break
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, out
    assert "/s, ended after" in out
    assert "close codes     1000 normal closure × 3" in out


def test_no_descriptor_is_left_open(bench: Bench, service: Service) -> None:
    bench(service.url, "--connections", "2")
    before = descriptors()
    bench(service.url, "--connections", "20")
    wait_until_none_is_left(before)
