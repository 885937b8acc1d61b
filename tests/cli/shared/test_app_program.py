"""The worker of `lineman serve`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.site import Site
from lineman import ConfigError, Worker
from lineman.cli.shared import serve_options
from lineman.cli.shared.app_program import main, worker_of
from lineman.config import applied_settings

MODULE = """
import os
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": os.environ["PLACE"].encode()})
def make():
    return app
def number():
    return 3
def fails():
    return {}["x"]
def ends():
    raise SystemExit(3)
def wsgi(environ, start_response):
    start_response("200 OK", [("content-type", "text/plain")])
    return [environ["PATH_INFO"].encode(), environ["wsgi.input"].read()]
"""


@pytest.fixture(autouse=True)
def own_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "argv", [*sys.argv])
    yield
    applied_settings.forget()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(Worker, "all_workers", [])
    (tmp_path / "served_module.py").write_text(MODULE)
    (tmp_path / "env").write_text("PLACE=here\n")
    yield tmp_path
    sys.modules.pop("served_module", None)
    os.environ.pop("PLACE", None)


def site_of(folder: Path, app: str, *words: str) -> Site:
    parser = argparse.ArgumentParser()
    serve_options.add_to(parser)
    places = ("--app-dir", str(folder), "--env-file", str(folder / "env"), "--port", "0")
    return Site(worker_of(parser.parse_args([app, *places, *words])), None)


@pytest.mark.parametrize("words", [("served_module:app",), ("served_module:make", "--factory")])
def test_an_application_is_served(folder: Path, words: tuple[str, ...]) -> None:
    with site_of(folder, *words) as site:
        assert site.connect().request("/").text == "here"
        site.close_clients()


def test_an_application_of_wsgi_is_served(folder: Path) -> None:
    with site_of(folder, "served_module:wsgi", "--interface", "wsgi") as site:
        reply = site.connect()
        reply.send_bytes(
            b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody"
        )
        data = reply.receive_all()
        assert b"/a" in data
        assert b"body" in data
        site.close_clients()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("served_module:number", "--factory"), "makes an object of type int"),
        (("served_module:fails", "--factory"), "raised KeyError: 'x' at .*served_module.py:"),
        (("served_module:ends", "--factory"), "raised SystemExit: 3 at"),
        (("served_module:app", "--interface", "wsgi"), "is an application of ASGI"),
        (("served_module:app", "--app-dir", "/no/such"), "there is no such directory"),
        (("served_module:app", "--env-file", "/no/such"), "--env-file /no/such: No such file"),
        (("served_module:app", "--env-file", "bad"), "--env-file bad: line 1 is no NAME=value"),
        (("served_module:app", "--env-file", "latin"), "--env-file latin: is no UTF-8"),
    ],
)
def test_what_cannot_be_served_is_an_error_in_words(
    folder: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], told: str
) -> None:
    monkeypatch.chdir(folder)
    (folder / "bad").write_text("=3\n")
    (folder / "latin").write_bytes(b"A=\xe9\n")
    with pytest.raises(ConfigError, match=told):
        site_of(folder, *words)


def test_an_application_that_is_not_found_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="1"):
        main(["no_such_module:app"])
    assert capsys.readouterr().err.startswith("lineman: app is 'no_such_module:app'")
