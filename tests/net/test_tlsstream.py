"""TLS on real sockets: mistaken peers, alerts, goodbyes, records cut anywhere."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lineman import Connection, openssl
from lineman.net.tlsstream import is_direct
from lineman.protocols.websocket.messages import Close
from lineman.testing.certificates import IssuedPair, TestCA
from lineman.testing.client import Client, encode
from lineman.testing.tlssocket import TlsSocket
from net.conftest import Serve
from net.support import DEADLINE, Recorder, Site, echo, wait_until

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


def still_serves(bystander: Client) -> None:
    bystander.send("still here")
    assert bystander.receive() == "still here"


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
    client.send_bytes(_client_hello(client_tls)[:sent])
    client.assert_ended()
    site.wait_until_empty()


def test_a_client_that_is_silent_after_tls_is_ended_at_the_same_deadline(serve: Serve) -> None:
    site = serve(True, handshake_timeout=0.5)
    client = site.connect()
    client.assert_ended()  # with a goodbye in TLS
    site.wait_until_empty()


def _client_hello(context: ssl.SSLContext) -> bytes:
    outgoing = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


# Bytes in every measure.


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


# Ends.


def test_the_service_ends_tls_before_it_ends_tcp(serve: Serve) -> None:
    site = serve(True, on_message=lambda connection, _: connection.close(code=4000))
    client = site.open()
    client.send("x")
    assert client.receive() == Close(4000, "")
    client.send_close(4000)
    client.assert_ended()  # and not ssl.SSLEOFError


def test_destroy_ends_tls_as_well(serve: Serve) -> None:
    site = serve(True)
    client = site.open()
    site.call(site.connection.destroy)
    client.assert_ended()


def test_a_client_that_ends_tls_and_leaves_tcp_open_is_gone(serve: Serve) -> None:
    closed = Recorder()
    site = serve(
        True, on_message=echo, on_close=lambda connection, code, reason: closed(code, reason)
    )
    client = site.open()
    assert client.tls is not None
    client.tls.end_tls()
    client.assert_ended()
    assert closed.wait() == [(1006, "the peer ended TCP without a close frame")]


def test_a_message_and_the_end_of_tls_in_one_packet_are_both_heeded(serve: Serve) -> None:
    site = serve(True, on_message=echo)
    client = site.open()
    tls = client.tls
    assert tls is not None
    tls.tls.write(encode("last words"))
    tls.end_tls()  # sends both at once
    assert client.receive() == "last words"
    client.assert_ended()


@pytest.mark.parametrize("position", [0, 5, -1])
def test_a_record_that_was_tampered_with_ends_that_one_connection_with_an_alert(
    serve: Serve, position: int
) -> None:
    closed, messages = Recorder(), Recorder()
    site = serve(
        True,
        on_message=lambda connection, message: (messages(message), connection.send(message))[1],
        on_close=lambda connection, code, reason: closed(code, reason),
    )
    bystander, client = site.open(), site.open()
    tls = client.tls
    assert tls is not None
    record = bytearray(_record(tls, encode("pay me")))
    record[position] ^= 1
    client.plain.sendall(record)
    with pytest.raises(ssl.SSLError, match="ALERT"):
        client.receive_bytes()
    client.close()
    ((code, reason),) = closed.wait()
    assert code == 1006
    assert reason.startswith("TLS: ")
    still_serves(bystander)
    assert messages.calls == ["still here"]


def _record(tls: TlsSocket, data: bytes) -> bytes:
    tls.tls.write(data)
    return tls._outgoing.read()


def test_many_records_that_arrive_at_once_are_all_answered(serve: Serve) -> None:
    site = serve(True, on_message=echo)
    client = site.open()
    tls = client.tls
    assert tls is not None
    texts = [str(number) for number in range(300)]
    client.plain.sendall(b"".join(_record(tls, encode(text)) for text in texts))
    assert [client.receive() for _ in texts] == texts


def test_a_record_whose_end_comes_later_is_waited_for(serve: Serve) -> None:
    site = serve(True, on_message=echo)
    bystander, client = site.open(), site.open()
    tls = client.tls
    assert tls is not None
    whole, cut = _record(tls, encode("whole")), _record(tls, encode("cut"))
    client.plain.sendall(whole + cut[:7])
    assert client.receive() == "whole"
    still_serves(bystander)
    client.plain.sendall(cut[7:])
    assert client.receive() == "cut"


def test_records_that_come_with_the_handshake_wait_until_it_is_decided(serve: Serve) -> None:
    decide = threading.Event()

    async def decide_later(connection: Connection, request: object) -> None:
        await asyncio.to_thread(decide.wait)

    site = serve(True, on_message=echo, on_websocket_connect=decide_later)
    client = site.connect()
    tls = client.tls
    assert tls is not None
    pieces = (client.handshake_bytes(), encode("early"), encode("too"))
    client.plain.sendall(b"".join(_record(tls, piece) for piece in pieces))
    decide.set()
    assert client.receive_reply().status == 101
    assert [client.receive(), client.receive()] == ["early", "too"]


def test_records_that_wait_in_openssl_are_read_when_their_connection_is_resumed(
    serve: Serve,
) -> None:
    messages = Recorder()

    def pause_first(connection: Connection, message: str) -> None:
        messages(message)
        if message == "0":
            connection.pause_recv()

    site = serve(True, on_message=pause_first)
    client = site.open()
    tls = client.tls
    assert tls is not None
    client.plain.sendall(b"".join(_record(tls, encode(str(number))) for number in range(5)))
    assert messages.wait() == ["0"]
    site.call(site.connection.resume_recv)
    wait_until(lambda: messages.calls == ["0", "1", "2", "3", "4"], "all of them come")


def test_a_flood_is_answered_whole_and_others_have_their_turn(serve: Serve) -> None:
    site = serve(True, on_message=lambda connection, message: connection.send(str(len(message))))
    bystander, client = site.open(), site.open()
    tls = client.tls
    assert tls is not None
    # Small records, so that OpenSSL holds several of them whenever it has read from the socket.
    message = encode(b"x" * 3000)
    flood = b"".join(_record(tls, message) for _ in range(600))
    sender = threading.Thread(target=client.plain.sendall, args=(flood,))
    sender.start()
    still_serves_length(bystander)
    assert [client.receive() for _ in range(600)] == ["3000"] * 600
    sender.join(DEADLINE)


def still_serves_length(bystander: Client) -> None:
    bystander.send("12345")
    assert bystander.receive() == "5"


def test_a_client_with_a_tiny_window_is_served_through_the_handshake(
    serve: Serve, client_tls: ssl.SSLContext
) -> None:
    site = serve(True, on_message=echo)
    client = site.open(receive_buffer=2048)
    client.send(b"x" * 300_000)
    assert client.receive() == b"x" * 300_000


def test_a_handshake_that_does_not_fit_into_the_socket_goes_on_when_there_is_room(
    serve: Serve, tmp_path: Path
) -> None:
    authority = TestCA(tmp_path)
    for _ in range(15):
        authority = authority.intermediate()
    pair = authority.issue("localhost")  # with a chain of 10 KiB
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    site = serve(True, cert=None, key=None, ssl_context=context, on_message=echo)
    site.stop()
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)  # the kernel makes it its least
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    listener.setblocking(False)
    site.run(site.worker.start(listener))
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    client = site.open(tls=trusting, receive_buffer=1, piece=1)
    client.send("x")
    assert client.receive() == "x"


def test_a_context_of_ones_own_is_used(serve: Serve, certificate: IssuedPair) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert, certificate.key)
    names = Recorder()

    def note(sock: ssl.SSLObject, name: str, own: ssl.SSLContext) -> None:
        names(name)
        sock.context = own  # what a program with several certificates does

    context.sni_callback = note
    site = serve(True, cert=None, key=None, ssl_context=context, on_message=echo)
    client = site.open()
    client.send("x")
    assert client.receive() == "x"
    assert names.calls == ["localhost"]


def test_resets_while_tls_begins_harm_nobody(serve: Serve, client_tls: ssl.SSLContext) -> None:
    site = serve(True, on_message=echo)
    bystander = site.open()
    hello = _client_hello(client_tls)
    for size in (1, 5, 50, len(hello)):
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", site.port), DEADLINE) as sock:
                sock.sendall(hello[:size])
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    still_serves(bystander)
    bystander.close()
    site.wait_until_empty()
