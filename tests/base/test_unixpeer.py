"""The user who listens at a unix socket; another user is not sent anything."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineman import AsyncGatewayClient, GatewayClient, NotReachedError
from lineman.base.unixpeer import open_directory, refusal, stranger
from lineman.errors import ConfigError
from lineman.process.rundir.control_request import ask
from lineman.process.rundir.owner import Owner, acting_as
from lineman.process.rundir.rundir import control_path

NOBODY = pwd.getpwnam("nobody")
IS_ROOT = os.geteuid() == 0
OWNER = Owner(NOBODY.pw_uid, NOBODY.pw_gid, (NOBODY.pw_gid,), "nobody", NOBODY.pw_dir)


class Impostor:
    """A listener of another user, which keeps what it receives and accepts everything."""

    def __init__(self, path: Path) -> None:
        self.heard = b""
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        with acting_as(OWNER):  # the kernel notes who it is that begins to listen
            self._socket.listen()
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                end, _ = self._socket.accept()
            except OSError:
                return
            with end:
                while data := end.recv(4096):
                    self.heard += data
                    if data.endswith(b"\n"):
                        end.sendall(json.dumps({"ok": True, "text": "done"}).encode() + b"\n")

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory where every user may write."""
    made = tmp_path / "shared"
    made.mkdir()
    made.chmod(0o1777)
    return made


@pytest.fixture
def impostor(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Impostor]:
    found = Impostor(folder / "app.sock")
    if IS_ROOT:
        os.chown(folder / "app.sock", NOBODY.pw_uid, NOBODY.pw_gid)  # he has put it there
    else:  # who is not root cannot be somebody else; then it is we who are
        own = os.geteuid()
        monkeypatch.setattr(os, "geteuid", lambda: own + 1)
    yield found
    found.close()


def test_nothing_is_pushed_to_somebody_else(impostor: Impostor, folder: Path) -> None:
    address = f"unix://{folder}/app.sock"
    with GatewayClient(address) as client:
        with pytest.raises(NotReachedError, match="listens there and is not the service's user"):
            client.send_to_all("secret")
        own = f"everybody may write to {folder}" if IS_ROOT else "service's user or as root"
        with pytest.raises(NotReachedError, match=own):
            client.get_all_client_count()
        with pytest.raises(NotReachedError, match=r'user "[^"]+" listens there'):
            client.get_all_client_count()

    async def push() -> None:
        async with AsyncGatewayClient(address):
            pass

    with pytest.raises(NotReachedError, match="nothing is pushed to"):
        asyncio.run(push())
    assert impostor.heard == b""


def test_a_command_does_not_believe_somebody_else(impostor: Impostor, folder: Path) -> None:
    pid_file = folder / "app.pid"
    pid_file.write_text("1")
    assert control_path(pid_file) == folder / "app.sock"
    with pytest.raises(ConfigError, match="its answers are not believed"):
        ask(pid_file, {"command": "stop"}, 5.0)
    assert impostor.heard == b""


def test_where_not_everybody_may_write_root_believes_who_was_let_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "app.sock"
    impostor = Impostor(path)
    monkeypatch.setattr("lineman.base.unixpeer.open_directory", lambda path: None)
    try:
        with socket.socket(socket.AF_UNIX) as end:
            end.connect(str(path))
            monkeypatch.setattr(os, "geteuid", lambda: 0)
            os_owner = os.stat(path).st_uid
            assert stranger(end, path) == ('user "nobody"' if os_owner == 0 else "")
            if os_owner == 0:
                os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
                assert stranger(end, path) == ""
    finally:
        impostor.close()


def test_a_way_is_open_where_one_directory_of_it_is(folder: Path, tmp_path: Path) -> None:
    folder.chmod(0o777)
    (folder / "inner").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(folder / "inner")
    assert open_directory(folder / "app.sock") == folder
    assert open_directory(folder / "inner" / "app.sock") == folder
    assert open_directory(tmp_path / "link" / "app.sock") == folder
    assert open_directory("/usr/app.sock") is None


def test_what_is_roots_in_a_sticky_directory_is_nobodys_to_replace(folder: Path) -> None:
    (folder / "inner").mkdir(mode=0o755)
    for name in ("inner/app.sock", "app.sock"):
        (folder / name).touch()
    is_closed = IS_ROOT  # a directory that this test has made is root's only then
    assert (open_directory(folder / "inner" / "app.sock") is None) == is_closed
    assert (open_directory(folder / "app.sock") is None) == is_closed
    if IS_ROOT:
        os.chown(folder / "inner", NOBODY.pw_uid, NOBODY.pw_gid)
        os.chown(folder / "app.sock", NOBODY.pw_uid, NOBODY.pw_gid)
    assert open_directory(folder / "inner" / "app.sock") == folder
    assert open_directory(folder / "app.sock") == folder


def test_root_pushes_to_a_service_of_somebody_else_below_tmp(folder: Path) -> None:
    if not IS_ROOT:
        return  # only root can be two users
    inner = folder / "inner"
    inner.mkdir(mode=0o755)
    impostor = Impostor(inner / "app.sock")
    os.chown(inner / "app.sock", NOBODY.pw_uid, NOBODY.pw_gid)
    try:
        with socket.socket(socket.AF_UNIX) as end:
            end.connect(str(inner / "app.sock"))
            assert stranger(end, inner / "app.sock") == ""
    finally:
        impostor.close()


def test_who_may_not_push_is_told_whose_the_socket_is(folder: Path) -> None:
    path = folder / "app.sock"
    with socket.socket(socket.AF_UNIX) as end:
        end.bind(str(path))
        end.listen()
        path.chmod(0o600)
        if not IS_ROOT:
            assert "may not connect to the socket of user" in refusal(path)
            return
        for each in folder.parents:
            if each.owner() == "root" and each != Path("/tmp"):
                each.chmod(each.stat().st_mode | 0o055)
        with acting_as(OWNER), pytest.raises(NotReachedError) as caught:
            asyncio.run(AsyncGatewayClient(f"unix://{path}").connect())
        told = str(caught.value)
        assert 'user "nobody" may not connect to the socket of user "root" (mode 0600)' in told
        assert 'run it as user "root"' in told
        assert "push_token" in told
        folder.chmod(0o700)
        with acting_as(OWNER):
            told = refusal(path)
        assert f'may not look into the directory {folder} of user "root"' in told
