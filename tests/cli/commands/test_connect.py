"""`lineman connect`, in pipes and at a terminal, against real servers."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from websockets.sync.server import ServerConnection, serve

from cli.connecting import server
from cli.running import running
from kit.program import free_ports
from kit.waiting import DEADLINE
from lineman.testing.certificates import TestCA
from lineman.tls.development import devca

LINEMAN = [sys.executable, "-m", "lineman", "connect"]


def talk(words: list[str], said: str | bytes = "") -> subprocess.CompletedProcess[str]:
    """Its output for this standard input, and its exit status."""
    data = said if isinstance(said, bytes) else said.encode()
    done = subprocess.run(
        [*LINEMAN, *words], input=data, capture_output=True, timeout=DEADLINE, check=False
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


# Pipes.


def test_every_line_is_a_message_and_every_message_a_line(url: str) -> None:
    done = talk([f"{url}/", "--count", "4"], "one\n\n  two \r\nlast without an end")
    assert done.stdout == "one\n\n  two \nlast without an end\n"
    assert (done.returncode, done.stderr) == (0, "")


def test_after_the_end_of_the_input_answers_are_waited_for(url: str) -> None:
    began = time.monotonic()
    done = talk([f"{url}/", "--wait", "0.3"], "x\n")
    assert (done.stdout, done.returncode) == ("x\n", 0)
    assert time.monotonic() - began >= 0.3


def test_binary_is_sent_as_it_is_and_shown_in_hexadecimal(url: str) -> None:
    assert talk([f"{url}/", "--binary", "--count", "1"], b"\xff\x00a\n").stdout == "ff0061\n"
    assert talk([f"{url}/", "--hex", "--count", "2"], "00 ff\n0102\n").stdout == "00ff\n0102\n"


@pytest.mark.parametrize(
    ("words", "line", "seen"), [(["--hex"], b"zz", "not hexadec"), ([], b"\xff", "--binary")]
)
def test_a_line_that_cannot_be_sent_is_told_and_shows_in_the_status(
    url: str, words: list[str], line: bytes, seen: str
) -> None:
    done = talk([f"{url}/", *words, "--wait", "0.1"], line + b"\n")
    assert (done.stdout, done.returncode) == ("", 1)
    assert "not sent: " in done.stderr
    assert seen in done.stderr


def test_a_large_message_goes_both_ways(url: str) -> None:
    text = "x" * 3_000_000
    assert talk([f"{url}/", "--count", "1"], text + "\n").stdout == text + "\n"


def test_compression_is_offered_unless_it_is_turned_off(url: str) -> None:
    lines = "".join(f"{number} {'again and ' * 50}\n" for number in range(3))
    done = talk([f"{url}/", "-v", "--count", "3"], lines)
    assert done.stdout == lines
    assert done.stderr.lower().count("sec-websocket-extensions: permessage-deflate") == 2
    done = talk([f"{url}/", "-v", "--count", "3", "--no-compression"], lines)
    assert done.stdout == lines
    assert "extensions" not in done.stderr.lower()


def test_a_close_code_is_in_words_and_in_the_status(url: str) -> None:
    done = talk([f"{url}/goodbye", "--wait", "30"], "x\n")
    assert done.stderr == "closed by the server: 4001 (enough)\n"
    assert done.returncode == 1


def test_a_line_that_is_lost_is_1006(url: str) -> None:
    done = talk([f"{url}/drop", "--wait", "30"], "x\n")
    assert "lost: 1006 " in done.stderr
    assert done.returncode == 1


def test_verbose_shows_both_heads_and_what_took_how_long(url: str) -> None:
    words = [f"{url}/", "-v", "--count", "1", "-H", "X-One: 1", "--subprotocol", "chat"]
    done = talk([*words, "--origin", "http://localhost"], "hi\n")
    for line in (
        r"> GET / HTTP/1\.1",
        r"> X-One: 1",
        r"> Origin: http://localhost",
        r"< HTTP/1\.1 101",
        r"< Sec-WebSocket-Protocol: chat",
        r"\* no TLS; name [\d.]+ m?s, TCP [\d.]+ m?s, handshake [\d.]+ m?s",
        r"text, 2 long, at [\d.e-]+ m?s, [\d.e-]+ m?s after ours",
        r"closed: 1000 normal closure",
    ):
        assert re.search(rf"(?m)^{line}$", done.stderr), (line, done.stderr)
    assert done.stdout == "hi\n"


def test_tls_is_verified_unless_told_otherwise(secure_url: str, ca: TestCA) -> None:
    refused = talk([f"{secure_url}/"], "x\n")
    assert refused.returncode == 1
    assert "is not trusted" in refused.stderr
    assert "--ca FILE" in refused.stderr
    trusted = talk([f"{secure_url}/", "--ca", str(ca.ca_path), "--count", "1", "-v"], "x\n")
    assert (trusted.stdout, trusted.returncode) == ("x\n", 0)
    assert "* TLSv1.3 TLS_AES" in trusted.stderr
    assert talk([f"{secure_url}/", "--insecure", "--count", "1"], "x\n").stdout == "x\n"


@pytest.mark.parametrize(
    ("path", "words", "seen"),
    [
        ("/members", [], "HTTP 403 (members only)"),
        ("/nowhere", ["-v"], "< HTTP/1.1 404"),
    ],
)
def test_a_refusal_says_what_the_server_said(
    url: str, path: str, words: list[str], seen: str
) -> None:
    done = talk([f"{url}{path}", *words], "x\n")
    assert (done.stdout, done.returncode) == ("", 1)
    assert seen in done.stderr
    assert "fix: " in done.stderr


def test_a_header_opens_the_door(url: str) -> None:
    assert talk([f"{url}/members", "-H", "X-Ticket: 7", "--count", "1"], "x\n").stdout == "x\n"


def test_where_nothing_listens_and_where_nothing_answers_is_told(url: str) -> None:
    (port,) = free_ports(1)
    assert "connection refused" in talk([f"ws://127.0.0.1:{port}/"], "x\n").stderr
    with socket.create_server(("127.0.0.1", 0)) as silent:
        done = talk([f"ws://127.0.0.1:{silent.getsockname()[1]}/", "--timeout", "0.3"], "x\n")
    assert done.returncode == 1
    assert "did not open a websocket" in done.stderr
    assert "ws://" in talk([f"{url.replace('ws', 'wss')}/"], "x\n").stderr


@pytest.mark.parametrize(
    "words",
    [["http://x/"], ["ws://x/", "-H", "A: b\nc: d"], ["ws://x/", "--subprotocol", "a b"]],
)
def test_what_makes_no_sense_is_status_2(words: list[str]) -> None:
    assert talk(words).returncode == 2


def test_a_reader_that_leaves_ends_it_quietly(url: str) -> None:
    command = " ".join([*LINEMAN, f"{url}/", "--wait", "30"])
    done = subprocess.run(
        ["bash", "-c", f"yes | {command} | head -2; exit ${{PIPESTATUS[1]}}"],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.stdout == "y\ny\n"
    assert done.returncode in (0, 1)  # our output went, or the line broke first under the flood
    assert "Traceback" not in done.stderr


def test_pings_are_answered_and_shown_when_asked_for() -> None:
    def act(connection: ServerConnection) -> None:
        assert connection.ping("are you there").wait(DEADLINE)
        connection.send("thanks")
        connection.recv()

    with server(act) as url:
        done = talk([url, "-v", "--count", "1"])
    assert "ping b'are you there', answered" in done.stderr
    assert done.stdout == "thanks\n"


def test_a_server_that_breaks_the_protocol_is_told_so() -> None:
    def act(connection: ServerConnection) -> None:
        connection.socket.sendall(b"\xf1\x00")  # reserved bits
        connection.close_socket()

    with server(act) as url:
        done = talk([url, "--wait", "30"])
    assert "the server broke the protocol" in done.stderr
    assert done.returncode == 1


def test_in_a_pipe_no_more_messages_are_shown_than_were_asked_for() -> None:
    def burst(connection: ServerConnection) -> None:
        connection.recv()
        with contextlib.suppress(OSError):
            connection.socket.sendall(b"".join(b"\x81\x01%d" % number for number in range(9)))
        with contextlib.suppress(Exception):
            connection.recv()

    with serve(burst, "127.0.0.1", 0, compression=None) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}/"
        done = talk([url, "--count", "3"], "go\n")
        server.shutdown()
    assert (done.stdout, done.returncode) == ("0\n1\n2\n", 0)


def test_the_authority_of_tls_dev_is_named_where_it_is_on_this_machine(
    secure_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert "dev" not in talk([f"{secure_url}/"], "x\n").stderr
    made = devca.development_certificate(tmp_path / "lineman" / "dev")
    with running("wss", made.cert, made.key) as found:
        refused = talk([f"{found.url}/"], "x\n")
        assert f'for tls="dev" of this machine: --ca {made.ca}' in refused.stderr
        words = [f"{found.url}/", "--ca", str(made.ca), "--count", "1"]
        assert talk(words, "x\n").stdout == "x\n"
