"""Finding applications, and their lifespans."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from kit.asgi_apps import Told, hello
from lineman import Worker
from lineman.asgi.applications import Applications, load, name_of
from lineman.asgi.lifespan import LifespanError
from lineman.errors import ConfigError


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_an_application_is_found_by_its_spelling(modules: Path) -> None:
    (modules / "spelled.py").write_text("class Box:\n    async def app(s, r, w): ...\n")
    found = load("spelled:Box.app")
    assert name_of(found) == "spelled:Box.app"
    assert name_of("spelled:Box.app") == "spelled:Box.app"
    assert name_of(Told(hello)) == "Told"
    assert load(hello) is hello


@pytest.mark.parametrize(
    ("text", "app", "told"),
    [
        ("", "no_such_module_here:app", "there is no module no_such_module_here"),
        ("application = 1\n", "broken_a:app", "write one of its names: application"),
        (
            "import os\nfrom enum import Enum\ndef make(): ...\nshop = print\nx = Enum\nthe = {}\n",
            "broken_g:app",
            "write one of its names: make, the$",
        ),
        ("app = 1\n", "broken_b:app", "which is of type int"),
        ("import no_such_thing\n", "broken_c:app", "No module named 'no_such_thing'"),
        ("raise ValueError('x')\n", "broken_d:app", "ValueError: x at .*broken_d.py:1"),
        ("app = (\n", "broken_e:app", r"SyntaxError: '\(' was never closed at .*broken_e.py:1"),
        ("raise SystemExit(3)\n", "broken_f:app", "SystemExit: 3 at .*broken_f.py:1"),
    ],
)
def test_an_application_that_is_not_found_says_what_to_write(
    modules: Path, text: str, app: str, told: str
) -> None:
    (modules / f"{app.partition(':')[0]}.py").write_text(text) if text else None
    with pytest.raises(ConfigError, match=told):
        load(app)


def test_an_application_of_wsgi_says_what_to_write() -> None:
    def flask(environ: Any, start_response: Any) -> list[bytes]:
        return []

    with pytest.raises(ConfigError, match=r"cannot be called with .*; fix: give --interface wsgi"):
        Applications(flask, "auto")


def life(name: str, notes: list[str], fails: bool = False) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        notes.append(f"{name} starts")
        outcome = "failed" if fails else "complete"
        await send({"type": f"lifespan.startup.{outcome}", "message": name})
        if not fails:
            await receive()
            notes.append(f"{name} ends")
            await send({"type": "lifespan.shutdown.complete"})

    return app


def test_lifespans_end_in_the_opposite_order() -> None:
    notes: list[str] = []

    async def run() -> None:
        apps = Applications({"/": life("a", notes), "/b": life("b", notes)}, "auto")
        await apps.start()
        await apps.stop(1)

    asyncio.run(run())
    assert notes == ["a starts", "b starts", "b ends", "a ends"]


def test_those_before_one_that_cannot_start_are_ended() -> None:
    notes: list[str] = []

    async def run() -> None:
        apps = Applications({"/": life("a", notes), "/b": life("b", notes, fails=True)}, "auto")
        with pytest.raises(LifespanError):
            await apps.start()

    asyncio.run(run())
    assert notes == ["a starts", "b starts", "a ends"]


def test_a_worker_whose_application_cannot_start_can_be_started_again() -> None:
    async def run() -> None:
        worker = Worker("http://127.0.0.1:0", app=life("a", [], fails=True))
        with pytest.raises(LifespanError, match="the lifespan failed at the start: a"):
            await worker.start()
        assert worker.service is None
        worker.app = life("b", [])
        await worker.start()
        await worker.stop()

    asyncio.run(run())
