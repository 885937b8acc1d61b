"""A running worker takes a new certificate without a restart, and keeps its clients."""

from __future__ import annotations

import shutil
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from lineman import Worker
from lineman.testing.certificates import IssuedPair, TestCA
from lineman.testing.client import RawClient
from lineman.testing.serving import Serving

DEADLINE = 30.0


@pytest.fixture
def ca(tmp_path: Path) -> TestCA:
    return TestCA(tmp_path / "certificates")


@pytest.fixture
def pair(ca: TestCA) -> IssuedPair:
    return ca.issue("localhost")


@pytest.fixture
def serving(pair: IssuedPair) -> Iterator[Serving]:
    worker = Worker("wss://127.0.0.1:0", cert=pair.cert, key=pair.key)
    worker.on_message = lambda connection, message: connection.send(message)
    with Serving(worker) as running:
        yield running


def serial_in(path: Path) -> str:
    return f"{x509.load_pem_x509_certificate(path.read_bytes()).serial_number:x}"


def renew(ca: TestCA, pair: IssuedPair) -> str:
    """Put another certificate and its key in place; its serial number."""
    new = ca.issue("localhost", filename="renewed")
    for source, target in ((new.key, pair.key), (new.cert, pair.cert)):
        half = target.with_name("half")
        shutil.copy(source, half)
        half.replace(target)
    return serial_in(pair.cert)


def connect(serving: Serving, ca: TestCA) -> tuple[RawClient, str]:
    """An open client, and the serial number of the certificate that it was shown."""
    client = RawClient(serving.port, tls=ssl.create_default_context(cafile=ca.ca_path)).open()
    assert client.tls is not None
    der = client.tls.tls.getpeercert(True) or b""
    return client, f"{x509.load_der_x509_certificate(der).serial_number:x}"


def wait_until_served(serving: Serving, ca: TestCA, serial: str) -> None:
    """Returns when a new client is shown the certificate with this serial number."""
    deadline = time.monotonic() + DEADLINE
    served = ""
    while served != serial:
        assert time.monotonic() < deadline, "the new certificate is never served"
        client, served = connect(serving, ca)
        client.close()
        time.sleep(0.02)


def test_changed_files_are_served_by_themselves_and_connections_go_on(
    serving: Serving, ca: TestCA, pair: IssuedPair
) -> None:
    before, old = connect(serving, ca)
    new = renew(ca, pair)
    assert old != new
    wait_until_served(serving, ca, new)
    before.send("still here")
    assert before.receive() == "still here"
    before.close()
    (status,) = serving.call(lambda: serving.worker.certificates_served)
    assert status.info.serial == new


def test_reload_certificates_does_it_at_once_and_says_what_stands_in_the_way(
    serving: Serving, ca: TestCA, pair: IssuedPair
) -> None:
    before, _ = connect(serving, ca)
    new = renew(ca, pair)
    assert serving.call(serving.worker.reload_certificates) == []
    client, served = connect(serving, ca)
    client.close()
    assert served == new
    pair.key.write_text("")
    (line,) = serving.call(serving.worker.reload_certificates)
    assert "server.key is empty" in line
    client, served = connect(serving, ca)
    client.close()
    assert served == new
    before.send("still here")
    assert before.receive() == "still here"
    before.close()


def test_a_worker_that_does_not_run_has_nothing_to_reload() -> None:
    worker = Worker("wss://127.0.0.1:0", cert="server.pem", key="server.key")
    assert worker.reload_certificates() == []
    assert worker.certificates_served == []
    assert worker.live_tls is None


def test_names_that_nobody_has_are_counted(serving: Serving, ca: TestCA) -> None:
    tls = ssl.create_default_context(cafile=ca.ca_path)
    tls.check_hostname = False
    with RawClient(serving.port, tls=tls, server_hostname="nobody.test") as client:
        client.open()
    live = serving.worker.live_tls
    assert live is not None
    assert (live.unknown_names, live.shares_tickets) == (1, True)


def test_a_defect_while_looking_does_not_end_the_watching(
    serving: Serving, ca: TestCA, pair: IssuedPair, caplog: pytest.LogCaptureFixture
) -> None:
    live = serving.worker.live_tls
    assert live is not None
    look = live.look

    def fail_once() -> bool:
        live.look = look  # type: ignore[method-assign]
        raise RuntimeError("unforeseen")

    live.look = fail_once  # type: ignore[method-assign]
    new = renew(ca, pair)
    wait_until_served(serving, ca, new)
    assert "defect in lineman while looking at certificates" in caplog.text
