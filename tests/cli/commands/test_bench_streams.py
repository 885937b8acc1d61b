"""`lineman bench` of services that speak `text://`, `frame://`, `tcp://` or `udp://`."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from cli.benching import Bench, answered, assert_good, serving
from kit.program import free_ports
from kit.waiting import DEADLINE
from lineman import Connection, Worker
from lineman.testing.certificates import IssuedPair
from lineman.testing.serving import Serving

PROTOCOLS = ("text", "frame", "tcp")

Start = Callable[..., AbstractContextManager[str]]


@pytest.fixture(params=["plain", "tls", "unix", "tls+unix"])
def start(request: pytest.FixtureRequest, pair: IssuedPair, tmp_path: Path) -> Start:
    """Starts a worker on each kind of address."""

    def make(protocol: str, **options: Any) -> AbstractContextManager[str]:
        scheme, place = protocol, "localhost:0"
        if "tls" in request.param:
            scheme += "+tls"
            options |= {"cert": pair.cert, "key": pair.key}
        if "unix" in request.param:
            scheme, place = f"{scheme}+unix", str(tmp_path / "s")
        return serving(scheme, place, **options)

    return make


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_our_worker_answers_everything_on_every_kind_of_address(
    bench: Bench, start: Start, protocol: str
) -> None:
    with start(protocol) as url:
        words = ["--json", "--insecure", "--connections", "4", "--depth", "3"]
        values = assert_good(bench(url, *words))
        assert values["url"] == url
        assert answered(values) >= 12
        assert (values["opened"], values["close_codes"]) == (4, {})
        assert bool(values["tls"]) == ("+tls" in url)
        values = assert_good(bench(url, *words, "--mode", "connect"))
        assert answered(values) > 0
        assert assert_good(bench(url, *words, "--mode", "idle"))["opened"] == 4


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "words",
    [
        ["--depth", "16", "--batch", "--spin"],
        ["--size", "1"],
        ["--size", "300000", "--depth", "2"],
        # Deep enough that a slow machine leaves none of them due and not sent.
        ["--rate", "300", "--depth", "64", "--warmup", "0.05"],
    ],
    ids=" ".join,
)
def test_every_kind_of_load_is_answered(bench: Bench, protocol: str, words: list[str]) -> None:
    with serving(protocol) as url:
        values = assert_good(bench(url, "--json", "--connections", "3", *words))
    assert answered(values) >= 3
    assert values["payload_bytes"] == values["count"] * values["size"]


@pytest.mark.parametrize("protocol", ["text", "frame"])
def test_empty_messages_are_answered_where_there_are_any(bench: Bench, protocol: str) -> None:
    with serving(protocol) as url:
        assert answered(assert_good(bench(url, "--json", "--size", "0"))) > 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_broadcast_reaches_everybody(bench: Bench, protocol: str) -> None:
    worker = Worker(f"{protocol}://127.0.0.1:0")
    worker.on_message = lambda connection, message: worker.broadcast(message)
    with Serving(worker) as running:
        url = f"{protocol}://127.0.0.1:{running.port}"
        words = ["--mode", "broadcast", "--json", "--connections", "5", "--depth", "2"]
        values = assert_good(bench(url, *words))
    assert answered(values) >= 10
    assert values["opened"] == 6


def test_the_report_names_the_service_and_no_websockets(bench: Bench) -> None:
    with serving("text") as url:
        outcome = bench(url, "--connections", "3", "--depth", "2")
    assert outcome.out.startswith(f"{url}  echo, 3 connections, 32 B, 2 in flight, 0.2 s\n")
    assert "close codes" not in outcome.out


def test_connections_are_ended_in_order_with_tls_and_without(bench: Bench, start: Start) -> None:
    codes: set[int] = set()

    def note(connection: Connection, code: int, reason: str) -> None:
        codes.add(code)

    for mode in ("echo", "idle", "connect"):
        with start("frame", on_close=note) as url:
            assert_good(bench(url, "--insecure", "--json", "--mode", mode, "--connections", "2"))
    assert codes == {1000}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_any_reply_takes_whatever_comes(bench: Bench, protocol: str) -> None:
    answer = lambda connection, message: connection.send("ok")  # noqa: E731
    with serving(protocol, on_message=answer) as url:
        values = assert_good(bench(url, "--any-reply", "--json"))
    assert values["payload_bytes"] == 2 * values["count"] > 0


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_wrong_answers_are_found_out(bench: Bench, protocol: str) -> None:
    answer = lambda connection, message: connection.send("x" * len(message))  # noqa: E731
    with serving(protocol, on_message=answer) as url:
        outcome = bench(url, "--connections", "2", "--json")
    assert outcome.status == 1
    assert outcome.json["count"] == 0
    assert "the replies differ from the sent messages" in outcome.json["failures"]


def test_a_greeting_does_not_disturb(bench: Bench) -> None:
    with serving("text", on_connect=lambda connection: connection.send("welcome")) as url:
        values = assert_good(bench(url, "--json", "--connections", "4"))
    assert values["other_messages"] == 4


# What goes wrong.


def test_a_service_that_ends_connections_is_reported(bench: Bench) -> None:
    with serving("text", on_message=lambda connection, message: connection.close()) as url:
        outcome = bench(url, "--connections", "3", duration="30")
    assert outcome.status == 1
    assert "3 × closed by the server; fix: see the service's log" in outcome.out


def test_a_service_that_breaks_the_protocol_is_reported(bench: Bench) -> None:
    def answer(connection: Connection, message: str | bytes) -> None:
        connection.send(b"\x00\x00\x00\x01")

    with serving("tcp", on_message=answer) as url:
        outcome = bench(url.replace("tcp", "frame"), "--connections", "1", duration="30")
    assert outcome.status == 1
    assert "the server broke the protocol: a frame's length is 1" in outcome.out


@contextmanager
def deaf() -> Iterator[str]:
    """A server that never ends a connection."""
    kept: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    kept.append(listener.accept()[0])

        thread = threading.Thread(target=accept)
        thread.start()
        yield f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(DEADLINE)
        for one in kept:
            one.close()


def test_a_service_that_never_ends_its_half_cannot_be_measured_with_connect(bench: Bench) -> None:
    with deaf() as url:
        outcome = bench(url, "--mode", "connect", "--connections", "1", "--timeout", "0.2")
        assert outcome.status == 1
        assert "did not end a connection after its client had ended it; fix: --mode" in outcome.out
        assert_good(bench(url, "--mode", "idle", "--connections", "2", "--json"))


def test_a_client_that_waits_too_long_gives_up(bench: Bench) -> None:
    with deaf() as url:
        outcome = bench(url, "--connections", "2", "--timeout", "0.2", "--json", duration="30")
    assert outcome.status == 1
    assert outcome.json["failures"] == {"no answer within 0.2 s": 2}


def test_a_tls_client_on_a_plain_port_is_told_so(bench: Bench) -> None:
    with serving("text") as url:
        outcome = bench(url.replace("text", "text+tls"), "--timeout", "1")
    assert outcome.status == 1
    assert "if the port speaks text, use text://" in outcome.err or (
        "does not speak TLS; fix: use text://" in outcome.err
    )


def test_a_plain_client_on_a_tls_port_is_told_to_write_tls(bench: Bench, pair: IssuedPair) -> None:
    with serving("text+tls", cert=pair.cert, key=pair.key) as url:
        outcome = bench(url.replace("+tls", ""), "--connections", "1", duration="30")
    assert outcome.status == 1
    assert "if its port speaks TLS, write +tls behind the scheme" in outcome.out


def test_a_certificate_that_is_not_trusted_is_explained(bench: Bench, pair: IssuedPair) -> None:
    with serving("text+tls", "localhost:0", cert=pair.cert, key=pair.key) as url:
        outcome = bench(url)
    assert outcome.status == 1
    assert "the certificate of localhost is not trusted: " in outcome.err


def test_a_service_that_is_not_there_is_named(bench: Bench, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    outcome = bench(f"text://127.0.0.1:{port}")
    assert f"nothing listens on 127.0.0.1, port {port}: connection refused; fix:" in outcome.err
    outcome = bench(f"text+unix://{tmp_path}/s")
    assert f"there is no socket {tmp_path}/s; fix: check the path" in outcome.err
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(f"{tmp_path}/s")
    outcome = bench(f"text+unix://{tmp_path}/s")
    assert f"nothing listens on {tmp_path}/s: connection refused; fix: start" in outcome.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["text://localhost"], "no port"),
        (["text://localhost:0"], "no port that a client can connect to"),
        (["text:localhost:80"], "write text://localhost:80"),
        (["text://localhost:80/room"], "has a path, /room, which text:// cannot send"),
        (["text+unix://s"], "no absolute path"),
        (
            ["text://localhost:80", "--text"],
            "--text is for websockets: text:// does not have kinds",
        ),
        (["frame://localhost:80", "--binary"], "leave --binary out"),
        (["tcp://localhost:80", "--header", "A: b"], "tcp:// does not have a handshake"),
        (["tcp://localhost:80", "--origin", "https://x"], "--origin is for websockets"),
        (["tcp://localhost:80", "--subprotocol", "x"], "--subprotocol is for websockets"),
        (["tcp://localhost:80", "--size", "0"], "--size 0 sends nothing over tcp://"),
        (["tcp://localhost:80", "--any-reply", "--depth", "2"], "leave --depth out"),
        (["text://localhost:80", "--mode", "idle", "--rate", "5"], "leave --rate out"),
        (["udp://localhost:80", "--mode", "idle"], "--mode idle needs connections"),
        (["udp://localhost:80", "--mode", "connect"], "udp:// has none; use --mode echo"),
        (["udp://localhost:80", "--mode", "broadcast"], "--mode broadcast needs connections"),
        (["udp://localhost:80", "--size", "65508"], "does not fit into a datagram; 65507"),
        (["udp+unix:///run/s"], "write udp://"),
        (["udp+tls://localhost:80"], "write udp://"),
    ],
)
def test_what_makes_no_sense_ends_with_status_2(bench: Bench, words: list[str], said: str) -> None:
    outcome = bench(words[0], *words[1:])
    assert outcome.status == 2
    assert said in outcome.err


def test_a_slash_behind_the_port_does_no_harm(bench: Bench) -> None:
    with serving("text") as url:
        assert_good(bench(f"{url}/", "--json", "--connections", "1"))
