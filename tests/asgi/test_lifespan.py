"""The lifespan of an application."""

from __future__ import annotations

import asyncio
import functools
from typing import Any

import pytest

from lineman.asgi.lifespan import Lifespan, LifespanError


def in_a_loop(test: Any) -> Any:
    """Runs a coroutine function as a test."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


class Life:
    """An application that answers as it is told."""

    def __init__(self, startup: Any = "complete", shutdown: Any = "complete") -> None:
        self.answers = {"lifespan.startup": startup, "lifespan.shutdown": shutdown}
        self.seen: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "lifespan"
        scope["state"]["db"] = "open"
        while True:
            kind = (await receive())["type"]
            self.seen.append(kind)
            answer = self.answers[kind]
            if answer is None:
                await asyncio.Event().wait()
            if isinstance(answer, BaseException):
                raise answer
            await send({"type": f"{kind}.{answer}", "message": "the database is away"})
            if kind == "lifespan.shutdown":
                return


@in_a_loop
async def test_state_and_both_ends() -> None:
    app = Life()
    life = Lifespan(app, "main:app", "auto")
    await life.start()
    assert life.state == {"db": "open"}
    await life.stop(1)
    assert app.seen == ["lifespan.startup", "lifespan.shutdown"]


@pytest.mark.parametrize("mode", ["auto", "on"])
@in_a_loop
async def test_an_application_that_cannot_start_says_why(mode: str) -> None:
    life = Lifespan(Life(startup="failed"), "main:app", mode)
    with pytest.raises(LifespanError, match="main:app: the lifespan failed at the start: the data"):
        await life.start()


@in_a_loop
async def test_a_traceback_that_an_application_says_is_its_last_line_and_lines_of_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        said = "Traceback:\n  File x\nValueError: no database\n"
        await send({"type": "lifespan.startup.failed", "message": said})

    with pytest.raises(LifespanError, match=r"failed at the start: ValueError: no database$"):
        await Lifespan(app, "main:app", "auto").start()
    assert [each.message for each in caplog.records] == [
        "main:app: Traceback:",
        "main:app:   File x",
        "main:app: ValueError: no database",
    ]


async def _none(scope: Any, receive: Any, send: Any) -> None:
    raise KeyError("path")


async def _returns(scope: Any, receive: Any, send: Any) -> None: ...


@pytest.mark.parametrize("app", [_none, _returns, Life(startup=ValueError("x"))])
@in_a_loop
async def test_an_application_without_a_lifespan_is_served_all_the_same(
    app: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "lineman")
    life = Lifespan(app, "main:app", "auto")
    await life.start()
    assert life.state is None
    assert "main:app has no lifespan: it" in caplog.text
    await life.stop(1)
    with pytest.raises(LifespanError, match=r"ASGI: answer 'lifespan\.startup\.complete'"):
        await Lifespan(app, "main:app", "on").start()
    await Lifespan(app, "main:app", "off").start()


@in_a_loop
async def test_an_end_that_does_not_come_is_told_and_cancelled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    life = Lifespan(Life(shutdown=None), "main:app", "auto")
    await life.start()
    await life.stop(0.05)
    assert "has not ended within 0.05 s (stop_timeout); ASGI: answer" in caplog.text


@pytest.mark.parametrize(
    ("shutdown", "told"),
    [("failed", "failed at the end: the database"), (ValueError("x"), "ValueError: x")],
)
@in_a_loop
async def test_an_end_that_fails_is_told(
    shutdown: Any, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    life = Lifespan(Life(shutdown=shutdown), "main:app", "auto")
    await life.start()
    await life.stop(1)
    assert told in caplog.text


@in_a_loop
async def test_a_lifespan_that_has_ended_too_early_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})

    life = Lifespan(app, "main:app", "auto")
    await life.start()
    await asyncio.sleep(0)
    await life.stop(1)
    assert "ended before 'lifespan.shutdown'" in caplog.text


@pytest.mark.parametrize("kind", ["lifespan.startup.done", "http.response.start"])
@in_a_loop
async def test_a_message_that_a_lifespan_does_not_know_is_refused(kind: str) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": kind})

    with pytest.raises(LifespanError, match="in its lifespan; ASGI allows there"):
        await Lifespan(app, "main:app", "on").start()
