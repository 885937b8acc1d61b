from __future__ import annotations

import asyncio
import functools
from typing import Any

import pytest

from lineman import Worker
from lineman.config.callback_slots import ARGUMENTS, BoundSlot, Slot
from lineman.errors import UsageError


@pytest.fixture
def worker() -> Worker:
    return Worker("ws://127.0.0.1:0")


def call(worker: Worker, name: str, *arguments: object) -> Any:
    return getattr(worker.callbacks, name)(*arguments)


def test_a_slot_can_be_assigned_to(worker: Worker) -> None:
    worker.on_message = lambda connection, message: ("got", connection, message)
    assert call(worker, "on_message", "c", "m") == ("got", "c", "m")


def test_a_slot_is_a_decorator_that_gives_the_function_back(worker: Worker) -> None:
    @worker.on_message
    def reply(connection: object, message: object) -> object:
        return (connection, message)

    assert reply("c", "m") == ("c", "m")
    assert call(worker, "on_message", "c", "m") == ("c", "m")


def test_a_slot_tells_what_is_in_it(worker: Worker) -> None:
    assert not worker.on_message
    assert worker.on_message.callback is None
    worker.on_message = print
    assert worker.on_message
    assert "on_message" in repr(worker.on_message)
    assert "print" in repr(worker.on_message)


def test_none_empties_a_slot(worker: Worker) -> None:
    worker.on_message = print
    worker.on_message = None
    assert not worker.on_message


def test_slots_of_different_workers_are_different(worker: Worker) -> None:
    other = Worker("ws://127.0.0.1:0")
    worker.on_message = print
    assert not other.on_message


def test_the_class_has_a_slot_for_every_callback() -> None:
    found = {name for each in Worker.__mro__ for name in vars(each)}
    assert {name for name in found if isinstance(getattr(Worker, name), Slot)} == set(ARGUMENTS)
    assert isinstance(Worker.on_message, Slot)
    assert isinstance(Worker("ws://127.0.0.1:0").on_message, BoundSlot)


@pytest.mark.parametrize("name", sorted(ARGUMENTS))
def test_trailing_arguments_may_be_left_out(worker: Worker, name: str) -> None:
    full = ARGUMENTS[name]
    for count in range(len(full) + 1):
        names = ", ".join(full[:count])
        function = eval(f"lambda {names}: [{names}]")
        setattr(worker, name, function)
        assert call(worker, name, *full) == list(full[:count])


class Callable:
    def __call__(self, connection: object) -> object:
        return connection

    def method(self, connection: object, message: object) -> object:
        return (connection, message)


async def coroutine(connection: object) -> object:
    return connection


@pytest.mark.parametrize(
    ("function", "result"),
    [
        (lambda *arguments: arguments, ("c", "m")),
        (lambda connection, *rest: rest, ("m",)),
        (lambda connection, message, more="more": more, "more"),
        (lambda connection, **options: options, {}),
        (lambda connection, *, message="own": message, "own"),
        (lambda connection="x": connection, "c"),
        (Callable(), "c"),
        (Callable().method, ("c", "m")),
        (functools.partial(lambda more, connection: (more, connection), "more"), ("more", "c")),
        (dict, None),
    ],
)
def test_whatever_can_be_called_is_called_with_what_it_takes(
    worker: Worker, function: Any, result: object
) -> None:
    if function is dict:  # a builtin that does not tell: it is given all
        worker.on_message = function
        with pytest.raises(TypeError):
            call(worker, "on_message", "c", "m")
        return
    worker.on_message = function
    assert call(worker, "on_message", "c", "m") == result


def test_a_coroutine_function_that_takes_less_stays_one(worker: Worker) -> None:
    worker.on_message = coroutine
    assert asyncio.run(call(worker, "on_message", "c", "m")) == "c"


def test_a_shortened_function_keeps_its_name(worker: Worker) -> None:
    @worker.on_message
    def reply(connection: object) -> None: ...

    callback = worker.on_message.callback
    assert callback is not None
    assert callback.__name__ == "reply"


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda a, b, c: None, r"on_message is called with \(connection, message\).*3 arguments"),
        (lambda a, *, b: None, "the keyword argument b is never given"),
        ("reply", "on_message takes a function, got str"),
        (1, "on_message takes a function, got int"),
    ],
)
def test_what_cannot_be_called_is_refused_at_once(worker: Worker, function: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        worker.on_message = function
    assert not worker.on_message


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("on_mesage", "did you mean on_message?"),
        ("on_open", "a Worker has no on_open"),
        ("on_worker_reloaded", "did you mean on_worker_reload?"),
        ("on_xyz", "there are on_buffer_drain"),
    ],
)
def test_a_callback_that_would_never_be_called_is_refused(
    worker: Worker, name: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        setattr(worker, name, print)
    assert hint in str(caught.value)


def test_a_decorator_that_is_called_is_told_to_be_written_without(worker: Worker) -> None:
    slot: Any = worker.on_message
    with pytest.raises(UsageError, match=r"has no function; write it without \(\): @….on_message"):
        slot()


def test_a_decorator_that_does_not_exist_is_an_attribute_error(worker: Worker) -> None:
    with pytest.raises(AttributeError):
        worker.on_mesage  # type: ignore[attr-defined]  # noqa: B018
