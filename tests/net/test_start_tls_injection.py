"""What a client sent in the clear must never count behind the handshake that `start_tls` begins."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import pytest

from kit.mail import READY, Mail, ask, closes, only
from kit.site import Serve, client_hello
from lineman import Connection, Lines

Start = Serve
INJECTED = "plain text behind the message that asked for TLS"


@pytest.mark.parametrize("behind", [b"EVIL\n", b"EVIL", b"\n", b"EVIL\n" * 500, b"\x16\x03\x01"])
@pytest.mark.parametrize("handler", ["on_message", "on_message_later"])
def test_plain_text_behind_the_command_ends_the_connection(
    start: Start, mail: Mail, handler: str, behind: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    site = start(on_message=getattr(mail, handler))
    client = site.connect()
    client.send_bytes(b"STARTTLS\n" + behind)
    client.send_bytes(b"LATE\n")
    client.receive_all()
    client.close()
    assert mail.ends.wait() == [(1002, f"the client sent {INJECTED}")]
    assert mail.heard.calls == [("STARTTLS", False)]
    assert mail.errors.calls == [(4, False)]
    assert INJECTED in caplog.text
    assert "CVE-2011-0411" in caplog.text
    assert closes(site) == {"protocol_error": 1}


def test_so_does_a_hello_that_did_not_wait_for_the_answer(
    start: Start, mail: Mail, client_tls: ssl.SSLContext
) -> None:
    client = start().connect()
    client.send_bytes(b"STARTTLS\n" + client_hello(client_tls))
    assert client.receive_all() == READY
    client.close()
    assert mail.ends.wait()[0][0] == 1002


def test_so_does_what_an_own_protocol_has_not_decoded(start: Start, mail: Mail) -> None:
    site = start("tcp", protocol=Lines(b"\n"))
    for behind in (b"EVIL\n", b"EV"):
        client = site.connect()
        client.send_bytes(b"STARTTLS\n" + behind)
        client.receive_all()
        client.close()
    assert [code for code, _ in mail.ends.wait(2)] == [1002, 1002]
    assert {line for line, _ in mail.heard.calls} == {"STARTTLS"}


@pytest.mark.parametrize("is_first", [True, False])
def test_so_does_what_a_change_of_protocol_would_get(
    start: Start, mail: Mail, is_first: bool
) -> None:
    def change(connection: Connection, line: Any) -> None:
        mail.heard(line)
        if is_first:
            connection.start_tls()
        if connection.is_open:
            connection.protocol = "tcp"
        if not is_first:
            connection.start_tls()

    client = start(on_message=change).connect()
    client.send_bytes(b"STARTTLS\nEVIL\n")
    assert client.receive_all() == b""
    client.close()
    assert mail.ends.wait()[0][0] == 1002
    assert mail.heard.calls == ["STARTTLS"]


def test_a_change_of_protocol_and_tls_go_together(
    start: Start, mail: Mail, client_tls: ssl.SSLContext
) -> None:
    def change(connection: Connection, line: Any) -> None:
        mail.heard(line)
        if connection.tls is None:
            connection.send("220 ready")
            connection.start_tls()
            connection.protocol = Lines(b"|")

    client = start(on_message=change).connect()
    ask(client).start_tls(client_tls)
    client.send_bytes(b"a\nb|")
    assert mail.heard.wait(2) == ["STARTTLS", b"a\nb"]


def test_so_does_what_waits_for_a_coroutine_that_reads(start: Start, mail: Mail) -> None:
    async def read(connection: Connection) -> None:
        async for line in connection:
            mail.heard(line)
            if line == "STARTTLS":
                await asyncio.sleep(0.05)
                assert not connection.start_tls()

    client = start(on_message=None, on_connect=read).connect()
    client.send_bytes(b"EHLO\nSTARTTLS\nEVIL\nMORE\n")
    client.receive_all()
    client.close()
    assert mail.ends.wait()[0][0] == 1002
    assert mail.heard.calls == ["EHLO", "STARTTLS"]


def test_a_coroutine_that_reads_goes_on_in_tls(
    start: Start, mail: Mail, client_tls: ssl.SSLContext
) -> None:
    async def read(connection: Connection) -> None:
        async for line in connection:
            mail.heard(line, connection.tls is not None)
            if line == "STARTTLS":
                connection.send("220 ready")
                assert connection.start_tls()

    client = start(on_message=None, on_connect=read).connect()
    ask(client).start_tls(client_tls)
    client.send_bytes(b"one\n")
    assert mail.heard.wait(2) == [("STARTTLS", False), ("one", True)]


def test_so_does_what_waits_while_the_program_has_paused_it(start: Start, mail: Mail) -> None:
    def pause(connection: Connection, line: str) -> None:
        mail.heard(line)
        connection.pause_recv()

    site = start(on_message=pause)
    client = site.connect()
    client.send_bytes(b"STARTTLS\nEVIL\nMORE\n")
    connection = only(site)
    mail.heard.wait()
    assert not site.call(connection.start_tls)
    client.receive_all()
    client.close()
    assert mail.ends.wait()[0][0] == 1002
    assert mail.heard.calls == ["STARTTLS"]


def test_what_was_decoded_ahead_is_dropped_even_if_the_client_has_gone(
    start: Start, mail: Mail
) -> None:
    may_go_on = asyncio.Event()

    async def wait(connection: Connection, line: str) -> None:
        mail.heard(line)
        await may_go_on.wait()
        mail.heard(connection.start_tls())

    site = start(on_message=wait)
    client = site.connect()
    client.send_bytes(b"STARTTLS\nEVIL\n")
    connection = only(site)
    mail.heard.wait()
    site.call(connection.destroy)
    site.call(may_go_on.set)
    mail.ends.wait()
    assert mail.heard.calls == ["STARTTLS", False]


@pytest.mark.parametrize("first", [b"EVIL\n", b"\0", b"\x80\x2e\x01"])
def test_plain_text_in_place_of_the_handshake_ends_it(
    start: Start, mail: Mail, first: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    site = start()
    client = ask(site.connect())
    client.send_bytes(first)
    assert client.receive_all() == b""
    client.close()
    assert mail.ends.wait() == [(1002, "the client sent plain text in place of its TLS handshake")]
    assert mail.heard.calls == [("STARTTLS", False)]
    assert "in place of its TLS handshake" in caplog.text
