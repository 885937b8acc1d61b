"""Sessions that are resumed in another process: by two services with one secret."""

from __future__ import annotations

import contextlib
import os
import shutil
import ssl
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lineman import Worker
from lineman.testing.certificates import IssuedPair, TestCA
from lineman.testing.serving import Serving
from lineman.tls.openssl import tickets
from lineman.tls.openssl.tickets import KEPT, PERIOD, TicketSecret
from lineman.tls.serving.live_certificates import LiveTls
from lineman.tls.serving.tls_options import TlsOptions
from tls.support import revoke, visit

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture
def pair(ca: TestCA) -> IssuedPair:
    return ca.issue("localhost")


@pytest.fixture
def secret() -> TicketSecret:
    return TicketSecret.create()


class Clock:
    """The system's monotonic clock, as far as tickets look at it."""

    now = 100 * PERIOD

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    real = tickets.Tickets
    monkeypatch.setattr(
        "lineman.tls.serving.live_certificates.Tickets", lambda secret: real(secret, made)
    )
    return made


def live(pair: IssuedPair, secret: TicketSecret, owner: str = "a", **options: Any) -> LiveTls:
    tls = LiveTls(TlsOptions(cert=pair.cert, key=pair.key, **options))
    assert tls.share_tickets(secret, owner)
    assert tls.shares_tickets
    return tls


@pytest.fixture(params=VERSIONS, ids=["1.2", "1.3"])
def client(client_context: ssl.SSLContext, request: pytest.FixtureRequest) -> ssl.SSLContext:
    client_context.minimum_version = client_context.maximum_version = request.param
    return client_context


def test_a_session_is_resumed_by_another_process_with_the_same_secret(
    pair: IssuedPair, secret: TicketSecret, client: ssl.SSLContext
) -> None:
    first, second = live(pair, secret), live(pair, TicketSecret(os.dup(secret.descriptor)))
    is_resumed, session = visit(first, client)
    assert not is_resumed
    is_resumed, session = visit(second, client, session)
    assert is_resumed
    assert visit(first, client, session)[0]


def test_who_has_used_a_ticket_of_tls_1_3_gets_another(
    pair: IssuedPair, secret: TicketSecret, client_context: ssl.SSLContext
) -> None:
    """A browser uses each once (RFC 8446, appendix C.4)."""
    client_context.minimum_version = ssl.TLSVersion.TLSv1_3
    tls = live(pair, secret)
    _, session = visit(tls, client_context)
    for _ in range(3):
        is_resumed, following = visit(tls, client_context, session)
        assert is_resumed
        assert following.id != session.id
        session = following


def test_it_is_resumed_after_the_certificate_has_changed(
    ca: TestCA, pair: IssuedPair, secret: TicketSecret, client: ssl.SSLContext
) -> None:
    tls = live(pair, secret)
    _, session = visit(tls, client)
    new = ca.issue("localhost", filename="new")
    shutil.copy(new.key, pair.key)
    shutil.copy(new.cert, pair.cert)
    assert tls.look()
    assert visit(tls, client, session)[0]


def test_it_is_resumed_whichever_certificate_its_name_leads_to(
    ca: TestCA, secret: TicketSecret, client: ssl.SSLContext
) -> None:
    default = ca.issue("default.test", filename="default")
    pair = ca.issue("localhost")
    tls = live(default, secret, certificates=[(pair.cert, pair.key)])
    _, session = visit(tls, client)
    assert visit(tls, client, session)[0]


@pytest.mark.parametrize("other", ["secret", "owner", "clients"])
def test_it_is_not_resumed_by_a_service_that_it_was_not_made_for(
    ca: TestCA, pair: IssuedPair, secret: TicketSecret, client: ssl.SSLContext, other: str
) -> None:
    first = live(pair, secret)
    match other:
        case "secret":
            second = live(pair, TicketSecret.create())
        case "owner":
            second = live(pair, secret, "b")
        case "clients":
            second = live(pair, secret, ca_file=ca.ca_path, verify_client="optional")
    _, session = visit(first, client)
    is_resumed, _ = visit(second, client, session)
    assert not is_resumed


def test_whom_a_new_list_has_revoked_does_not_resume(
    ca: TestCA, pair: IssuedPair, secret: TicketSecret, client: ssl.SSLContext
) -> None:
    phone = ca.issue("phone", filename="phone", purpose="client")
    client.load_cert_chain(phone.cert, phone.key)
    crl = revoke(ca)
    tls = live(pair, secret, ca_file=ca.ca_path, crl_file=crl, verify_client="required")
    _, session = visit(tls, client)
    is_resumed, session = visit(tls, client, session)
    assert is_resumed
    revoke(ca, phone.cert)
    assert tls.look()
    with pytest.raises(ssl.SSLError, match="certificate revoked"):
        visit(tls, client, session)


def test_who_has_an_expired_certificate_does_not_resume_and_gets_in_with_a_new_one(
    ca: TestCA, pair: IssuedPair, secret: TicketSecret
) -> None:
    """In TLS 1.3 each resumption brings a new ticket: without end, if none looked at the dates."""
    tls = live(pair, secret, ca_file=ca.ca_path, verify_client="required")
    clients = [ssl.create_default_context(cafile=ca.ca_path) for _ in VERSIONS]
    for client, version in zip(clients, VERSIONS, strict=True):
        client.minimum_version = client.maximum_version = version
    sessions: list[ssl.SSLSession] = []
    while not sessions:  # again where a slow machine has let it expire before its first use
        end = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
        phone = ca.issue("phone", filename="phone", purpose="client", not_after=end)
        for client in clients:
            client.load_cert_chain(phone.cert, phone.key)
        with contextlib.suppress(ssl.SSLCertVerificationError):
            sessions = [visit(tls, client)[1] for client in clients]
    while datetime.now(UTC) <= end + timedelta(seconds=1):
        time.sleep(0.02)
    new = ca.issue("phone", filename="new", purpose="client")
    for client, session in zip(clients, sessions, strict=True):
        with pytest.raises(ssl.SSLError, match=r"certificate( has)? expired"):
            visit(tls, client, session)
        client.load_cert_chain(new.cert, new.key)
        is_resumed, session = visit(tls, client, session)
        assert not is_resumed
        assert visit(tls, client, session)[0]


# Keys move on.


def test_tickets_of_earlier_keys_are_taken_for_a_while_and_renewed(
    pair: IssuedPair, secret: TicketSecret, client: ssl.SSLContext, clock: Clock
) -> None:
    secret = TicketSecret.create(clock.now)
    tls = live(pair, secret)
    _, session = visit(tls, client)
    clock.now += KEPT * PERIOD
    is_resumed, renewed = visit(tls, client, session)
    assert is_resumed
    clock.now += PERIOD
    assert visit(tls, client, renewed)[0], "the ticket was not renewed under the new key"
    assert not visit(tls, client, session)[0]


def test_a_process_that_comes_later_takes_the_tickets_of_earlier_ones(
    pair: IssuedPair, client: ssl.SSLContext, clock: Clock
) -> None:
    secret = TicketSecret.create(clock.now)
    first = live(pair, secret)
    clock.now += PERIOD
    visit(first, client)
    clock.now += PERIOD
    _, session = visit(first, client)
    clock.now += PERIOD
    assert visit(live(pair, secret), client, session)[0]


def test_each_period_has_another_key_and_forgets_what_it_came_from() -> None:
    secret = TicketSecret.create(0.0)
    seen = [secret.keys(number * PERIOD, b"a") for number in range(6)]
    names = [key.name for keys in seen for key in keys[:1]]
    assert len(set(names)) == 6
    for before, after in zip(seen[KEPT:], seen[KEPT + 1 :], strict=False):
        assert after[1:] == before[:-1]
    kept = os.pread(secret.descriptor, 100, 0)
    assert all(secret.keys(5 * PERIOD, b"a") == seen[5] for _ in range(2))
    assert os.pread(secret.descriptor, 100, 0) == kept
    assert not set(seen[2][:1]) & set(seen[5])


def test_nobody_for_days_and_a_clock_that_stands_cost_nothing() -> None:
    secret = TicketSecret.create(0.0)
    first = secret.keys(0.0, b"a")
    later = secret.keys(1e9, b"a")
    assert not set(first) & set(later)
    assert secret.keys(1e9, b"a") == later
    assert secret.keys(1e9 - PERIOD, b"a") == later  # it never goes back


def test_processes_that_start_at_once_agree() -> None:
    secret = TicketSecret.create(0.0)
    program = (
        "import sys; from lineman.tls.openssl.tickets import TicketSecret; "
        "print(TicketSecret(int(sys.argv[1])).keys(5 * 3600.0, b'a')[0].name.hex())"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(secret.descriptor)],
            pass_fds=(secret.descriptor,),
            stdout=subprocess.PIPE,
        )
        for _ in range(3)
    ]
    assert len({process.communicate()[0] for process in started}) == 1


# What is not a ticket of ours.


def test_a_ticket_with_one_bit_changed_is_not_taken_and_the_client_is_served_all_the_same(
    pair: IssuedPair, secret: TicketSecret, ca: TestCA, tmp_path: Path
) -> None:
    # Python has no hand on a ticket; `openssl` keeps one in a file.
    worker = Worker("wss://127.0.0.1:0", cert=pair.cert, key=pair.key)
    worker.runtime.use_ticket_secret(secret)
    kept = tmp_path / "session.pem"
    with Serving(worker) as serving:

        def connect(*words: str | Path) -> str:
            command = ["openssl", "s_client", "-connect", f"127.0.0.1:{serving.port}", "-tls1_2"]
            done = subprocess.run(
                [*command, "-CAfile", ca.ca_path, *words],
                input="GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
            return done.stdout

        assert "New, TLSv1.2" in connect("-sess_out", kept)
        assert "Reused, TLSv1.2" in connect("-sess_in", kept)
        der = subprocess.run(
            ["openssl", "sess_id", "-in", kept, "-outform", "DER"], capture_output=True, check=True
        ).stdout
        identity = worker.runtime.plan.tls._tickets.identity  # type: ignore[union-attr]
        name = secret.keys(time.monotonic(), identity)[0].name
        start = der.index(name)
        for offset in (0, 16, 40, 100):  # its name, its iv, its content
            forged = bytearray(der)
            forged[start + offset] ^= 1
            (tmp_path / "forged.der").write_bytes(forged)
            pem = tmp_path / "forged.pem"
            convert = ["openssl", "sess_id", "-inform", "DER", "-in", tmp_path / "forged.der"]
            subprocess.run([*convert, "-out", pem], check=True)
            assert "New, TLSv1.2" in connect("-sess_in", pem)


def test_where_openssl_cannot_be_reached_it_is_said_and_one_process_still_resumes(
    pair: IssuedPair,
) -> None:
    program = """
import ssl, sys
from lineman.tls.serving.live_certificates import LiveTls
from lineman.tls.serving.tls_options import TlsOptions
from lineman.tls.openssl.tickets import TicketSecret

tls = LiveTls(TlsOptions(cert=sys.argv[1], key=sys.argv[2]))
assert not tls.share_tickets(TicketSecret.create(), "a")
assert not tls.shares_tickets
sys.path.insert(0, sys.argv[3])
from tls.support import visit
client = ssl.create_default_context(cafile=sys.argv[4])
_, session = visit(tls, client)
assert visit(tls, client, session)[0]
"""
    tests = Path(__file__).parents[2]
    arguments = [pair.cert, pair.key, tests, pair.cert.parent / "ca.pem"]
    subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, "LINEMAN_OPENSSL": "no"},
        check=True,
    )
