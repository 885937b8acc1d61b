"""Uncaught exceptions are logged by kind, wherever they are raised."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import Callable

import pytest

from lineman.runtime import uncaught


@pytest.fixture(autouse=True)
def _own_hooks(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    caplog.set_level(logging.ERROR, "lineman")


def installed(cause: Callable[[asyncio.AbstractEventLoop], object]) -> None:
    async def run() -> None:
        loop = asyncio.get_running_loop()
        uncaught.install(loop)
        cause(loop)

    asyncio.run(run())


def raise_in_thread(error: BaseException) -> None:
    def work() -> None:
        raise error

    thread = threading.Thread(target=work, name="crunching")
    thread.start()
    thread.join()


class Finaliser:
    """Fails when it is freed."""

    def __del__(self) -> None:
        raise ValueError("in a finaliser")


def test_an_error_of_the_loop_is_told_with_its_task(caplog: pytest.LogCaptureFixture) -> None:
    context = {"message": "it was never awaited", "task": "<Task chat>"}
    installed(lambda loop: loop.call_exception_handler(context))
    assert "it was never awaited: '<Task chat>'" in caplog.text
    caplog.clear()
    installed(lambda loop: loop.call_exception_handler({"message": "bad", "exception": OSError(5)}))
    assert "OSError: 5" in caplog.text


def test_a_thread_that_raises_is_named_and_one_that_exits_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    installed(lambda loop: raise_in_thread(SystemExit(3)))
    assert caplog.text == ""
    installed(lambda loop: raise_in_thread(ValueError("in a thread")))
    assert "the thread crunching ended with an exception" in caplog.text
    assert "ValueError: in a thread" in caplog.text


def test_an_error_of_a_finaliser_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    installed(lambda loop: Finaliser())
    assert "in a finaliser" in caplog.text


def test_a_flood_of_one_kind_writes_a_few_lines(caplog: pytest.LogCaptureFixture) -> None:
    def flood(loop: asyncio.AbstractEventLoop) -> None:
        for number in range(200):
            loop.call_exception_handler({"message": "a flood", "task": f"<Task {number}>"})

    installed(flood)
    assert 0 < caplog.text.count("a flood") < 50
