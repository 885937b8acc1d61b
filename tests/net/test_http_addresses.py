"""Addresses for plain requests alone: `http://` and `https://`."""

from __future__ import annotations

from typing import Any

import pytest

from kit.site import Serve, Site
from lineman import Request


def path_of(request: Request) -> str:
    return f"{request.scheme} {request.path}"


def start(serve: Serve, tls: bool, **options: Any) -> Site:
    return serve(tls, "https" if tls else "http", **options)


def test_requests_are_answered_at_an_address_of_their_own(serve: Serve, tls: bool) -> None:
    client = start(serve, tls, on_request=path_of).connect()
    for path in ("/1", "/2"):
        assert client.request(path).text == f"{'https' if tls else 'http'} {path}"


@pytest.mark.parametrize("size", [1000, 9], ids=["whole", "in pieces"])
def test_a_websocket_client_is_told_that_there_are_none(
    serve: Serve, tls: bool, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    site = start(serve, tls, on_request=path_of)
    client = site.connect()
    wire = client.handshake_bytes()
    for begin in range(0, len(wire), size):
        client.send_bytes(wire[begin : begin + size])
    reply = client.receive_reply()
    assert (reply.status, reply.text) == (400, "This address serves HTTP, and no websockets.\n")
    client.assert_ended()
    assert f"give the worker {'wss' if tls else 'ws'}:// in place" in caplog.text
    assert not site.worker.connections


def test_other_upgrades_are_ignored(serve: Serve) -> None:
    client = start(serve, False, on_request=path_of).connect()
    assert client.request("/", [("Connection", "Upgrade"), ("Upgrade", "h2c")]).status == 200


def test_a_request_that_nothing_answers_is_404(serve: Serve) -> None:
    def begin(worker: Any) -> None:
        """It may set `on_request`, and forgets to."""

    reply = start(serve, False, on_worker_start=begin).connect().request("/")
    assert reply.status == 404
    assert "no on_request" in reply.text


def test_clients_that_take_http_for_https_are_told(serve: Serve) -> None:
    site = start(serve, True, on_request=path_of)
    reply = site.plain().request("/")
    assert (reply.status, reply.text) == (
        400, "This port speaks TLS: use https:// instead of http://.\n"
    )  # fmt: skip


def test_clients_that_take_https_for_http_are_told(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    client = start(serve, False, on_request=path_of).connect()
    client.send_bytes(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    assert client.receive_reply().text == "This port does not speak TLS: use http:// here.\n"
    assert "a TLS client on a plain http port" in caplog.text
    assert "for https give the worker cert and key" in caplog.text


def test_tls_inside_of_tls_is_told_as_such(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    client = start(serve, True, on_request=path_of).connect()
    client.send_bytes(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    assert "somebody in front encrypts twice" in client.receive_reply().text
    assert "it must use" not in caplog.text
