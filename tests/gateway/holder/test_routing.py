"""Where an order or a question goes from a gateway process that is alone, or has others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from unittest.mock import AsyncMock

import pytest

from gateway.peers import Loud
from lineman.errors import UsageError
from lineman.gateway.cluster.presence import homes_of
from lineman.gateway.holder.history import HistoryOptions
from lineman.gateway.holder.registry import Member
from lineman.gateway.holder.routing import Routing
from lineman.gateway.holder.routing_options import RoutingOptions
from lineman.gateway.wire import names
from lineman.gateway.wire.messages import LinkQuestion, PublishToGroup, Send
from lineman.gateway.wire.node_messages import NodeBeat
from lineman.links.framing import encode

NODE, OTHER = "0" * 8, "f" * 8


class Noting(Loud):
    """A broker that is there, and notes what is published."""

    def __init__(self, subscriber: object) -> None:
        super().__init__(subscriber)  # type: ignore[arg-type]
        self.topics: list[str] = []

    def publish(self, topic: str, payload: bytes) -> None:
        self.topics.append(topic)


def with_routing(
    options: RoutingOptions, test: Callable[[Routing], Awaitable[None]]
) -> list[tuple[str, bool]]:
    users: list[tuple[str, bool]] = []

    async def run() -> None:
        routing = Routing(NODE, options, lambda client: None, lambda *user: users.append(user))
        await routing.start()
        await test(routing)
        await routing.stop()

    asyncio.run(run())
    return users


def test_alone_a_node_answers_and_keeps_histories_by_itself() -> None:
    async def test(routing: Routing) -> None:
        assert await routing.ask(LinkQuestion(1, "all_client_count")) == (0, ())
        with pytest.raises(UsageError, match="there is no question 'weather'"):
            await routing.ask(LinkQuestion(1, "weather"))
        routing.carry_out(PublishToGroup("x", "room"))
        (epoch, offset, *_), missing = await routing.ask(
            LinkQuestion(1, "history", ("room", "", "0"))
        )
        assert missing == ()
        assert epoch
        assert offset == 1

    with_routing(RoutingOptions(history=HistoryOptions()), test)


def test_publishing_without_a_history_is_refused_with_the_option_that_mends_it() -> None:
    async def test(routing: Routing) -> None:
        with pytest.raises(UsageError, match=r"give the Gateway history=HistoryOptions\(…\)"):
            routing.carry_out(PublishToGroup("x", "room"))

    with_routing(RoutingOptions(), test)


def test_users_are_told_at_the_end_of_the_turn_in_which_they_came_and_went() -> None:
    async def test(routing: Routing) -> None:
        registry, member = routing.orders.registry, Member()
        registry.bind(member, "anna")  # type: ignore[arg-type]
        routing.note_change()
        await asyncio.sleep(0.01)
        registry.remove(member)  # type: ignore[arg-type]
        routing.note_change()
        await asyncio.sleep(0.01)

    assert with_routing(RoutingOptions(tells_users=True), test) == [
        ("anna", True),
        ("anna", False),
    ]


def test_what_is_published_goes_to_the_home_of_its_group_and_what_is_sent_to_all() -> None:
    async def test(routing: Routing) -> None:
        assert routing.cluster is not None
        broker = routing.cluster.broker
        assert isinstance(broker, Noting)
        broker._on_message("nodes", encode(NodeBeat(OTHER)))
        groups = map(str, range(99))
        there = next(name for name in groups if homes_of(name, [NODE, OTHER])[0] == OTHER)
        broker.topics.clear()
        routing.carry_out(PublishToGroup("x", there))
        (home,) = broker.topics
        assert OTHER in home
        assert routing.orders.histories is not None
        assert routing.orders.histories.since(there, "", 0).offset == 0, "it is kept there"
        broker.topics.clear()
        routing.carry_out(Send("x", is_to_all=True))
        assert len(broker.topics) == 1
        assert OTHER not in broker.topics[0]

    with_routing(RoutingOptions(Noting, history=HistoryOptions()), test)


def test_a_node_whose_histories_do_not_end_as_they_should_says_goodbye_all_the_same(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Noting] = []

    def make(subscriber: object) -> Noting:
        made.append(Noting(subscriber))
        return made[0]

    async def test(routing: Routing) -> None:
        failing = AsyncMock(side_effect=OSError("broken pipe"))
        monkeypatch.setattr(routing._keeper, "stop", failing)
        made[0].topics.clear()

    with_routing(RoutingOptions(make, history=HistoryOptions()), test)
    assert names.ALL_NODES in made[0].topics
    assert not made[0].is_connected
    assert "broken pipe" in caplog.text
