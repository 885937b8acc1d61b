"""TLS on real sockets: peers of another protocol, alerts, close_notify, records cut anywhere."""

from __future__ import annotations

import contextlib
import os
import select
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kit.recorder import Recorder
from kit.site import Serve, Site, client_hello, echo, still_serves
from kit.waiting import DEADLINE, wait_until
from lineman.net.stream.tlsstream import is_direct
from lineman.testing.certificates import TestCA
from lineman.testing.client import encode
from lineman.tls.openssl import access as openssl

ALERT_RECORD = 0x15


@pytest.fixture(
    params=[True, False] if is_direct() else [False], ids=lambda way: "direct" if way else "ssl"
)
def is_called_directly(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether OpenSSL is called without Python between."""
    if not request.param:
        monkeypatch.setattr(openssl, "library", lambda: None)
    return bool(request.param)


pytestmark = pytest.mark.usefixtures("is_called_directly")


# The wrong language.


@pytest.mark.parametrize(
    "first",
    [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"G", b"\x81\x80\x00\x00\x00\x00", b"SSH-2.0-x\r\n"],
    ids=["http", "one letter", "a frame", "ssh"],
)
def test_a_plain_client_on_a_wss_port_is_told_in_plain_text_to_use_wss(
    serve: Serve, caplog: pytest.LogCaptureFixture, first: bytes
) -> None:
    site = serve(True, on_message=echo)
    bystander = site.open()
    client = site.plain()
    client.send_bytes(first)
    reply = client.receive_reply()
    assert reply.status == 400
    assert "use wss:// instead of ws://" in reply.text
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    client.assert_ended()
    assert f"127.0.0.1:{client.address[1]}: a client without TLS on a wss port" in caplog.text
    still_serves(bystander)


def test_a_ws_handshake_on_a_wss_port_is_answered_and_no_callback_hears_of_it(
    serve: Serve,
) -> None:
    heard = Recorder()
    names = ("on_websocket_connect", "on_connect", "on_close", "on_request")
    site = serve(True, **dict.fromkeys(names, heard))
    client = site.plain()
    assert client.handshake("/chat", [("Cookie", "a=b" * 1000)]).status == 400
    client.close()
    site.wait_until_empty()
    assert heard.calls == []


def test_plain_clients_do_not_fill_the_log_of_a_wss_port(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    site = serve(True)
    for _ in range(25):
        with site.plain() as client:
            client.request()
    assert caplog.text.count("a client without TLS") == 10


def test_a_tls_client_on_a_ws_port_is_recognised_in_the_log(
    serve: Serve, client_tls: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    site = serve(False, on_message=echo)
    bystander = site.open()
    with pytest.raises(ssl.SSLError, match=r"(?i)wrong.version.number|record layer"):
        site.connect(tls=client_tls)
    assert "a TLS client on a plain ws port: it must use ws:// here" in caplog.text
    still_serves(bystander)


def test_what_only_begins_like_tls_is_ended(serve: Serve) -> None:
    client = serve(True).plain()
    client.send_bytes(b"\x16" * 3000)
    client.assert_ended()  # OpenSSL has no alert for this


# Handshakes that fail.


def alert_of(site: Site, client: ssl.SSLContext) -> str:
    """The words of the alert that ends a handshake; anything else than an alert fails."""
    with pytest.raises(ssl.SSLError) as caught:
        site.connect(tls=client).receive_bytes()
    assert "ALERT" in (caught.value.reason or ""), caught.value
    return str(caught.value.reason)


def tolerant(authority: TestCA) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority.ca_path)
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


@pytest.mark.filterwarnings("ignore:.*TLSv1_1 is deprecated")
def test_a_tls_1_1_client_gets_an_alert(
    serve: Serve, authority: TestCA, caplog: pytest.LogCaptureFixture
) -> None:
    site = serve(True, on_message=echo)
    bystander = site.open()
    context = tolerant(authority)
    context.minimum_version = ssl.TLSVersion.TLSv1_1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    assert alert_of(site, context) == "TLSV1_ALERT_PROTOCOL_VERSION"
    still_serves(bystander)
    wait_until(lambda: "TLS" in caplog.text.split("listening")[1], "the log tells it")


def test_a_client_without_a_common_cipher_gets_an_alert(serve: Serve, authority: TestCA) -> None:
    site = serve(True)
    context = tolerant(authority)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-SHA:@SECLEVEL=0")
    assert alert_of(site, context) == "SSLV3_ALERT_HANDSHAKE_FAILURE"


def test_a_client_without_the_certificate_that_is_demanded_gets_an_alert(
    serve: Serve, authority: TestCA
) -> None:
    site = serve(True, ca_file=str(authority.ca_path), verify_client="required")
    context = ssl.create_default_context(cafile=authority.ca_path)
    # With TLS 1.3 the client takes the handshake for done and has sent its request already.
    assert alert_of(site, context) == "TLSV13_ALERT_CERTIFICATE_REQUIRED"
    with contextlib.suppress(OSError):
        client = site.connect(tls=context)
        client.send_bytes(client.handshake_bytes() + b"x" * 100_000)
        with pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"):
            client.receive_bytes()


def test_a_client_with_the_certificate_that_is_demanded_is_let_in(
    serve: Serve, authority: TestCA, tmp_path: Path
) -> None:
    site = serve(True, ca_file=str(authority.ca_path), verify_client="required", on_message=echo)
    own = authority.issue("tom", filename="tom", purpose="client")
    context = ssl.create_default_context(cafile=authority.ca_path)
    context.load_cert_chain(own.cert, own.key)
    client = site.open(tls=context)
    client.send("x")
    assert client.receive() == "x"


def test_a_client_that_does_not_trust_the_certificate_harms_nobody(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    site = serve(True, on_message=echo)
    bystander = site.open()
    with pytest.raises(ssl.SSLCertVerificationError):
        site.connect(tls=ssl.create_default_context())
    still_serves(bystander)
    wait_until(lambda: "unknown ca" in caplog.text.lower(), "the log tells the client's alert")


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\x16\x03\x01\x00\x05hello",
        b"\x16\x03\x01\xff\xff" + b"x" * 70_000,
        b"\x16\x03\x01\x00\x04\x01\x00\x00\x00",
    ],
    ids=["no hello", "a record too long", "an empty hello"],
)
def test_rubbish_that_begins_like_tls_gets_an_alert(serve: Serve, rubbish: bytes) -> None:
    site = serve(True, on_message=echo)
    bystander = site.open()
    client = site.plain()
    with contextlib.suppress(ConnectionResetError):  # it may have had enough before the end of it
        client.send_bytes(rubbish)
    assert client.receive_bytes()[0] == ALERT_RECORD
    still_serves(bystander)


@pytest.mark.parametrize("sent", [1, 5, 100])
def test_a_tls_handshake_that_stalls_is_ended_at_the_deadline(
    serve: Serve, client_tls: ssl.SSLContext, sent: int
) -> None:
    site = serve(True, handshake_timeout=0.5)
    client = site.plain()
    client.send_bytes(client_hello(client_tls)[:sent])
    client.assert_ended()
    site.wait_until_empty()


def test_a_client_that_is_silent_after_tls_is_ended_at_the_same_deadline(serve: Serve) -> None:
    site = serve(True, handshake_timeout=0.5)
    client = site.connect()
    client.assert_ended()  # with a close_notify
    site.wait_until_empty()


# Bytes of every size.


def test_tls_may_come_byte_by_byte(serve: Serve) -> None:
    client = serve(True, on_message=echo).open(piece=1)
    for message in ("tom", b"x" * 2000, "Grüße"):
        client.send(message)
        assert client.receive() == message


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_records_may_be_cut_anywhere(
    serve: Serve, authority: TestCA, version: ssl.TLSVersion
) -> None:
    context = ssl.create_default_context(cafile=authority.ca_path)
    context.minimum_version = context.maximum_version = version
    site = serve(True, on_message=echo)
    for piece in (3, 1000, 16_000, 17_000):
        client = site.open(tls=context, piece=piece)
        message = bytes(range(256)) * (piece // 2)
        client.send(message)
        assert client.receive() == message


def test_the_negotiated_version_is_known(serve: Serve, authority: TestCA) -> None:
    site = serve(True, on_message=lambda connection, _: connection.send(connection.tls_version))
    for version, name in (
        (ssl.TLSVersion.TLSv1_2, "TLSv1.2"),
        (ssl.TLSVersion.TLSv1_3, "TLSv1.3"),
    ):
        context = ssl.create_default_context(cafile=authority.ca_path)
        context.minimum_version = context.maximum_version = version
        client = site.open(tls=context)
        client.send("?")
        assert client.receive() == name
    plain = serve(False)
    plain.open()
    assert plain.call(lambda: plain.connection.tls_version) is None


def test_big_messages_go_both_ways_at_once(serve: Serve) -> None:
    site = serve(True, on_message=echo, max_send_buffer_size=100_000_000)
    client = site.open()
    messages = [bytes([number]) * 5_000_000 for number in range(4)]
    sender = threading.Thread(target=lambda: [client.send_bytes(encode(m)) for m in messages])
    # One SSL object must not be used by two threads: all is sent before anything is read.
    sender.start()
    sender.join(DEADLINE)
    for message in messages:
        assert client.receive() == message


def test_a_client_that_negotiates_again_and_again_is_served_or_dropped_and_nobody_else_notices(
    serve: Serve,
) -> None:
    site = serve(True, on_message=echo)
    bystander = site.open()
    with _openssl(site, "-tls1_3") as ask:
        # "k" and "K" update the keys (RFC 8446, section 4.6.3), "K" on both sides.
        for command in (b"k", b"K", b"k", b"K"):
            ask(command, b"KEYUPDATE")
        ask(b"GET / HTTP/1.1\nHost: x\n", b"HTTP/1.1 426 ")
    with _openssl(site, "-tls1_2") as ask:
        ask(b"R", b"RENEGOTIATING")  # which OpenSSL refuses on the server's side
    still_serves(bystander)


@contextlib.contextmanager
def _openssl(site: Site, version: str) -> Iterator[Callable[[bytes, bytes], None]]:
    """OpenSSL's own client; what it gives takes a line to send and what it must print then."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{site.port}", version, "-crlf"]
    try:
        openssl = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
    except FileNotFoundError:
        pytest.fail("openssl is not installed; fix: apt-get install openssl", pytrace=False)
    assert openssl.stdin is not None
    assert openssl.stdout is not None
    output = openssl.stdout.fileno()

    def wait_for(words: bytes) -> None:
        printed = b""
        while words not in printed:
            assert select.select([output], [], [], DEADLINE)[0], printed
            more = os.read(output, 65536)
            assert more, printed
            printed += more

    def ask(line: bytes, answer: bytes) -> None:
        os.write(openssl.stdin.fileno(), line + b"\n")  # type: ignore[union-attr]
        wait_for(answer)

    with openssl:
        try:
            wait_for(b"Verify return code")
            yield ask
        finally:
            openssl.kill()
