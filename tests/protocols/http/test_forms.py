"""Forms: fields and files, whole and in pieces, and those that are none."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from lineman.errors import HttpError, UsageError
from lineman.protocols.http.forms import MAX_PARTS, MAX_TEXT, TO_DISK, FormBody, read_form
from lineman.protocols.http.http_messages import Headers, Request
from lineman.protocols.http.requests import RequestParser

TYPE = "multipart/form-data; boundary=xX"


def part(disposition: str, body: bytes, *lines: str) -> bytes:
    head = "\r\n".join([f"Content-Disposition: form-data; {disposition}", *lines])
    return b"--xX\r\n" + head.encode() + b"\r\n\r\n" + body + b"\r\n"


END = b"--xX--\r\n"
FORM = (
    part('name="a"', b"1")
    + part('name="a"', "zwei ü\r\n--xY".encode())
    + part('name="f"; filename="C:\\\\dir\\\\x.txt"', b"data\r\n", "Content-Type: text/plain")
    + part('name="f"; filename="../../etc/passwd"', b"")
    + part('name="empty"', b"")
    + END
)


@pytest.mark.parametrize("size", [len(FORM), 64, 1])
def test_a_form_is_read_whole_and_in_pieces(size: int) -> None:
    body = FormBody(TYPE)
    for start in range(0, len(FORM), size):
        body.extend(FORM[start : start + size])
    form = body.finish()
    assert form.fields == {"a": ["1", "zwei ü\r\n--xY"], "empty": [""]}
    first, second = form.files["f"]
    assert (first.filename, first.content_type, first.size) == ("x.txt", "text/plain", 6)
    assert (first.read(2), first.read(), first.read()) == (b"da", b"ta\r\n", b"")
    assert (second.filename, second.content_type) == ("passwd", "application/octet-stream")
    assert len(body) == len(FORM)


def test_a_request_has_the_first_of_each_and_all() -> None:
    request = Request("POST", "/", "1.1", Headers([("Content-Type", TYPE)]), FORM)
    assert request.form == {"a": "1", "empty": ""}
    assert request.form_all["a"] == ["1", "zwei ü\r\n--xY"]
    assert request.files["f"].filename == "x.txt"
    assert len(request.files_all["f"]) == 2


def test_a_form_of_a_page_is_read() -> None:
    form = read_form("application/x-www-form-urlencoded; charset=utf-8", b"a=1&b=%C3%BC+x&a=&c")
    assert form.fields == {"a": ["1", ""], "b": ["ü x"], "c": [""]}


@pytest.mark.parametrize("kind", [None, "", "application/json", "multipart/mixed; boundary=xX"])
def test_other_bodies_are_no_form(kind: str | None) -> None:
    form = read_form(kind, FORM)
    assert (form.fields, form.files) == ({}, {})


def test_a_large_file_lies_on_disk_and_can_be_saved(tmp_path: Path) -> None:
    data = bytes(range(256)) * 4 * (TO_DISK // 1024 + 1)
    body = FormBody(TYPE)
    body.extend(part('name="f"; filename="x"', data) + END)
    assert body.__sizeof__() < 4096
    uploaded = body.finish().files["f"][0]
    assert uploaded._file._rolled  # type: ignore[attr-defined]
    uploaded.read(10)
    uploaded.save(tmp_path / "saved")
    assert (tmp_path / "saved").read_bytes() == data
    with pytest.raises(UsageError, match="is a directory"):
        uploaded.save(tmp_path)


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        (TYPE, FORM[:-8], 400),
        (TYPE, b"", 400),
        (TYPE, b"no boundary here, and long enough", 400),
        (TYPE, FORM.replace(b"\r\n", b"\n"), 400),
        (TYPE, part("", b"x") + END, 400),
        (TYPE, b"--xX\r\n\r\nx\r\n" + END, 400),
        (TYPE, part('name=""', b"x") + END, 400),
        (TYPE, part('name="a"', b"x", "Bad Name: a") + END, 400),
        (TYPE, part('name="a"', b"x", "A: " + "b" * 5000) + END, 413),
        (TYPE, part('name="a"', b"x", *["A: b"] * 20) + END, 413),
        (TYPE, part('name="a"', b"x") * (MAX_PARTS + 1) + END, 413),
        (TYPE, part('name="a"', b"x" * MAX_TEXT + b"y") + END, 413),
        ("multipart/form-data", FORM, 400),
        ("multipart/form-data; boundary=", FORM, 400),
        ("multipart/form-data; x-boundary=xX", FORM, 400),
        ("multipart/form-data; boundary=\xfc\u2028", FORM, 400),
        ("application/x-www-form-urlencoded", b"a=1&" * (MAX_PARTS + 1), 413),
        ("application/x-www-form-urlencoded", b"a=" + b"x" * MAX_TEXT, 413),
    ],
)
def test_a_form_that_is_none_or_too_large_is_refused(kind: str, body: bytes, status: int) -> None:
    with pytest.raises(HttpError) as caught:
        read_form(kind, body)
    assert caught.value.status == status


def test_a_disk_without_room_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**given: Any) -> Any:
        return os.fdopen(os.open("/dev/full", os.O_WRONLY), "wb", 0)

    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", full)
    with pytest.raises(HttpError, match="No space left") as caught:
        FormBody(TYPE).extend(part('name="f"; filename="x"', b"data") + END)
    assert caught.value.status == 507


# As it comes: the parser writes files down where the limit of a form is larger.


def head(size: int, *lines: str) -> bytes:
    return "\r\n".join(
        ("POST / HTTP/1.1", "Host: a", f"Content-Type: {TYPE}", f"Content-Length: {size}", *lines,
         "", "")
    ).encode()  # fmt: skip


@pytest.mark.parametrize("size", [100_000, 7])
def test_a_form_larger_than_a_body_is_written_down_as_it_comes(size: int) -> None:
    parser = RequestParser(1000, 100, max_upload_size=100_000)
    data = head(len(FORM)) + FORM + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    found = []
    for start in range(0, len(data), size):
        found += parser.feed(data[start : start + size])
    assert parser.error is None
    post, get = found
    assert post.form == {"a": "1", "empty": ""}
    assert post.files["f"].read() == b"data\r\n"
    assert (post.body, get.method) == (b"", "GET")


def test_another_body_has_the_limit_of_a_body() -> None:
    parser = RequestParser(1000, 100, max_upload_size=100_000)
    parser.feed(head(101).replace(TYPE.encode(), b"text/plain"))
    assert parser.error is not None
    assert parser.error.status == 413


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (head(100_001), 413),
        (head(len(FORM) - 8) + FORM[:-8], 400),
        (head(len(FORM)) + FORM.replace(b"xX", b"yY"), 400),
        (head(5).replace(b"boundary=xX", b"bound=xX") + b"12345", 400),
    ],
    ids=["too large", "cut", "another boundary", "none"],
)
def test_a_form_that_cannot_be_read_is_refused_as_it_comes(data: bytes, status: int) -> None:
    parser = RequestParser(1000, 100, max_upload_size=100_000)
    assert parser.feed(data) == []
    assert parser.error is not None
    assert parser.error.status == status
    assert parser.feed(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n") == []
