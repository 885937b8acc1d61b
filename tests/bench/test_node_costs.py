"""What nodes cost each other is measured of messages that they understand."""

from __future__ import annotations

import asyncio

import node_costs

from lineman.gateway.cluster.node_versions import new_beat
from lineman.gateway.wire import names


def test_the_measured_messages_are_understood_and_not_refused() -> None:
    async def test() -> None:
        here, there = [await node_costs.new_cluster(name * 8) for name in "ab"]
        broker = there.broker
        assert isinstance(broker, node_costs.Nowhere)
        beats = [new_beat("b" * 8) for _ in range(3)]
        for payload in node_costs.said_by(there.channel, broker, beats):
            here._on_message(names.ALL_NODES, payload)
        assert here.nodes == ["a" * 8, "b" * 8]
        assert (here.channel.refused, here.channel.replayed, here.channel.late) == (0, 0, 0)

    asyncio.run(test())
