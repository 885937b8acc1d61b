from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from lineman.net.loop.poller import READ, WRITE, Handler, Poller
from net.polled import Noting, is_open


class Deferred:
    """Stands for `loop.call_soon`: keeps the functions until they are run."""

    def __init__(self) -> None:
        self.functions: list[Callable[[], None]] = []

    def __call__(self, function: Callable[[], None]) -> None:
        self.functions.append(function)

    def run(self) -> None:
        functions, self.functions = self.functions, []
        for function in functions:
            function()


@pytest.fixture
def deferred() -> Deferred:
    return Deferred()


@pytest.fixture
def poller(deferred: Deferred) -> Iterator[Poller]:
    # No time passes: on a busy machine a turn that took long would leave some to the next.
    poller = Poller(deferred, clock=lambda: 0.0)
    yield poller
    for handler in poller.handlers():
        assert isinstance(handler, Handler)
        handler.close()
    poller.close()
    while Noting.peers:
        Noting.peers.pop().close()


def test_one_dispatch_serves_every_descriptor_that_is_ready(poller: Poller) -> None:
    handlers = [Noting(poller) for _ in range(5)]
    for handler in handlers[1:]:
        handler.peer.send(b"x")
    poller.dispatch()
    assert [len(handler.events) for handler in handlers] == [0, 1, 1, 1, 1]


def test_the_poller_itself_is_readable_while_something_is_ready(poller: Poller) -> None:
    handler = Noting(poller)
    handler.peer.send(b"x")
    outer = Poller(lambda function: None)
    woken: list[int] = []

    class Inner(Handler):
        def on_events(self, events: int) -> None:
            woken.append(events)
            poller.dispatch()

        def on_fault(self) -> None: ...

        def flush(self) -> None: ...

    outer.add(poller.fileno(), Inner())
    outer.dispatch()
    outer.dispatch()
    outer.forget(poller.fileno())
    outer.close()
    assert woken == [READ]


def test_a_descriptor_closed_in_the_middle_of_a_batch_gets_no_more_events(poller: Poller) -> None:
    handlers = [Noting(poller), Noting(poller)]

    def close_both(events: int) -> None:
        for handler in handlers:
            handler.close()

    for handler in handlers:
        handler.act = close_both
        handler.peer.send(b"x")
    poller.dispatch()
    assert sorted(len(handler.events) for handler in handlers) == [0, 1]
    assert not any(is_open(handler.fd) for handler in handlers)


def test_the_number_of_a_closed_descriptor_is_not_given_out_again_within_the_batch(
    poller: Poller,
) -> None:
    made: list[Noting] = []
    handlers = [Noting(poller), Noting(poller)]
    numbers = [handler.fd for handler in handlers]

    def close_both_and_make_one(events: int) -> None:
        for handler in handlers:
            handler.close()
        made.append(Noting(poller))

    for handler in handlers:
        handler.act = close_both_and_make_one
        handler.peer.send(b"x")
    poller.dispatch()
    assert len(made) == 1
    assert made[0].fd not in numbers
    assert made[0].events == []  # those for the closed one are not its own
    made[0].peer.send(b"x")
    poller.dispatch()
    assert made[0].events == [READ]


def test_outside_of_a_batch_a_descriptor_is_closed_at_once(poller: Poller) -> None:
    handler = Noting(poller)
    handler.close()
    assert not is_open(handler.fd)


def test_a_forgotten_descriptor_stays_open_and_is_not_served(poller: Poller) -> None:
    handler = Noting(poller)
    handler.peer.send(b"x")
    poller.forget(handler.fd)
    poller.forget(handler.fd)
    poller.dispatch()
    assert handler.events == []
    assert is_open(handler.fd)
    os.close(handler.fd)


def test_a_handler_that_raises_is_given_up_and_the_others_are_served(
    poller: Poller, caplog: pytest.LogCaptureFixture
) -> None:
    handlers = [Noting(poller) for _ in range(3)]

    def fail(events: int) -> None:
        raise RuntimeError("broken handler")

    handlers[0].act = fail
    for handler in handlers:
        handler.peer.send(b"x")
    poller.dispatch()
    assert [handler.faults for handler in handlers] == [1, 0, 0]
    assert [len(handler.events) for handler in handlers] == [1, 1, 1]
    assert "defect in lineman" in caplog.text
    assert "broken handler" in caplog.text


def test_what_is_corked_in_a_batch_is_flushed_at_its_end(poller: Poller) -> None:
    handlers = [Noting(poller), Noting(poller)]
    flushed_during_batch: list[int] = []

    def cork_the_other(events: int) -> None:
        poller.cork(handlers[1].fd)
        flushed_during_batch.append(handlers[1].flushes)

    handlers[0].act = cork_the_other
    handlers[0].peer.send(b"x")
    poller.dispatch()
    assert flushed_during_batch == [0]
    assert handlers[1].flushes == 1


def test_what_is_corked_outside_of_a_batch_is_flushed_soon_and_once(
    poller: Poller, deferred: Deferred
) -> None:
    handlers = [Noting(poller), Noting(poller)]
    for handler in handlers:
        poller.cork(handler.fd)
    assert [handler.flushes for handler in handlers] == [0, 0]
    assert len(deferred.functions) == 1
    deferred.run()
    assert [handler.flushes for handler in handlers] == [1, 1]


def test_what_a_flush_corks_is_flushed_as_well(poller: Poller, deferred: Deferred) -> None:
    first, second = Noting(poller), Noting(poller)
    first.on_flush = lambda: poller.cork(second.fd)
    poller.cork(first.fd)
    deferred.run()
    assert second.flushes == 1


def test_a_flush_that_raises_gives_that_handler_up_and_flushes_the_others(
    poller: Poller, deferred: Deferred, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = Noting(poller), Noting(poller)

    def fail() -> None:
        raise RuntimeError("broken flush")

    first.on_flush = fail
    poller.cork(first.fd)
    poller.cork(second.fd)
    deferred.run()
    assert (first.faults, second.faults, second.flushes) == (1, 0, 1)
    assert "broken flush" in caplog.text


def test_events_can_be_changed(poller: Poller) -> None:
    handler = Noting(poller)
    handler.peer.send(b"x")
    poller.modify(handler.fd, 0)
    poller.dispatch()
    assert handler.events == []
    poller.modify(handler.fd, WRITE)
    poller.dispatch()
    assert handler.events == [WRITE]


def test_who_is_put_off_has_a_turn_although_its_descriptor_is_not_ready(
    poller: Poller, deferred: Deferred
) -> None:
    handler, other = Noting(poller), Noting(poller)
    poller.put_off(handler.fd)
    poller.put_off(other.fd)
    assert handler.turns == 0
    assert len(deferred.functions) == 1
    deferred.run()
    assert handler.turns == other.turns == 1
    poller.dispatch()
    assert handler.turns == 1


def test_who_is_put_off_while_being_served_has_another_turn(
    poller: Poller, deferred: Deferred
) -> None:
    handler = Noting(poller, lambda events: poller.put_off(handler.fd))
    poller.put_off(handler.fd)
    for turn in (1, 2, 3):
        deferred.run()
        assert handler.turns == turn
        assert len(deferred.functions) == 1


def test_no_turn_comes_after_the_end_of_the_poller(deferred: Deferred) -> None:
    late = Poller(deferred)
    handler = Noting(late)
    late.put_off(handler.fd)
    handler.close()
    late.close()
    deferred.run()
    assert handler.turns == 0
