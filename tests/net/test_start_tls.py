"""`connection.start_tls()`: TLS that begins in mid-connection."""

from __future__ import annotations

import asyncio
import hashlib
import os
import ssl
from pathlib import Path
from typing import Any

import pytest

from kit.mail import READY, Mail, ask, closes, hear, only
from kit.recorder import Recorder
from kit.site import Serve
from kit.waiting import wait_until
from lineman import Connection, UsageError, Worker
from lineman.errors import ConfigError
from lineman.testing.certificates import IssuedPair, TestCA
from lineman.testing.client import RawClient
from lineman.testing.serving import Serving

Start = Serve


def test_a_connection_begins_in_the_clear_and_goes_on_in_tls(
    start: Start, mail: Mail, client_tls: ssl.SSLContext
) -> None:
    site = start()
    assert site.worker.url.startswith("text://")
    client = site.connect()
    client.send_bytes(b"EHLO\n")
    assert hear(client, 11) == b"heard EHLO\n"
    ask(client).start_tls(client_tls)
    client.send_bytes(b"one\ntwo\n")
    assert hear(client, 20) == b"heard one\nheard two\n"
    assert mail.heard.calls == [
        ("EHLO", False), ("STARTTLS", False), ("one", True), ("two", True)
    ]  # fmt: skip
    connection = only(site)
    assert site.call(lambda: connection.tls_version) == "TLSv1.3"
    assert site.call(lambda: connection.tls.server_name) == "localhost"  # type: ignore[union-attr]
    client.close()
    site.wait_until_empty()


def test_what_is_sent_behind_it_waits_for_the_handshake(
    start: Start, client_tls: ssl.SSLContext
) -> None:
    def greet(connection: Connection, line: str) -> None:
        connection.send("220 ready")
        assert connection.start_tls()
        connection.send("welcome")
        connection.write(b"x" * 100_000)  # more than the cork, and than a record
        connection.send("done")

    client = start(on_message=greet).connect()
    ask(client).start_tls(client_tls)
    assert hear(client, 100_013) == b"welcome\n" + b"x" * 100_000 + b"done\n"


@pytest.mark.parametrize("scheme", ["text", "frame", "tcp"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_every_stream_can_and_every_version_of_tls(
    start: Start, authority: TestCA, scheme: str, version: ssl.TLSVersion
) -> None:
    def start_tls(connection: Connection, message: Any) -> None:
        if connection.tls is None:
            connection.write(b"!")
            connection.start_tls()
        else:
            connection.write(message)

    client = start(scheme, on_message=start_tls).connect()
    client.send_bytes(b"\0\0\0\5\n")
    assert hear(client, 1) == b"!"
    tls = ssl.create_default_context(cafile=authority.ca_path)
    tls.maximum_version = tls.minimum_version = version
    client.start_tls(tls)
    client.send_bytes(b"\0\0\0\5\n")
    assert hear(client, 1)


def test_garbage_in_the_handshake_ends_it_and_says_why(
    start: Start, mail: Mail, caplog: pytest.LogCaptureFixture
) -> None:
    site = start()
    client = ask(site.connect())
    client.send_bytes(b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00" + os.urandom(200))
    client.receive_all()
    client.close()
    ((code, reason),) = mail.ends.wait()
    assert code == 1006
    assert reason.startswith("no TLS handshake after start_tls(): TLS: ")
    assert reason in caplog.text
    assert closes(site) == {"tls": 1}


def test_a_client_that_never_begins_is_given_up(start: Start, mail: Mail) -> None:
    site = start(handshake_timeout=3)
    client = ask(site.connect())
    site.advance_clock(2)
    assert not mail.ends.calls
    site.advance_clock(2)
    assert mail.ends.wait() == [(1006, "no TLS handshake after start_tls(): within 3 s")]
    assert client.receive_all() == b""
    assert closes(site) == {"tls": 1}


def test_the_time_does_not_run_while_the_program_has_paused_it(
    start: Start, client_tls: ssl.SSLContext, mail: Mail
) -> None:
    site = start(handshake_timeout=3)
    client = ask(site.connect())
    connection = only(site)
    site.call(connection.pause_recv)
    site.advance_clock(10)
    site.call(connection.resume_recv)
    client.start_tls(client_tls)
    client.send_bytes(b"still\n")
    assert hear(client, 12) == b"heard still\n"


def test_a_client_that_leaves_in_place_of_tls_ends_it(start: Start, mail: Mail) -> None:
    client = ask(start().connect())
    client.close()
    ((code, reason),) = mail.ends.wait()
    assert code == 1006
    assert reason.startswith("no TLS handshake after start_tls(): ")


def test_the_usual_times_hold_after_the_handshake(
    start: Start, mail: Mail, client_tls: ssl.SSLContext
) -> None:
    site = start(idle_timeout=20, handshake_timeout=2)
    client = ask(site.connect()).start_tls(client_tls)
    client.send_bytes(b"one\n")
    hear(client, 10)
    site.advance_clock(10)
    assert not mail.ends.calls
    site.advance_clock(15)
    assert mail.ends.wait() == [(1006, "silent for 20 s (idle_timeout)")]


# Slow readers, and the end.


@pytest.mark.parametrize("slow_readers", ["close", "drop_oldest"])
def test_what_was_sent_before_leaves_in_the_clear_however_slowly_it_is_read(
    start: Start, client_tls: ssl.SSLContext, slow_readers: str
) -> None:
    size = 3_000_000

    def flood(connection: Connection, line: str) -> None:
        connection.send("x" * size)
        connection.send("220 ready")
        connection.start_tls()
        connection.send("secret")

    site = start(on_message=flood, max_send_buffer_size=5_000_000, slow_readers=slow_readers)
    client = site.connect(receive_buffer=4096)
    client.send_bytes(b"STARTTLS\n")
    connection = only(site)
    wait_until(lambda: site.call(lambda: connection.unsent) > 0, "it is blocked")
    assert hear(client, size + 1 + len(READY)) == b"x" * size + b"\n" + READY
    client.start_tls(client_tls)
    assert hear(client, 7) == b"secret\n"


def test_too_much_behind_it_is_a_slow_reader(
    start: Start, mail: Mail, client_tls: ssl.SSLContext
) -> None:
    told = Recorder()

    def flood(connection: Connection, line: str) -> None:
        connection.send("220 ready")
        connection.start_tls()
        told([connection.send("x" * 1000) for _ in range(4)])

    site = start(on_message=flood, max_send_buffer_size=2000)
    client = ask(site.connect())
    assert told.wait() == [[True, True, False, False]]
    assert client.start_tls(client_tls).receive_all() == (b"x" * 1000 + b"\n") * 2
    client.close()
    assert mail.ends.wait()[0][0] == 1013


def test_last_words_wait_for_the_handshake(
    start: Start, mail: Mail, client_tls: ssl.SSLContext
) -> None:
    def leave(connection: Connection, line: str) -> None:
        connection.send("220 ready")
        connection.start_tls()
        connection.close("bye")

    client = ask(start(on_message=leave).connect()).start_tls(client_tls)
    assert client.receive_all() == b"bye\n"
    client.close()
    assert mail.ends.wait() == [(1000, "normal closure")]


def test_without_last_words_it_ends_at_once(start: Start, mail: Mail) -> None:
    def leave(connection: Connection, line: str) -> None:
        connection.send("220 ready")
        connection.start_tls()
        connection.close()

    client = ask(start(on_message=leave).connect())
    assert client.receive_all() == b""
    client.close()
    assert mail.ends.wait() == [(1000, "normal closure")]


def test_a_half_close_waits_for_the_handshake(
    start: Start, mail: Mail, client_tls: ssl.SSLContext
) -> None:
    def half(connection: Connection, line: str) -> None:
        mail.heard(line)
        if line == "STARTTLS":
            connection.send("220 ready")
            connection.start_tls()
            connection.end("bye")

    client = ask(start(on_message=half).connect()).start_tls(client_tls)
    assert hear(client, 4) == b"bye\n"
    assert client.receive_bytes() == b""
    client.send_bytes(b"still heard\n")
    assert mail.heard.wait(2) == ["STARTTLS", "still heard"]


def test_drain_waits_for_the_handshake(start: Start, client_tls: ssl.SSLContext) -> None:
    told = Recorder()

    async def wait(connection: Connection, line: str) -> None:
        connection.send("220 ready")
        connection.start_tls()
        connection.send("secret")
        await connection.drain()
        told(connection.tls_version)

    client = ask(start(on_message=wait).connect())
    assert not told.calls
    client.start_tls(client_tls)
    assert hear(client, 7) == b"secret\n"
    assert told.wait() == ["TLSv1.3"]


def test_a_reload_ends_one_that_waits_for_its_handshake(start: Start, mail: Mail) -> None:
    site = start()
    client = ask(site.connect())
    site.run(site.worker.stop(5, drain=0.1, code=1012))
    assert client.receive_all() == b""
    assert mail.ends.wait() == [(1012, "the service is restarting")]


def test_a_reload_lets_the_answer_of_a_coroutine_out_and_begins_no_tls(
    start: Start, mail: Mail
) -> None:
    may_go_on = asyncio.Event()
    told = Recorder()

    async def answer(connection: Connection, line: str) -> None:
        mail.heard(line)
        await may_go_on.wait()
        connection.send("220 ready")
        told(connection.start_tls())

    site = start(on_message=answer)
    client = site.connect()
    client.send_bytes(b"STARTTLS\n")
    mail.heard.wait()
    site.call(only(site).say_goodbye, 1012, "the service is restarting")
    site.call(may_go_on.set)
    assert client.receive_all() == READY
    client.close()
    assert told.wait() == [False]
    assert mail.ends.wait()[0][0] == 1012


# Who may.


def test_it_is_refused_where_it_cannot_be_and_says_why(
    start: Start, serve: Serve, mail: Mail, client_tls: ssl.SSLContext
) -> None:
    site = start()
    client = ask(site.connect())
    connection = only(site)
    with pytest.raises(UsageError, match="speaks TLS already, or begins to"):
        site.call(connection.start_tls)
    client.start_tls(client_tls)
    client.send_bytes(b"one\n")
    hear(client, 10)
    with pytest.raises(UsageError, match="speaks TLS already, or begins to"):
        site.call(connection.start_tls)
    client.close()
    site.wait_until_empty()
    assert not site.call(connection.start_tls)  # it has ended
    for tls, scheme, words in (
        (True, "text", "speaks TLS already"),
        (False, "text", r"give it start_tls=True and a certificate.*connect\(\).*tcp\+tls"),
        (False, "ws", "a websocket has its frames"),
    ):
        other = serve(tls, scheme)
        (other.open if scheme == "ws" else other.connect)()
        with pytest.raises(UsageError, match=words):
            other.call(only(other).start_tls)


def test_one_worker_may_speak_tls_from_the_first_byte_at_another_port(
    certificate: IssuedPair, client_tls: ssl.SSLContext
) -> None:
    worker = Worker(
        ["text+tls://127.0.0.1:0", "text://127.0.0.1:0"],
        cert=certificate.cert,
        key=certificate.key,
        start_tls=True,
    )
    told = Recorder()

    @worker.on_message
    def start(connection: Connection, line: str) -> None:
        told(connection.endpoint.scheme, connection.tls is not None)

    with Serving(worker) as serving:
        ports = [int(url.rpartition(":")[2]) for url in serving.worker.urls]
        with RawClient(ports[0], tls=client_tls) as one, RawClient(ports[1]) as two:
            one.send_bytes(b"x\n")
            told.wait(1)
            two.send_bytes(b"x\n")
            assert told.wait(2) == [("text+tls", True), ("text", False)]


@pytest.mark.parametrize(
    ("address", "options", "words"),
    [
        ("text://127.0.0.1:0", {}, "but no certificate is given"),
        ("text+tls://127.0.0.1:0", {"tls": "dev"}, "can begin in the clear"),
        ("wss://127.0.0.1:0", {"tls": "dev"}, "can begin in the clear"),
        ("udp://127.0.0.1:0", {}, "start_tls"),
        ("", {}, "a worker without an address"),
        ("text://127.0.0.1:0", {"transport": "ssl", "tls": "dev"}, 'transport="ssl"'),
        ("text://127.0.0.1:0", {"start_tls": "yes"}, "start_tls is 'yes'"),
    ],
)
def test_an_option_that_cannot_work_is_refused_at_the_start(
    address: str, options: dict[str, Any], words: str
) -> None:
    worker = Worker(address, **{"start_tls": True, **options})
    with pytest.raises(ConfigError) as caught, Serving(worker):
        pass
    assert words in str(caught.value)


def test_the_list_of_clients_certificates_holds_as_well(
    start: Start, mail: Mail, authority: TestCA, client_tls: ssl.SSLContext
) -> None:
    known = authority.issue(["phone.test"], filename="phone", purpose="client")
    fingerprint = hashlib.sha256(
        ssl.PEM_cert_to_DER_cert(
            known.cert.read_text(encoding="ascii").split("-----END")[0]
            + "-----END CERTIFICATE-----\n"
        )
    ).hexdigest()
    site = start(
        ca_file=authority.ca_path, verify_client="optional", client_fingerprints=[fingerprint]
    )
    ask(site.connect()).start_tls(client_tls).send_bytes(b"let me in\n")
    assert "not on the list" in mail.ends.wait()[0][1]
    tls = ssl.create_default_context(cafile=authority.ca_path)
    tls.load_cert_chain(known.cert, known.key)
    client = ask(site.connect()).start_tls(tls)
    client.send_bytes(b"one\n")
    assert hear(client, 10) == b"heard one\n"
    assert ("let me in", True) not in mail.heard.calls


def test_a_renewed_certificate_is_served_to_the_next_one(
    start: Start, authority: TestCA, tmp_path: Path, client_tls: ssl.SSLContext
) -> None:
    first, second = (authority.issue(["localhost"], filename=name) for name in ("one", "two"))
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"

    def put(pair: IssuedPair) -> bytes:
        cert.write_bytes(pair.cert.read_bytes())
        key.write_bytes(pair.key.read_bytes())
        leaf = pair.cert.read_text(encoding="ascii").partition("-----END")[0]
        return ssl.PEM_cert_to_DER_cert(leaf + "-----END CERTIFICATE-----\n")

    def seen(client: RawClient) -> bytes | None:
        assert client.tls is not None
        return client.tls.tls.getpeercert(binary_form=True)

    old = put(first)
    site = start(cert=cert, key=key)
    before = ask(site.connect())  # its handshake begins after the renewal, with what was served
    new = put(second)
    site.call(site.worker.reload_certificates)
    assert seen(ask(site.connect()).start_tls(client_tls)) == new
    assert seen(before.start_tls(client_tls)) in (old, new)


def test_it_works_behind_a_proxy_that_sends_its_header(
    start: Start, mail: Mail, client_tls: ssl.SSLContext
) -> None:
    site = start(proxy_protocol="required", trusted_proxies=["127.0.0.1/32"])
    client = site.connect(preamble=b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 25\r\n")
    ask(client).start_tls(client_tls)
    client.send_bytes(b"one\n")
    assert hear(client, 10) == b"heard one\n"
    assert site.call(lambda: only(site).remote_ip) == "192.0.2.7"


def test_it_may_be_called_in_on_connect_before_any_byte_has_come(
    start: Start, mail: Mail, client_tls: ssl.SSLContext
) -> None:
    site = start(on_connect=lambda connection: connection.start_tls())
    client = site.connect().start_tls(client_tls)
    client.send_bytes(b"one\n")
    assert hear(client, 10) == b"heard one\n"
    assert mail.heard.calls == [("one", True)]
