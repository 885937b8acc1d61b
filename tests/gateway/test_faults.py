"""What must not take others along: bad messages, hanging workers, clients that vanish."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from gateway.peers import Loud, echo
from kit.gateway import System
from lineman import Client
from lineman.errors import UsageError
from lineman.gateway.holder.history import HistoryOptions
from lineman.gateway.holder.routing_options import RoutingOptions
from lineman.gateway.wire import messages
from lineman.gateway.wire.messages import LinkAnswer, Send
from lineman.gateway.wire.node_messages import NodeBeat, NodeQuestion, Relay
from lineman.links.framing import encode

# What programs say.


def test_a_text_that_is_no_unicode_is_refused_where_it_is_sent(system: System) -> None:
    raised: list[Exception] = []

    def on_message(client: Client, message: str) -> None:
        try:
            client.send("\ud800")
        except UsageError as error:
            raised.append(error)
        client.send("after it")

    system.add_node("on_message")
    system.add_business(on_message=on_message)
    client = system.connect()
    client.send("x")
    assert client.receive() == "after it"
    assert "UTF-8" in str(raised[0])


@pytest.mark.parametrize("bad", [("reject", "403"), ("reject", 99), ("add_header", "A", 5)])
def test_a_bad_decision_fails_its_client_and_not_the_link(
    system: System, bad: tuple[Any, ...]
) -> None:
    def decide(client: Client, request: Any) -> None:
        if request.path == "/bad":
            getattr(client, bad[0])(*bad[1:])

    system.add_node("on_websocket_connect", "on_message")
    system.add_business(on_websocket_connect=decide, on_message=echo)
    client = system.connect()
    with pytest.raises(Exception, match="500"):
        system.connect("/bad")
    client.send("x")
    assert client.receive() == "x"


def test_a_refusal_stays_one_if_the_callback_raises_behind_it(system: System) -> None:
    def decide(client: Client, request: Any) -> None:
        client.reject(401, "no token")
        raise KeyError("token")

    system.add_node("on_websocket_connect", "on_message")
    system.add_business(on_websocket_connect=decide, on_message=echo)
    with pytest.raises(Exception, match="401"):
        system.connect()


def test_a_callback_whose_own_task_was_cancelled_closes_its_client(system: System) -> None:
    async def on_message(client: Client, message: str) -> None:
        inner = asyncio.get_running_loop().create_future()
        inner.cancel()
        await inner

    node = system.add_node("on_message")
    system.add_business(on_message=on_message)
    client = system.connect()
    client.send("x")
    assert client.receive_close().code == 1011
    client.close()
    system.wait_until(lambda: not node._numbers, "it is forgotten")


# What links say.


# What a broker says.


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe\xfd",
        encode(NodeBeat("x" * 100_000)),
        encode(NodeBeat("not hex!")),
        encode(Relay("0" * 8, 0, Send(12345, is_to_all=True))),
        encode(NodeQuestion("0" * 8, messages.LinkQuestion(1, "history", ("g", "e", "no number")))),
        encode(NodeQuestion("0" * 8, messages.LinkQuestion(1, "session", ()))),
        encode(LinkAnswer(1, "an answer is no message between nodes")),
    ],
    ids=range(8),
)
def test_garbage_from_a_broker_is_logged_and_harms_nobody(
    system: System, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    node = system.add_node("on_message", routing=RoutingOptions(Loud, history=HistoryOptions()))
    system.add_business(on_message=echo)
    cluster = node.routing.cluster
    assert cluster is not None
    system.call(cluster.broker._on_message, "nodes", data)
    client = system.connect()
    client.send("x")
    assert client.receive() == "x"
    assert cluster.nodes == [node.name]
    assert "topic 'nodes'" in caplog.text or "node 00000000" in caplog.text
