"""Files that an application names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kit.asgi_apps import Told, start
from kit.site import Serve


def naming(path: object, *headers: tuple[bytes, bytes]) -> Told:
    async def steps(scope: Any, receive: Any, send: Any) -> None:
        await send(start(200, *headers))
        await send({"type": "http.response.pathsend", "path": path})

    return Told(steps)


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_a_file_is_sent_whole(serve_app: Serve, tmp_path: Path, tls: bool) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(range(256)) * 4000)
    client = serve_app(naming(str(file)), tls).connect()
    for _ in range(2):
        assert client.request("/").body == file.read_bytes()
    assert client.request("/", method="HEAD").headers["content-length"] == str(1_024_000)


def test_an_empty_file_is_sent(serve_app: Serve, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert serve_app(naming(str(file))).connect().request("/").status == 200


def test_a_relative_path_is_one_of_the_directory_of_the_process(
    serve_app: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    monkeypatch.chdir(tmp_path)
    assert serve_app(naming("file")).connect().request("/").body == b"abc"


def test_what_is_no_file_is_a_500(
    serve_app: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"abc")
    wrong = [
        (naming("relative"), "No such file"),
        (naming(None), "is None; ASGI: a text"),
        (naming(str(tmp_path)), "no regular file"),
        (naming(str(tmp_path / "none")), "No such file"),
        (naming(str(file), (b"content-length", b"7")), "has 3 bytes"),
    ]
    for app, told in wrong:
        assert serve_app(app).connect().request("/").status == 500
        assert told in caplog.text
