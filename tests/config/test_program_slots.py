"""Callbacks of the whole program, which are attributes of the class."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lineman import UsageError, Worker


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    yield
    Worker.on_master_stop = None
    Worker.on_master_reload = None


def over() -> None:
    """Does nothing."""


def test_it_is_set_as_a_decorator_and_by_assignment() -> None:
    assert not Worker.on_master_stop
    assert Worker.on_master_stop(over) is over
    assert Worker.on_master_stop.callback is over
    Worker.on_master_reload = over
    assert Worker.on_master_reload.callback is over
    Worker.on_master_stop = None
    assert not Worker.on_master_stop
    assert Worker.on_master_reload


@pytest.mark.parametrize("given", [7, "over"])
def test_only_a_function_is_taken(given: object) -> None:
    with pytest.raises(UsageError, match="on_master_stop takes a function"):
        Worker.on_master_stop = given


def test_a_function_with_arguments_is_refused() -> None:
    with pytest.raises(UsageError, match="asks for 1 arguments"):
        Worker.on_master_stop(lambda worker: None)


def test_it_is_of_the_program_and_not_of_a_worker() -> None:
    worker = Worker()
    with pytest.raises(UsageError, match=r"Worker\.on_master_stop = …"):
        worker.on_master_stop = over
    with pytest.raises(UsageError, match=r"Worker\.on_master_reload = …"):
        Worker(on_master_reload=over)


def test_a_subclass_cannot_hide_it() -> None:
    with pytest.raises(UsageError, match="would never be called"):

        class Mine(Worker):
            def on_master_stop(self) -> None:
                """Would never be called."""

    class Other(Worker):
        pass

    with pytest.raises(UsageError, match="of the whole program"):
        Other.on_master_stop = over
