"""Websockets on a unix socket: its file, its permissions, and its clients' identity."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from lineman import ConfigError, Connection, Worker
from lineman.config import checked_options
from lineman.net.listening.unixsocket import SocketFile
from lineman.testing.client import RawClient
from lineman.testing.serving import Serving


def worker_at(path: Path, **options: object) -> Worker:
    worker = Worker(f"ws+unix://{path}", **options)  # type: ignore[arg-type]

    @worker.on_message
    def answer(connection: Connection, message: str | bytes) -> None:
        connection.send(f"{connection.remote_ip} {connection.peer_address} {message!r}")

    return worker


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "app.sock"


def ask(path: Path, headers: list[tuple[str, str]] | None = None) -> str:
    with RawClient(0, str(path)).open("/", headers or []) as client:
        client.send("hi")
        return str(client.receive())


def test_a_client_of_a_unix_socket_is_called_unix(path: Path) -> None:
    with Serving(worker_at(path)) as site:
        assert ask(path, [("X-Real-IP", "6.6.6.6")]) == "unix unix 'hi'"
        assert site.worker.url == f"ws+unix://{path}"
    assert not path.exists()


def test_headers_count_where_unix_is_trusted(path: Path) -> None:
    with Serving(worker_at(path, trusted_proxies=["unix"])):
        assert ask(path, [("X-Real-IP", "192.0.2.7")]) == "192.0.2.7 unix 'hi'"
        assert ask(path) == "unknown unix 'hi'"


def test_the_proxy_protocol_works_there_too(path: Path) -> None:
    with Serving(worker_at(path, trusted_proxies=["unix"], proxy_protocol="required")):
        header = b"PROXY TCP4 192.0.2.7 198.51.100.1 5000 443\r\n"
        with RawClient(0, str(path), preamble=header).open() as client:
            client.send("hi")
            assert client.receive() == "192.0.2.7 unix 'hi'"


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
def test_the_file_has_the_mode_that_was_asked_for_whatever_the_umask(path: Path, mode: int) -> None:
    before = os.umask(0o077)
    try:
        with Serving(worker_at(path, socket_mode=mode)):
            assert stat.S_IMODE(path.stat().st_mode) == mode
        assert os.umask(0o077) == 0o077
    finally:
        os.umask(before)


def test_what_a_dead_service_left_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
        dead.listen()
    assert path.exists()
    with Serving(worker_at(path)):
        assert "hi" in ask(path)


def test_a_service_that_lives_is_not_pushed_aside(path: Path) -> None:
    with Serving(worker_at(path)):
        with pytest.raises(ConfigError, match="another process listens there"):
            Serving(worker_at(path)).__enter__()
        assert "hi" in ask(path)


def test_a_file_that_is_no_socket_is_left_alone(path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(ConfigError, match="is no socket"):
        Serving(worker_at(path)).__enter__()
    assert path.read_text() == "precious"


def test_a_directory_that_is_not_there_is_named(path: Path) -> None:
    with pytest.raises(ConfigError, match="install -d -g www-data -m 2750"):
        Serving(worker_at(path.parent / "none" / "app.sock")).__enter__()


def test_the_successors_file_is_not_deleted(path: Path) -> None:
    with Serving(worker_at(path)):
        path.unlink()
        path.write_text("another one")
    assert path.read_text() == "another one"
    SocketFile(str(path)).remove()
    assert not path.exists()


@pytest.mark.parametrize("mode", [True, 0, "660", 0o1777])
def test_a_mode_that_is_none_is_refused(path: Path, mode: object) -> None:
    with pytest.raises(ConfigError, match="socket_mode is"):
        checked_options.read(worker_at(path, socket_mode=mode))
