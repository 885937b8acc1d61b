"""The worker of `lineman serve`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.site import Site
from lineman import Worker
from lineman.cli.shared import serve_options
from lineman.cli.shared.app_program import main, worker_of

MODULE = """
import os
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body", "body": os.environ["PLACE"].encode()})
def make():
    return app
def wsgi(environ, start_response):
    start_response("200 OK", [("content-type", "text/plain")])
    return [environ["PATH_INFO"].encode(), environ["wsgi.input"].read()]
"""


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


def test_an_application_that_is_not_found_is_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="1"):
        main(["no_such_module:app"])
    assert capsys.readouterr().err.startswith("lineman: app is 'no_such_module:app'")
