"""Files as answers: whole, in parts, for slow clients, and those that are none."""

from __future__ import annotations

import asyncio
import select
from pathlib import Path
from typing import Any

import pytest

from kit.http_clients import connect, get
from kit.site import Serve
from kit.waiting import wait_until
from lineman import Connection, ConnectionLost, Request, Response


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "a.txt").write_bytes(b"0123456789")
    (folder / "big.bin").write_bytes(bytes(range(256)) * 20_000)
    (folder / "empty").write_bytes(b"")
    (tmp_path / "secret").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "inside").symlink_to(folder / "a.txt")
    (folder / "dir").mkdir()
    return folder


def test_a_file_is_sent_whole_and_in_parts(serve: Serve, tls: bool, folder: Path) -> None:
    client = connect(
        serve(tls, on_request=lambda request: Response(file=request.path, root=folder))
    )
    answer = get(client, "/a.txt")
    assert (answer.status, answer.read()) == (200, b"0123456789")
    assert answer.getheader("Content-Type") == "text/plain; charset=utf-8"
    assert answer.getheader("Content-Length") == "10"
    etag = answer.getheader("ETag") or ""
    answer = get(client, "/a.txt", Range="bytes=2-4")
    assert (answer.status, answer.read()) == (206, b"234")
    assert answer.getheader("Content-Range") == "bytes 2-4/10"
    answer = get(client, "/a.txt", Range="bytes=10-")
    assert (answer.status, answer.read()) == (416, b"")
    answer = get(client, "/a.txt", If_None_Match=etag)
    assert (answer.status, answer.getheader("ETag"), answer.read()) == (304, etag, b"")
    answer = get(client, "/a.txt", "HEAD")
    assert (answer.getheader("Content-Length"), answer.read()) == ("10", b"")
    answer = get(client, "/big.bin")
    assert answer.read() == bytes(range(256)) * 20_000
    assert get(client, "/empty").read() == b""
    assert get(client, "/inside").read() == b"0123456789"


@pytest.mark.parametrize(
    "path",
    [
        "/missing", "/dir", "/dir/", "/", "/../secret", "/%2e%2e/secret", "/dir/../../secret",
        "/link", "/a.txt/x", "/%00", "/" + "x" * 300, "//etc/passwd", "/./../secret",
    ],
)  # fmt: skip
def test_what_is_no_file_of_the_root_is_404(serve: Serve, folder: Path, path: str) -> None:
    site = serve(on_request=lambda request: Response(file=request.path, root=folder))
    reply = site.connect().request(path)
    assert (reply.status, reply.text) == (404, "Not Found\n")


def test_a_path_that_climbs_without_a_root_is_500(
    serve: Serve, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    site = serve(on_request=lambda request: Response(file=f"{folder}{request.path}"))
    assert site.connect().request("/a.txt").text == "0123456789"
    assert site.connect().request("/../secret").status == 500
    assert "give root=" in caplog.text


def test_a_file_that_nobody_may_read_is_500(
    serve: Serve, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    loop = folder / "loop"
    loop.symlink_to(loop)
    site = serve(on_request=lambda request: Response(file=loop))
    assert site.connect().request("/").status == 500
    assert "symbolic link" in caplog.text


def test_a_file_that_shrinks_is_not_taken_for_a_whole_one(
    serve: Serve, tls: bool, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    site = serve(tls, on_request=lambda request: Response(file=folder / "big.bin"))
    client = site.connect(receive_buffer=4096)
    client.send_bytes(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    first = client.receive_bytes()
    with (folder / "big.bin").open("r+b") as file:
        file.truncate(1000)
    rest = client.receive_all()
    assert len(first) + len(rest) < 5_120_000
    assert "has become shorter" in caplog.text


def test_a_slow_client_of_a_file_takes_no_memory_and_gets_all(
    serve: Serve, tls: bool, folder: Path
) -> None:
    site = serve(tls, on_request=lambda request: Response(file=folder / "big.bin"))
    client = site.connect(receive_buffer=4096)
    client.send_bytes(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    client.receive_bytes()
    service = site.worker.service
    assert service is not None
    handlers = site.call(service.poller.handlers)
    assert max(getattr(each, "unsent", 0) for each in handlers) < 300_000
    assert client.receive_all().endswith(bytes(range(256)))


def test_a_client_that_ends_its_side_gets_the_whole_file(
    serve: Serve, tls: bool, folder: Path
) -> None:
    site = serve(tls, on_request=lambda request: Response(file=folder / "big.bin"))
    client = site.connect()
    client.send_bytes(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    client.end_writing()
    assert client.receive_all().endswith(bytes(range(256)) * 20_000)


def test_a_broken_connection_whose_end_waits_for_its_turn_takes_no_file(
    serve: Serve, folder: Path
) -> None:
    async def slow(request: Request) -> str:
        gone = asyncio.Event()
        request.on_disconnect(gone.set)
        await gone.wait()
        return ""

    site = serve(on_request=slow)
    client = site.connect()
    ask = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    client.send_bytes(ask)
    service = site.worker.service
    assert service is not None

    def connection() -> Any:
        found = [each for each in service.poller.handlers() if isinstance(each, Connection)]
        return found[0] if found else None

    wait_until(lambda: site.call(lambda: service.newcomers == {} and connection()), "it is asked")
    client.send_bytes(ask)  # is read, and kept
    wait_until(lambda: site.call(lambda: connection().bytes_read == 2 * len(ask)), "it is kept")

    def send() -> None:
        client.reset()
        broken = select.poll()
        for fd in service.descriptors():
            broken.register(fd, 0)
        assert broken.poll(10_000)  # before the service knows of it
        with (folder / "a.txt").open("rb") as file, pytest.raises(ConnectionLost):
            connection().send_file(file.fileno(), 0, 10).send(None)

    site.call(send)
    site.wait_until_empty()
