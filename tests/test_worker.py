"""`Worker`: its options in both spellings, and what it refuses to start with."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from lineman import ConfigError, UsageError, Worker
from lineman.config import checked_options
from lineman.config.options import OPTIONS
from lineman.testing.certificates import IssuedPair, TestCA
from lineman.testing.client import RawClient
from lineman.testing.serving import Serving

WSS = "wss://127.0.0.1:0"


WS = "ws://127.0.0.1:0"


def refusal(worker: Worker) -> ConfigError:
    """Why the worker does not start; nothing listens then."""
    with pytest.raises(ConfigError) as caught:
        asyncio.run(worker.start())
    assert worker.service is None
    return caught.value


def says_ok(worker: Worker, authority: TestCA | None = None) -> None:
    """Runs the worker and talks to it."""
    worker.on_message = lambda connection, message: connection.send("ok")
    tls = None if authority is None else ssl.create_default_context(cafile=authority.ca_path)
    with Serving(worker) as serving, RawClient(serving.port, tls=tls) as client:
        client.open().send("tom")
        assert client.receive() == "ok"


# Both spellings.


def test_options_are_keyword_arguments(authority: TestCA, certificate: IssuedPair) -> None:
    says_ok(Worker(WSS, cert=certificate.cert, key=str(certificate.key)), authority)


def test_options_are_attributes(authority: TestCA, certificate: IssuedPair) -> None:
    worker = Worker(WSS)
    worker.cert = str(certificate.cert)
    worker.key = certificate.key
    says_ok(worker, authority)


def test_workermans_dictionary_with_transport_ssl(
    authority: TestCA, certificate: IssuedPair
) -> None:
    context = {
        "ssl": {
            "local_cert": str(certificate.cert),
            "local_pk": str(certificate.key),
            "verify_peer": False,
        }
    }
    worker = Worker("websocket://127.0.0.1:0", context)
    worker.transport = "ssl"
    says_ok(worker, authority)


def test_websocket_without_transport_is_ws() -> None:
    says_ok(Worker("websocket://127.0.0.1:0"))


def test_the_dictionary_may_set_the_backlog() -> None:
    plan = checked_options.read(Worker(WS, {"socket": {"backlog": 100}}))
    assert plan.limits.backlog == 100


def test_a_context_of_ones_own(authority: TestCA, certificate: IssuedPair) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert, certificate.key)
    says_ok(Worker(WSS, ssl_context=context), authority)


def test_an_encrypted_key_with_its_passphrase(authority: TestCA) -> None:
    pair = authority.issue("localhost", filename="encrypted", passphrase=b"secret")
    says_ok(Worker(WSS, cert=pair.cert, key=pair.key, passphrase="secret"), authority)


# What is wrong is said, with the fix.


def test_an_option_that_is_set_after_the_start_is_refused() -> None:
    worker: Any = Worker(WS)
    told = []

    def try_all(*_: object) -> None:
        for name in ("address", "context", *OPTIONS):
            before = getattr(worker, name)
            with pytest.raises(UsageError, match="set it before the start") as caught:
                setattr(worker, name, before)
            told.append(str(caught.value))
        worker.data = {"any": 1}  # what is looked at later may be set
        worker.on_message = print
        worker.facts = dict

    worker.on_worker_start = try_all

    async def run() -> None:
        await worker.start()
        try_all()
        await worker.stop()

    asyncio.run(run())
    assert len(told) == 2 * (2 + len(OPTIONS))
    assert any(
        "count of <Worker ws://127.0.0.1:0> is read before on_worker" in each for each in told
    )
    worker.count = 2
    worker.address = WS
    assert worker.count == 2


def test_an_option_that_does_not_exist_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match="a Worker has no certs; did you mean cert"):
        Worker(WS, certs="server.pem")  # type: ignore[call-arg]
    with pytest.raises(UsageError, match="a Worker has no pingInterval"):
        Worker(WS, pingInterval=5)  # type: ignore[call-arg]


@pytest.mark.parametrize("is_seen", [True, False])
def test_a_port_that_is_taken_is_refused_with_by_whom_or_how_to_find_out(
    is_seen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_seen:  # it is another user's
        monkeypatch.setattr("lineman.net.listening.portholder.find", lambda port, transport: None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = refusal(Worker(f"ws://127.0.0.1:{port}"))
    assert f"cannot listen on ws://127.0.0.1:{port}: address already in use" in error.seen
    if is_seen:
        assert f"(process {os.getpid()})" in error.seen
        assert f"kill {os.getpid()}" in error.fix
    else:
        assert f"ss -ltnp 'sport = :{port}'" in error.fix


def test_a_worker_is_shown_by_its_name_or_address() -> None:
    assert repr(Worker(WS)) == "<Worker ws://127.0.0.1:0>"
    assert repr(Worker(WS, name="chat")) == "<Worker chat>"


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("onMessage", "on_message"),
        ("maxMessageSize", "max_message_size"),
        ("on_mesage", "on_message"),
    ],
)
def test_a_name_as_workerman_spells_it_is_told(name: str, right: str) -> None:
    worker = Worker("ws://127.0.0.1:0")
    with pytest.raises(UsageError, match=f"did you mean {right}"):
        setattr(worker, name, print)


def test_a_development_certificate_is_made_by_itself_and_for_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "lineman")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    worker = Worker("wss://127.0.0.1:0", tls="dev")
    directory = tmp_path / "lineman" / "dev"
    with Serving(worker) as serving:
        tls = ssl.create_default_context(cafile=directory / "ca.pem")
        with RawClient(serving.port, tls=tls) as client:
            client.open()
    assert (directory / "localhost.key").stat().st_mode & 0o777 == 0o600
    assert "this machine trusts it after: lineman cert trust" in caplog.text
