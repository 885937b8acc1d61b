"""Callbacks that would end the process, or their own task: it costs their one client."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import sys
from collections.abc import Callable
from typing import Any

import pytest

from kit.recorder import Recorder
from kit.site import Serve, client_hello, echo, still_serves
from kit.waiting import wait_until
from lineman.net.connection.connection import Connection
from lineman.protocols.websocket.decoder import Close


def leave(*_: object) -> None:
    sys.exit(3)


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def close_the_generator(*_: object) -> None:
    raise GeneratorExit


def fail_in_a_group(*_: object) -> None:
    raise BaseExceptionGroup("several", [KeyboardInterrupt(), ValueError()])


def cancel(*_: object) -> None:
    raise asyncio.CancelledError


async def leave_late(*_: object) -> None:
    await asyncio.sleep(0)
    sys.exit(3)


async def interrupt_late(*_: object) -> None:
    await asyncio.sleep(0)
    raise KeyboardInterrupt


async def close_the_generator_late(*_: object) -> None:
    await asyncio.sleep(0)
    raise GeneratorExit


async def fail_in_a_group_late(*_: object) -> None:
    await asyncio.sleep(0)
    raise BaseExceptionGroup("several", [SystemExit(), ValueError()])


async def cancel_itself(*_: object) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


ENDS = [leave, interrupt, close_the_generator, fail_in_a_group, cancel]
LATE = [
    leave_late,
    interrupt_late,
    close_the_generator_late,
    fail_in_a_group_late,
    cancel_itself,
]
Ending = Callable[..., Any]


@pytest.mark.parametrize("ending", [*ENDS, *LATE], ids=lambda each: each.__name__)
def test_in_on_message_it_closes_that_one_client_with_1011(
    serve: Serve, ending: Ending, caplog: pytest.LogCaptureFixture
) -> None:
    closed = Recorder()

    def handler(connection: Connection, message: str) -> Any:
        return ending() if message == "end" else connection.send(message)

    site = serve(on_message=handler, on_close=lambda connection, code: closed(code))
    victim, bystander = site.open(), site.open()
    victim.send("end")
    victim.send("never handled")
    assert victim.receive() == Close(1011, "internal error")
    victim.send_close(1011)
    victim.assert_ended()
    assert closed.wait() == [1011]
    assert "a callback raised" in caplog.text
    assert "Traceback" in caplog.text
    still_serves(bystander)


@pytest.mark.parametrize("ending", [*ENDS, *LATE], ids=lambda each: each.__name__)
def test_in_on_connect_it_closes_that_one_client_with_1011(serve: Serve, ending: Ending) -> None:
    site = serve(on_connect=ending, on_message=echo)
    client = site.open()
    assert client.receive_close().code == 1011
    client.send_close(1011)
    client.assert_ended()


@pytest.mark.parametrize("ending", [*ENDS, *LATE], ids=lambda each: each.__name__)
@pytest.mark.parametrize("name", ["on_websocket_connect", "on_request"])
def test_before_the_connection_is_open_it_is_answered_with_500(
    serve: Serve, name: str, ending: Ending
) -> None:
    site = serve(on_message=echo, **{name: ending})
    client = site.connect()
    client.send_bytes(
        client.handshake_bytes()
        if name == "on_websocket_connect"
        else b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    )
    assert client.receive_reply().status == 500


@pytest.mark.parametrize("ending", [*ENDS, *LATE], ids=lambda each: each.__name__)
def test_in_on_close_it_is_logged_and_ends_nothing(
    serve: Serve, ending: Ending, caplog: pytest.LogCaptureFixture
) -> None:
    site = serve(on_message=echo, on_close=ending)
    bystander, client = site.open(), site.open()
    client.send_close()
    assert client.receive_close().code == 1000
    wait_until(lambda: "a callback raised" in caplog.text, "it is logged")
    still_serves(bystander)


def test_a_flood_of_messages_that_fail_writes_one_traceback_and_a_count(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    site = serve(on_message=lambda connection, message: int(message))
    for number in range(200):
        with site.open() as client:
            client.send(f"no number {number}")
            assert client.receive_close().code == 1011
    site.stop()
    errors = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert len(errors) == 2
    assert errors[0].exc_info is not None
    assert "ValueError at " in errors[1].getMessage()
    assert ": 199 more times in the last" in errors[1].getMessage()


def test_probes_that_hang_up_hide_no_client_that_does_not_trust_the_authority(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    site = serve(tls=True, on_message=echo)
    hello = client_hello(ssl.create_default_context())
    for _ in range(30):
        with socket.create_connection(("127.0.0.1", site.port)) as probe:
            probe.sendall(hello)
            probe.shutdown(socket.SHUT_WR)
            while probe.recv(65536):
                pass
    wait_until(
        lambda: caplog.text.count("closed the connection during TLS") == 10, "the probes are logged"
    )
    distrusting = ssl.create_default_context()
    with (
        socket.create_connection(("127.0.0.1", site.port)) as plain,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        distrusting.wrap_socket(plain, server_hostname="localhost")
    wait_until(lambda: "does not trust the certificate's authority" in caplog.text, "it is told")
    ciphers = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ciphers.check_hostname = False
    ciphers.verify_mode = ssl.CERT_NONE
    ciphers.maximum_version = ssl.TLSVersion.TLSv1_2
    ciphers.set_ciphers("AES256-SHA256")
    with (
        socket.create_connection(("127.0.0.1", site.port)) as plain,
        pytest.raises(ssl.SSLError),
    ):
        ciphers.wrap_socket(plain)
    wait_until(lambda: "no cipher in common" in caplog.text, "it is told")
    assert caplog.text.count("closed the connection during TLS") == 10
