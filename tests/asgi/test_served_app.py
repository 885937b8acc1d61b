"""An application in the process that serves it."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import Any

import pytest

from kit.asgi_apps import Told, hello
from kit.site import Serve, Site
from kit.waiting import wait_until
from lineman import Worker
from lineman.asgi import served_app
from lineman.testing.client import RawClient


def test_a_call_that_ignores_the_end_of_its_client_is_named(
    serve_app: Serve, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served_app, "LINGERING", 0.1)

    async def steps(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.Event().wait()

    app = Told(steps)
    client = serve_app(app, stop_timeout=1).connect()
    client.send_bytes(b"GET /stuck HTTP/1.1\r\nHost: a\r\n\r\n")
    wait_until(lambda: app.scopes, "it is called")
    client.reset()
    wait_until(lambda: "GET /stuck) goes on 0.1 s after its client" in caplog.text, "it is named")


@pytest.mark.parametrize("closes", [True, False])
def test_a_websocket_whose_call_has_ended_is_not_kept_nor_named(
    serve_app: Serve,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    closes: bool,
) -> None:
    monkeypatch.setattr(served_app, "LINGERING", 0.1)

    async def steps(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        if closes:
            await send({"type": "websocket.close", "code": 4001})

    site = serve_app(Told(steps))
    client = site.open()
    assert client.receive_close().code == (4001 if closes else 1000)
    client.send_close(1000)
    assert client.receive_all() == b""
    site.wait_until_empty()
    served = site.call(lambda: site.worker.service.callbacks.app)
    assert not served._left
    assert "goes on" not in caplog.text


def test_what_a_call_returns_is_told(serve_app: Serve, caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> Any:
        if scope["type"] == "http":
            await hello(scope, receive, send)
        return [b"body"]

    assert serve_app(app, lifespan="off").connect().request("/").status == 200
    wait_until(lambda: "returned list, and ASGI wants nothing" in caplog.text, "it is told")


def test_the_address_of_a_client_comes_from_a_trusted_proxy(serve_app: Serve) -> None:
    app = Told(hello)
    site = serve_app(app, trusted_proxies=["127.0.0.1"])
    told = [("X-Forwarded-For", "192.0.2.7"), ("X-Forwarded-Proto", "https")]
    site.connect().request("/", told)
    site.connect().request("/")  # without a proxy between, on the same machine
    assert [scope["client"][0] for scope in app.scopes] == ["192.0.2.7", "127.0.0.1"]
    assert [scope["scheme"] for scope in app.scopes] == ["https", "http"]


def test_on_a_unix_socket_the_server_is_its_path_and_the_client_is_nobody(tmp_path: Path) -> None:
    app = Told(hello)
    path = tmp_path / "app.sock"
    site = Site(Worker(f"http+unix://{path}", app=app), None)
    with site, RawClient(0, host=str(path)) as client:
        client.send_bytes(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert b"hello" in client.receive_all()
    assert app.scopes[0]["server"] == (str(path), None)
    assert app.scopes[0]["client"] is None


def test_no_more_calls_are_made_than_max_connections(serve_app: Serve) -> None:
    release = asyncio.Event()

    async def steps(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/slow":
            await release.wait()
        await hello(scope, receive, send)

    app = Told(steps)
    site = serve_app(app, max_connections=1)
    slow, other = site.connect(), site.connect()
    slow.send_bytes(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
    wait_until(lambda: app.scopes, "it is called")
    refused = other.request("/")
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    site.call(release.set)
    assert slow.receive_reply().text == "hello"
    wait_until(lambda: app.ends, "the call is over")
    wait_until(lambda: other.request("/").status == 200, "the next one is taken")


def test_a_root_path_without_more_is_none(serve_app: Serve) -> None:
    app = Told(hello)
    serve_app(app, root_path="/").connect().request("/a")
    assert (app.scopes[0]["root_path"], app.scopes[0]["path"]) == ("", "/a")


def test_an_application_that_blocks_the_loop_is_named_with_its_line_and_the_seconds(
    serve_app: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        began = time.monotonic()
        while not service._standing.since(service._ticked_at) or time.monotonic() < began + 1.5:
            time.sleep(0.05)
        await hello(scope, receive, send)

    site = serve_app(Told(slow))
    service: Any = site.worker.service
    assert site.connect().request("/").text == "hello"
    wait_until(lambda: "the event loop stood still for " in caplog.text, "it is told")
    told = r"still for \d+\.\d s: \S+\.slow at \S+test_served_app.py:\d+ blocks; "
    assert re.search(told, caplog.text)
    assert "use async def with await, or asyncio.to_thread" in caplog.text
