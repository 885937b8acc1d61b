from __future__ import annotations

import socket
from pathlib import Path

import pytest

from kit.descriptors import descriptors, wait_until_none_is_left
from lineman.base.address import MAX_PATH
from lineman.base.unixpath import short_path
from lineman.errors import ConfigError


def test_a_path_that_fits_is_left_as_it_is() -> None:
    path = "/run/" + "x" * (MAX_PATH - 5)
    with short_path(path) as short:
        assert short == path
    with short_path(Path("/run/a.sock")) as short:
        assert short == "/run/a.sock"


def test_a_socket_in_a_directory_with_a_long_name_is_bound_and_dialled(tmp_path: Path) -> None:
    directory = tmp_path / ("x" * 120)
    directory.mkdir()
    path = directory / "a.sock"
    before = descriptors()
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        with short_path(path) as short:
            server.bind(short)
        assert path.is_socket()
        server.listen()
        with short_path(path) as short:
            client.connect(short)
    wait_until_none_is_left(before)


def test_what_cannot_be_reached_is_told_with_its_size_the_limit_and_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "y" * 100
    with pytest.raises(ConfigError) as told, short_path(f"/run/lineman/{name}"):
        pass
    assert f"/run/lineman/{name} has 113 bytes, the kernel takes {MAX_PATH}" in told.value.seen
    assert "shorter name" in told.value.fix
    monkeypatch.setattr("lineman.base.unixpath.PROC", str(tmp_path / "none"))
    with pytest.raises(ConfigError) as told, short_path("/" + "x" * 120 + "/a.sock"):
        pass
    assert "has 128 bytes" in told.value.seen
    assert "--pid-file /run/chat.pid" in told.value.fix


def test_a_directory_that_is_not_there_is_an_error_of_the_system() -> None:
    with pytest.raises(FileNotFoundError), short_path("/none/" + "x" * 120 + "/a.sock"):
        pass
