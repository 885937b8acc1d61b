"""What every broker has in common: a change of its state is told once."""

from __future__ import annotations

from collections.abc import Iterable

from lineman.brokers.base import Broker, Subscriber


class Silent(Broker):
    """A broker that does what the test says."""

    async def start(self) -> None: ...

    def publish(self, topic: str, payload: bytes) -> None: ...

    def subscribe(self, topics: Iterable[str]) -> None: ...

    def unsubscribe(self, topics: Iterable[str]) -> None: ...

    async def close(self) -> None: ...


def silent() -> tuple[Silent, list[bool]]:
    states: list[bool] = []
    return Silent(Subscriber(lambda topic, payload: None, states.append, tuple)), states


def test_a_state_is_told_when_it_changes_and_its_reason_is_kept_up_to_date() -> None:
    broker, states = silent()
    assert broker.trouble == "it has not answered yet"
    broker._enter(False, "nothing listens there")
    broker._enter(False, "it does not answer")
    assert (states, broker.trouble) == ([False], "it does not answer")
    broker._enter(True)
    broker._enter(True)
    assert (states, broker.trouble, broker.is_connected) == ([False, True], "", True)


def test_a_broker_that_was_closed_on_purpose_tells_nobody() -> None:
    broker, states = silent()
    broker._enter(True)
    broker._end()
    assert (states, broker.trouble, broker.is_connected) == ([True], "it was closed", False)
