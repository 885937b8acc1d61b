"""`lineman connect` to services that speak `text://`, `frame://` or `tcp://`."""

from __future__ import annotations

import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cli.benching import serving
from kit.program import free_ports
from kit.waiting import DEADLINE
from lineman import Connection
from lineman.testing.certificates import IssuedPair

PROTOCOLS = ("text", "frame", "tcp")


def talk(*words: str, said: bytes = b"") -> tuple[str, str, int]:
    """Its output, its words on standard error, and its exit status."""
    done = subprocess.run(
        [sys.executable, "-m", "lineman", "connect", *words],
        input=said,
        capture_output=True,
        timeout=DEADLINE,
        check=False,
    )
    return done.stdout.decode(), done.stderr.decode(), done.returncode


@pytest.mark.parametrize("kind", ["plain", "tls", "tls+unix"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_lines_go_and_come_on_every_kind_of_address(
    pair: IssuedPair, tmp_path: Path, protocol: str, kind: str
) -> None:
    scheme, place, options = protocol, "localhost:0", {}
    if "tls" in kind:
        scheme += "+tls"
        options = {"cert": pair.cert, "key": pair.key}
    if "unix" in kind:
        scheme, place = f"{scheme}+unix", str(tmp_path / "s")
    with serving(scheme, place, **options) as url:
        out, err, status = talk(url, "--insecure", "-v", "--count", "1", said="grüße\n".encode())
        assert (out, status) == ("grüße\n", 0), err
        assert ("TLSv1.3" in err) == ("tls" in kind)
        assert talk(url, "--insecure", "--hex", "--count", "1", said=b"00 66\n")[2] == 0


def test_bytes_are_shown_as_they_are_where_they_are_no_text(tmp_path: Path) -> None:
    with serving("frame", "localhost:0") as url:
        assert talk(url, "--hex", "--count", "2", said=b"00ff\n6869\n")[0] == "00ff\n6869\n"
        assert talk(url, "--binary", "--count", "1", said=b"\xff\n")[0] == "ff\n"


def test_its_end_is_the_end_of_the_stream_and_all_answers_come_before() -> None:
    with serving("text", "localhost:0") as url:
        lines = b"".join(b"%d\n" % number for number in range(1000))
        assert talk(url, "--wait", "0.3", said=lines) == (lines.decode(), "", 0)


def hang_up(listener: socket.socket, last: bytes) -> None:
    peer, _ = listener.accept()
    with peer:
        peer.sendall(last)


@pytest.mark.parametrize(
    ("last", "shown", "words", "status"),
    [
        (b"bye\n", "bye\n", "", 0),
        (b"bye\nhal", "bye\n", "the peer ended in the middle of a message: 3 bytes", 1),
        (b"\xff\n", "", "a line that is not UTF-8", 1),
    ],
)
def test_what_the_server_ends_with_is_told(
    last: bytes, shown: str, words: str, status: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        done = pool.submit(hang_up, listener, last)
        out, err, code = talk(f"text://127.0.0.1:{listener.getsockname()[1]}", "--wait", "20")
        done.result(DEADLINE)
    assert (out, code) == (shown, status)
    assert words in err


@pytest.mark.parametrize(
    ("words", "seen"),
    [
        (["text://localhost:{port}"], "nothing listens on localhost, port {port}"),
        (["udp://localhost:9"], "nc -u"),
        (["text://localhost:9", "--origin", "https://a.example"], "--origin is for websockets"),
        (["tcp://localhost:9", "--no-compression"], "--no-compression is for websockets"),
        (["text://localhost:9/path"], "has a path"),
        (["text://localhost"], "port"),
        (["frame+unix:///nowhere/s"], "there is no socket /nowhere/s"),
    ],
)
def test_what_cannot_work_is_told_in_words(words: list[str], seen: str) -> None:
    (port,) = free_ports(1)
    out, err, status = talk(*(word.format(port=port) for word in words))
    assert out == ""
    assert status in (1, 2)
    assert seen.format(port=port) in err
    assert "Traceback" not in err


def test_a_port_without_tls_is_told() -> None:
    with serving("text", "localhost:0") as url:
        _, err, status = talk(url.replace("text://", "text+tls://"), "--insecure")
        assert status == 1
        assert "Traceback" not in err
        assert "localhost" in err


def test_a_service_that_speaks_first_is_heard() -> None:
    def greet(connection: Connection) -> None:
        connection.send("220 hello")

    with serving("text", "localhost:0", on_connect=greet) as url:
        assert talk(url, "--count", "1") == ("220 hello\n", "", 0)


def test_a_websocket_on_a_unix_socket_is_talked_to(pair: IssuedPair, tmp_path: Path) -> None:
    for scheme, options in (("ws", {}), ("wss", {"cert": pair.cert, "key": pair.key})):
        with serving(f"{scheme}+unix", str(tmp_path / scheme), **options) as url:
            trust = ["--insecure"] if options else []
            out, err, status = talk(*trust, "--count", "1", f"{url}:/room", said=b"hello\n")
            assert (out, status) == ("hello\n", 0), err
