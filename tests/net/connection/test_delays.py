"""`connection.after`: calls that a connection makes later, and that end with it."""

from __future__ import annotations

import asyncio
import gc
import math
import time
from collections.abc import Callable
from typing import Any

import pytest

from kit.recorder import Recorder
from kit.site import Serve, Site, echo, still_serves
from kit.waiting import wait_until
from lineman import Connection, UsageError


def opened(site: Site) -> Connection:
    site.open()
    wait_until(lambda: len(site.worker.connections) == 1, "it is open")
    return site.connection


def failures(site: Site) -> int:
    service = site.worker.service
    assert service is not None
    return service.exceptions


@pytest.mark.parametrize("seconds", [0, 0.01, 0.3, 0.6, 1])
def test_a_call_comes_after_its_seconds_and_never_before(serve: Serve, seconds: float) -> None:
    site = serve(on_message=echo)
    connection = opened(site)
    moments: list[float] = []
    began: list[float] = []

    def begin() -> None:
        for _ in range(20):
            began.append(time.monotonic())
            connection.after(seconds, lambda: moments.append(time.monotonic()))

    site.call(begin)
    wait_until(lambda: len(moments) == 20, "all have come")
    assert all(came - since >= seconds for came, since in zip(moments, began, strict=True))


def test_a_call_is_not_early_where_the_loop_has_stood_still_before(serve: Serve) -> None:
    connection = opened(site := serve())
    moments: list[float] = []

    def begin() -> None:
        time.sleep(0.4)  # the clocks of the loop and of the wheel are old now
        moments.append(time.monotonic())
        connection.after(0.55, lambda: moments.append(time.monotonic()))
        connection.after(0.05, lambda: moments.append(time.monotonic()))

    site.call(begin)
    wait_until(lambda: len(moments) == 3, "both have come")
    assert moments[1] - moments[0] >= 0.05
    assert moments[2] - moments[0] >= 0.55


def test_the_arguments_are_given(serve: Serve) -> None:
    connection = opened(site := serve())
    got: list[Any] = []
    site.call(connection.after, 0.01, lambda *args: got.append(args), 1, "two")
    wait_until(lambda: got == [(1, "two")], "they came")


def test_a_method_of_the_connection_works_without_arguments_and_with_them(serve: Serve) -> None:
    connection = opened(site := serve())
    site.call(connection.after, 0.01, connection.send, "late")
    assert site.clients[0].receive() == "late"
    site.call(connection.after, 0.01, connection.close)
    assert site.clients[0].receive().code == 1000  # type: ignore[union-attr]


def test_an_async_function_is_awaited(serve: Serve) -> None:
    connection = opened(site := serve())

    async def later(text: str) -> None:
        await asyncio.sleep(0)
        connection.send(text)

    site.call(connection.after, 0.01, later, "from a coroutine")
    assert site.clients[0].receive() == "from a coroutine"


@pytest.mark.parametrize("seconds", [0.2, 3])
def test_calls_end_with_the_connection_and_nothing_is_left(serve: Serve, seconds: float) -> None:
    on_close = Recorder()
    connection = opened(site := serve(on_message=echo, on_close=on_close))
    called: list[int] = []
    several: list[Any] = site.call(
        lambda: [connection.after(seconds, called.append, each) for each in range(3)]
    )
    site.clients[0].close()
    wait_until(lambda: on_close.calls, "it has ended")
    assert all(each.owner is None and each.function is None for each in several)
    bystander = site.open()
    end = time.monotonic() + min(seconds, 0.5)
    while time.monotonic() < end:
        still_serves(bystander)
    site.advance_clock(seconds)
    assert called == []


def test_on_a_connection_that_has_ended_nothing_is_called(serve: Serve) -> None:
    on_close = Recorder()
    connection = opened(site := serve(on_close=on_close))
    site.clients[0].close()
    wait_until(lambda: on_close.calls, "it has ended")
    delay = site.call(connection.after, 0, connection.close)
    assert delay.owner is None
    site.call(delay.cancel)


def test_on_close_may_ask_for_a_call_which_never_comes(serve: Serve) -> None:
    called: list[int] = []

    def on_close(connection: Connection) -> None:
        connection.after(0, called.append, 1)

    opened(site := serve(on_message=echo, on_close=on_close))
    site.clients[0].close()
    wait_until(lambda: not site.worker.connections, "it has ended")
    still_serves(site.open())
    assert called == []


@pytest.mark.parametrize("seconds", [0.05, 0.7])
def test_a_cancelled_call_never_comes(serve: Serve, seconds: float) -> None:
    connection = opened(site := serve(on_message=echo))
    called: list[int] = []
    delay = site.call(connection.after, seconds, called.append, 1)
    site.call(connection.after, seconds, called.append, 2)
    site.call(delay.cancel)
    site.call(delay.cancel)
    wait_until(lambda: called, "the other one came")
    assert called == [2]


def test_a_call_may_cancel_others_close_and_ask_for_more(serve: Serve) -> None:
    connection = opened(site := serve())
    called: list[str] = []

    def first() -> None:
        called.append("first")
        other.cancel()
        connection.after(0, called.append, "again")
        connection.after(0, connection.destroy)
        connection.after(0, called.append, "too late")

    def begin() -> Any:
        connection.after(0.01, first)
        return connection.after(0.01, called.append, "cancelled")

    other = site.call(begin)
    wait_until(lambda: not site.worker.connections, "it has ended")
    assert called == ["first", "again"]


async def fails() -> None:
    raise ZeroDivisionError("late")


@pytest.mark.parametrize("function", [fails, lambda: 1 / 0])
def test_a_failure_is_logged_by_name_and_counted_and_the_connection_goes_on(
    serve: Serve, caplog: pytest.LogCaptureFixture, function: Callable[[], Any]
) -> None:
    connection = opened(site := serve(on_message=echo))
    site.call(connection.after, 0, function)
    wait_until(lambda: failures(site) == 1, "it is counted")
    assert f"connection.after: {function.__name__} raised" in caplog.text
    assert "ZeroDivisionError" in caplog.text
    still_serves(site.clients[0])


@pytest.mark.parametrize(
    "seconds", [-1, -0.001, math.nan, math.inf, "1", None, True, 1e12, 10**400]
)
def test_seconds_that_are_none_are_refused(serve: Serve, seconds: Any) -> None:
    connection = opened(site := serve())
    with pytest.raises(UsageError, match=r"connection\.after.*give a number from 0"):
        site.call(connection.after, seconds, connection.close)


def test_what_is_no_function_is_refused(serve: Serve) -> None:
    connection = opened(site := serve())
    for wrong in (None, 5, "close"):
        with pytest.raises(UsageError, match="write f, not f"):
            site.call(connection.after, 1, wrong)
    with pytest.raises(UsageError, match="write f, not f"):
        site.call(lambda: connection.after(1, fails()))  # type: ignore[arg-type]


def test_a_hundred_thousand_take_little_memory_and_give_it_back(serve: Serve) -> None:
    import tracemalloc

    connection = opened(site := serve())
    count = 100_000

    def measure() -> tuple[float, float]:
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for each in range(count):
            connection.after(60 + each % 120, connection.close)
        held = tracemalloc.get_traced_memory()[0] - before
        connection.destroy()
        for _ in range(4 * 180):
            connection.service.wheel.advance(0.25)  # the empty places in the wheel go with time
        gc.collect()
        left = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        return held / count, left / count

    held, left = site.call(measure)
    print(f"{held:.0f} bytes for each, {left:.0f} left")
    assert held <= 240
    assert left < 10
