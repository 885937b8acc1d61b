"""What requests bring: forms, files and JSON; and errors that a program answers with."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kit.site import Serve
from lineman import HttpError, Request

TYPE = [("Content-Type", "multipart/form-data; boundary=xX")]


def form_of(data: bytes) -> bytes:
    return (
        b'--xX\r\nContent-Disposition: form-data; name="title"\r\n\r\nhello\r\n--xX\r\n'
        b'Content-Disposition: form-data; name="f"; filename="a.bin"\r\n\r\n' + data +
        b"\r\n--xX--\r\n"
    )  # fmt: skip


def told(request: Request) -> str:
    uploaded = request.files["f"]
    return f"{request.form['title']} {uploaded.filename} {uploaded.size} {uploaded.read(3)!r}"


@pytest.mark.parametrize("limit", [0, 3_000_000])
def test_a_form_with_a_file_comes_through(serve: Serve, tls: bool, limit: int) -> None:
    site = serve(tls, on_request=told, max_message_size=1_000_000, max_upload_size=limit)
    client = site.connect()
    for _ in range(2):
        reply = client.request("/", TYPE, method="POST", body=form_of(b"x" * 500_000))
        assert reply.text == "hello a.bin 500000 b'xxx'"
    client.send_bytes(
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\nExpect: 100-continue\r\n"
        b"Content-Type: multipart/form-data; boundary=xX\r\n\r\n"
    )
    assert client.receive_reply().status == (100 if limit else 413)


def test_a_large_upload_takes_no_memory(serve: Serve, tmp_path: Path) -> None:
    async def save(request: Request) -> str:
        await asyncio.to_thread(request.files["f"].save, tmp_path / "saved")
        return "saved"

    site = serve(on_request=save, max_message_size=10_000, max_upload_size=20_000_000)
    client = site.connect()
    data = bytes(10_000_000)
    body = form_of(data)
    head = f"POST / HTTP/1.1\r\nHost: x\r\n{': '.join(TYPE[0])}\r\nContent-Length: {len(body)}\r\n"
    client.send_bytes(f"{head}\r\n".encode() + body[:-10])
    service = site.worker.service
    assert service is not None
    assert site.call(lambda: service.unfinished.size) < 10_000
    client.send_bytes(body[-10:])
    assert client.receive_reply().text == "saved"
    assert (tmp_path / "saved").read_bytes() == data


def test_json_comes_through(serve: Serve, tls: bool) -> None:
    def double(request: Request) -> str:
        return json.dumps(request.json()["n"] * 2)

    client = serve(tls, on_request=double).connect()
    assert client.request("/", method="POST", body=b'{"n": 21}').text == "42"


def broken_form(request: Request) -> str:
    return request.form["a"]


async def broken_json(request: Request) -> Any:
    await asyncio.sleep(0)
    return request.json()


async def broken_in_pieces(request: Request) -> AsyncIterator[str]:
    yield request.json()


@pytest.mark.parametrize("handler", [broken_form, broken_json, broken_in_pieces])
def test_what_a_client_sends_wrongly_is_its_own_fault(
    serve: Serve, tls: bool, handler: Any, caplog: pytest.LogCaptureFixture
) -> None:
    client = serve(tls, on_request=handler).connect()
    for _ in range(2):  # and costs it no connection
        reply = client.request("/", TYPE, method="POST", body=b"rubbish, and long enough")
        assert reply.status == 400
    assert "Traceback" not in caplog.text


def test_a_program_may_answer_with_an_error(serve: Serve) -> None:
    def refuse(request: Request) -> str:
        raise HttpError(402, "pay first", (("X-Price", "5"),))

    client = serve(on_request=refuse).connect()
    for _ in range(2):
        reply = client.request("/")
        assert (reply.status, reply.text) == (402, "pay first\n")
        assert reply.headers["x-price"] == "5"


def test_an_upload_that_ends_in_the_middle_leaves_nothing(serve: Serve, tls: bool) -> None:
    site = serve(tls, on_request=told, max_upload_size=3_000_000)
    client = site.connect()
    client.send_bytes(
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n"
        b"Content-Type: multipart/form-data; boundary=xX\r\n\r\n" + form_of(bytes(200_000))[:-20]
    )
    client.close()
    site.wait_until_empty()
