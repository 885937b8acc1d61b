from __future__ import annotations

import os
import pty
import shutil
import ssl
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lineman.testing.certificates import IssuedPair, TestCA
from lineman.tls.serving.server_context import INTERMEDIATE_CIPHERS, server_context
from lineman.tls.serving.tls_options import TlsOptions
from tls.support import Handshake, refusal


@pytest.fixture
def pair(ca: TestCA) -> IssuedPair:
    return ca.issue(["localhost", "127.0.0.1"])


@pytest.fixture
def served(pair: IssuedPair) -> ssl.SSLContext:
    return server_context(TlsOptions(cert=pair.cert, key=pair.key)).context


# The policy.


def test_the_newest_version_is_agreed_and_the_certificate_verifies(
    served: ssl.SSLContext, client_context: ssl.SSLContext, handshake: Handshake
) -> None:
    _, client = handshake(served, client_context)
    assert client.version() == "TLSv1.3"


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
@pytest.mark.parametrize("cipher", INTERMEDIATE_CIPHERS.split(":"))
def test_tls_1_2_is_served_with_every_cipher_of_the_list_that_fits_the_key(
    ca: TestCA, client_context: ssl.SSLContext, handshake: Handshake, kind: Any, cipher: str
) -> None:
    pair = ca.issue("localhost", key=kind)
    served = server_context(TlsOptions(cert=pair.cert, key=pair.key)).context
    client_context.maximum_version = ssl.TLSVersion.TLSv1_2
    client_context.set_ciphers(cipher)
    if f"-{kind.upper()}-" in cipher:
        server, _ = handshake(served, client_context)
        assert (server.version(), server.cipher()) == (
            "TLSv1.2",
            (cipher, "TLSv1.2", server.cipher()[2]),
        )  # type: ignore[index]
    else:
        with pytest.raises(ssl.SSLError, match="NO_SHARED_CIPHER"):
            handshake(served, client_context)


def test_the_ciphers_of_tls_1_2_are_mozillas_and_no_more(served: ssl.SSLContext) -> None:
    names = [c["name"] for c in served.get_ciphers() if c["protocol"] == "TLSv1.2"]
    assert names == INTERMEDIATE_CIPHERS.split(":")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tls_1_1_is_refused(
    served: ssl.SSLContext, client_context: ssl.SSLContext, handshake: Handshake
) -> None:
    client_context.minimum_version = ssl.TLSVersion.TLSv1
    client_context.maximum_version = ssl.TLSVersion.TLSv1_1
    client_context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match="UNSUPPORTED_PROTOCOL"):
        handshake(served, client_context)


def test_the_clients_order_of_ciphers_counts(
    served: ssl.SSLContext, client_context: ssl.SSLContext, handshake: Handshake
) -> None:
    client_context.maximum_version = ssl.TLSVersion.TLSv1_2
    order = ["ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-ECDSA-AES128-GCM-SHA256"]
    for names in (order, order[::-1]):
        client_context.set_ciphers(":".join(names))
        server, _ = handshake(served, client_context)
        assert server.cipher()[0] == names[0]  # type: ignore[index]


def test_compression_and_renegotiation_are_off_and_a_missing_goodbye_is_seen(
    served: ssl.SSLContext,
) -> None:
    assert served.minimum_version is ssl.TLSVersion.TLSv1_2
    assert served.options & ssl.OP_NO_COMPRESSION
    assert served.options & ssl.OP_NO_RENEGOTIATION
    assert not served.options & ssl.OP_CIPHER_SERVER_PREFERENCE
    assert not served.options & getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)


def test_an_end_without_a_goodbye_is_an_error(
    served: ssl.SSLContext, client_context: ssl.SSLContext
) -> None:
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = served.wrap_bio(received, sent, server_side=True)
    client = client_context.wrap_bio(sent, received, server_hostname="localhost")
    for end in (client, server, client, server, client):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    received.write_eof()
    with pytest.raises(ssl.SSLError, match=r"(?i)eof"):
        server.read(1)


@pytest.mark.parametrize("offered", [["h2", "http/1.1"], ["http/1.1"]])
def test_of_several_application_protocols_http_1_1_is_chosen(
    served: ssl.SSLContext,
    client_context: ssl.SSLContext,
    handshake: Handshake,
    offered: list[str],
) -> None:
    client_context.set_alpn_protocols(offered)
    server, client = handshake(served, client_context)
    assert server.selected_alpn_protocol() == client.selected_alpn_protocol() == "http/1.1"


@pytest.mark.parametrize("offered", [[], ["h2"]])
def test_a_client_that_names_no_protocol_we_have_is_served_all_the_same(
    served: ssl.SSLContext,
    client_context: ssl.SSLContext,
    handshake: Handshake,
    offered: list[str],
) -> None:
    if offered:
        client_context.set_alpn_protocols(offered)
    server, _ = handshake(served, client_context)
    assert server.selected_alpn_protocol() is None


def test_one_session_ticket_lets_a_client_resume(
    served: ssl.SSLContext, client_context: ssl.SSLContext
) -> None:
    def connect(session: ssl.SSLSession | None) -> ssl.SSLObject:
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        server = served.wrap_bio(to_server, to_client, server_side=True)
        client = client_context.wrap_bio(
            to_client, to_server, server_hostname="localhost", session=session
        )
        for end in (client, server, client, server):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
        server.write(b"x")
        assert client.read(1) == b"x"  # the ticket comes before the first byte
        return client

    first = connect(None)
    assert served.num_tickets == 1
    assert connect(first.session).session_reused


def test_other_ciphers_are_taken_over(
    pair: IssuedPair, client_context: ssl.SSLContext, handshake: Handshake
) -> None:
    name = "ECDHE-ECDSA-AES256-GCM-SHA384"
    served = server_context(TlsOptions(cert=pair.cert, key=pair.key, ciphers=name)).context
    client_context.maximum_version = ssl.TLSVersion.TLSv1_2
    assert handshake(served, client_context)[0].cipher()[0] == name  # type: ignore[index]


@pytest.mark.parametrize("ciphers", ["HIHG", "TLS_AES_128_GCM_SHA256", "é"])
def test_a_cipher_list_without_a_cipher_is_refused_and_shown(
    pair: IssuedPair, ciphers: str
) -> None:
    text = refusal(cert=pair.cert, key=pair.key, ciphers=ciphers)
    assert f"OpenSSL knows no TLS 1.2 cipher in ciphers={ciphers!r}" in text


# The pair.


def test_the_certificate_is_told(pair: IssuedPair) -> None:
    tls = server_context(TlsOptions(cert=pair.cert, key=pair.key))
    assert tls.certificate is not None
    assert tls.certificate.names == ("localhost", "127.0.0.1")


def test_no_certificate_at_all_says_what_to_write() -> None:
    assert 'fix: write cert="server.pem", key="server.key"' in refusal()


def test_the_pair_is_checked_before_it_is_loaded(ca: TestCA) -> None:
    now = datetime.now(UTC)
    pair = ca.issue("localhost", not_before=now - timedelta(2), not_after=now - timedelta(1))
    assert "expired on" in refusal(cert=pair.cert, key=pair.key)
    options = TlsOptions(cert=pair.cert, key=pair.key)
    assert server_context(options, now=now - timedelta(days=1, hours=1)).context


def test_one_file_for_both_is_loaded(
    pair: IssuedPair, client_context: ssl.SSLContext, handshake: Handshake
) -> None:
    both = pair.cert.with_name("both.pem")
    both.write_bytes(pair.key.read_bytes() + pair.cert.read_bytes())
    handshake(server_context(TlsOptions(cert=both)).context, client_context)


@pytest.mark.parametrize("passphrase", ["pässword", "pässword".encode()])
def test_an_encrypted_key_is_loaded_with_its_passphrase(
    ca: TestCA, client_context: ssl.SSLContext, handshake: Handshake, passphrase: str | bytes
) -> None:
    pair = ca.issue("localhost", passphrase="pässword".encode())
    options = TlsOptions(cert=pair.cert, key=pair.key, passphrase=passphrase)
    handshake(server_context(options).context, client_context)


def test_a_whole_chain_is_sent(
    ca: TestCA, client_context: ssl.SSLContext, handshake: Handshake
) -> None:
    pair = ca.intermediate().issue("localhost", key="rsa")
    tls = server_context(TlsOptions(cert=pair.cert, key=pair.key))
    handshake(tls.context, client_context)
    assert tls.certificate is not None
    assert tls.certificate.chain_length == 2


def test_a_certificate_signed_with_sha1_is_refused_in_words(tmp_path: Path) -> None:
    assert shutil.which("openssl"), "openssl is missing: apt-get install openssl"
    commands = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=ca "
        "-keyout ca.key -out ca.pem && "
        "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x "
        "-keyout x.key -out x.csr && "
        "openssl x509 -req -sha1 -in x.csr -CA ca.pem -CAkey ca.key -out x.pem"
    )
    subprocess.run(
        ["sh", "-c", commands], check=True, capture_output=True, timeout=30, cwd=tmp_path
    )
    pair = {"cert": tmp_path / "x.pem", "key": tmp_path / "x.key"}
    for check in (True, False):
        text = refusal(check=check, **pair)
        assert "its chain is signed with a digest that is broken (SHA-1 or MD5)" in text
    server_context(TlsOptions(security_level=0, **pair))  # whoever asks for it


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        ("none", ""),
        ("foreign", "the private key does not belong to it"),
        ("other kind", "the private key is of another kind than its own"),
        ("garbled", "OpenSSL cannot parse it"),
        ("encrypted", "is encrypted, and no passphrase is given"),
    ],
)
def test_without_the_check_what_openssl_cannot_load_is_still_refused_by_name(
    ca: TestCA, pair: IssuedPair, change: str, seen: str
) -> None:
    key = pair.key
    if change == "foreign":
        key = ca.issue("localhost", filename="other").key
    if change == "other kind":
        key = ca.issue("localhost", filename="other", key="rsa").key
    if change == "garbled":
        lines = pair.cert.read_text().splitlines()
        pair.cert.write_text("\n".join(lines[:3] + lines[4:]))
    if change == "encrypted":
        pair = ca.issue("localhost", filename="other", passphrase=b"tom")
        key = pair.key
    if seen:
        text = refusal(check=False, cert=pair.cert, key=key)
        assert seen in text
        assert str(pair.cert) in text or str(key) in text
    else:
        options = TlsOptions(cert=pair.cert, key=key)
        said = server_context(options, check=False).certificate
        checked = server_context(options).certificate
        assert said is not None
        assert checked is not None
        assert replace(said, key_type=checked.key_type) == checked


def test_without_the_check_a_wrong_passphrase_is_said_to_be_one(ca: TestCA) -> None:
    pair = ca.issue("localhost", passphrase=b"tom")
    text = refusal(check=False, cert=pair.cert, key=pair.key, passphrase="jerry")
    assert "the passphrase does not open the private key" in text
    assert "jerry" not in text


def test_without_the_check_cryptography_is_not_imported(pair: IssuedPair) -> None:
    code = (
        "import sys; from lineman.tls.serving.server_context import server_context; "
        "from lineman.tls.serving.tls_options import TlsOptions; "
        f"server_context(TlsOptions(cert={str(pair.cert)!r}, key={str(pair.key)!r}), check=False); "
        "assert 'cryptography' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


@pytest.mark.parametrize("check", [True, False])
def test_nobody_is_asked_for_a_passphrase_even_on_a_terminal(ca: TestCA, check: bool) -> None:
    pair = ca.issue("localhost", passphrase=b"tom")
    code = (
        "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); open('/dev/tty').close()\n"
        "from lineman.tls.serving.server_context import server_context\n"
        "from lineman.tls.serving.tls_options import TlsOptions\n"
        f"o = TlsOptions(cert={str(pair.cert)!r}, key={str(pair.key)!r})\n"
        f"try: server_context(o, check={check})\n"
        "except Exception as e: print('refused:', e)\n"
    )
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            stdin=theirs,
            capture_output=True,
            start_new_session=True,
            timeout=20,
            check=True,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert b"refused: the private key" in done.stdout


# A context of the user's own.


def test_a_given_context_is_used_as_it_is(pair: IssuedPair) -> None:
    given = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    given.load_cert_chain(pair.cert, pair.key)
    before = (given.options, given.num_tickets, given.get_ciphers())
    tls = server_context(TlsOptions(ssl_context=given))
    assert tls.context is given
    assert tls.certificate is None
    assert (given.options, given.num_tickets, given.get_ciphers()) == before


def test_a_given_context_that_asks_clients_is_accepted(ca: TestCA, pair: IssuedPair) -> None:
    given = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca.ca_path)
    given.load_cert_chain(pair.cert, pair.key)
    given.verify_mode = ssl.CERT_REQUIRED
    assert server_context(TlsOptions(ssl_context=given)).context is given


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_given_context_for_one_version_is_accepted(
    pair: IssuedPair, version: ssl.TLSVersion
) -> None:
    given = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    given.load_cert_chain(pair.cert, pair.key)
    given.minimum_version = given.maximum_version = version
    assert server_context(TlsOptions(ssl_context=given)).context is given


def test_a_client_context_is_refused() -> None:
    text = refusal(ssl_context=ssl.create_default_context())
    assert "is for clients (PROTOCOL_TLS_CLIENT)" in text
    assert "ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)" in text


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_context_without_a_certificate_is_refused(version: ssl.TLSVersion) -> None:
    given = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    given.minimum_version = given.maximum_version = version
    text = refusal(ssl_context=given)
    assert "has no certificate that a client can use" in text
    assert "context.load_cert_chain(cert, key)" in text


def test_a_context_that_chooses_the_certificate_by_name_is_left_alone(pair: IssuedPair) -> None:
    given = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    called: list[object] = []
    given.sni_callback = lambda *arguments: called.append(arguments)
    assert server_context(TlsOptions(ssl_context=given)).context is given
    assert not called
