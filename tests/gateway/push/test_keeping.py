"""Whether a message that is to be kept is kept."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import redis

from kit.brokers import redis_server, running
from kit.gateway import DURABLE_SECRET as SECRET
from kit.gateway import System, add_durable_nodes
from lineman.errors import LinemanError, NotReachedError, RefusedError
from lineman.gateway.push.api import Api
from lineman.gateway.push.keeping import keep_all
from lineman.gateway.push.push_endpoint import HttpPush
from lineman.gateway.wire.kept_data import encode_kept
from lineman.gateway.wire.messages import Order, PublishToGroup
from lineman.protocols.http.requests import Headers, Request


class Keeper(Api):
    """Keeps for all groups but some.

    Args:
        errors: what is raised for a group.
    """

    def __init__(self, **errors: LinemanError) -> None:
        self._errors = errors
        self.kept: list[tuple[str, str]] = []
        self.orders: list[Order] = []

    async def _ask(self, what: str, *about: str) -> Any:
        assert what == "keep"
        group, data = about
        if group in self._errors:
            raise self._errors[group]
        self.kept.append((group, data))

    def _give(self, order: Order) -> None:
        self.orders.append(order)


def keep(keeper: Keeper, *groups: str) -> None:
    asyncio.run(keep_all(keeper, groups, "hi"))


def test_it_returns_when_all_groups_have_it() -> None:
    keeper = Keeper()
    keep(keeper, "a", "b")
    assert keeper.kept == [("a", encode_kept("hi")), ("b", encode_kept("hi"))]
    assert keeper.orders == []


def test_what_is_kept_nowhere_is_told_as_it_is() -> None:
    with pytest.raises(NotReachedError, match="the store is full"):
        keep(Keeper(a=NotReachedError("the store is full", "wait")), "a")


def test_what_is_kept_for_some_is_counted() -> None:
    keeper = Keeper(b=NotReachedError("the store is full", "wait"))
    with pytest.raises(NotReachedError, match=r"kept for 2 of 3 groups.*the store is full"):
        keep(keeper, "a", "b", "c")


def test_where_no_history_is_kept_it_is_refused() -> None:
    with pytest.raises(RefusedError, match="no history"):
        keep(Keeper(a=RefusedError("no history is kept", "give history=")), "a")


def test_a_gateway_process_of_a_version_before_gets_an_order() -> None:
    keeper = Keeper(a=RefusedError("there is no question 'keep'", ""))
    keep(keeper, "a")
    assert keeper.orders == [PublishToGroup("hi", "a")]


def test_a_push_over_http_that_is_to_be_kept_tells_the_truth_while_redis_is_full_or_stopped(
    system: System, tmp_path: Path
) -> None:
    def push(message: str) -> int:
        body = {"group": groups, "message": message, "keep": True}
        headers = Headers([("Authorization", f"Bearer {SECRET}")])
        asked = Request("POST", "/push", "1.1", headers, json.dumps(body).encode())
        return int(system.ask(HttpPush(api, SECRET)(asked)).status)

    def limit(memory: int) -> None:
        with redis.Redis(port=server.port) as client:
            client.config_set("maxmemory", memory)

    server = redis_server(tmp_path)
    with running(server):
        add_durable_nodes(system, f"redis://127.0.0.1:{server.port}", "pushed")
        here = system.nodes[0].routing
        homes = {here._home_of(f"g{number}"): f"g{number}" for number in range(99)}
        groups = list(homes.values())  # each node is the home of one
        assert len(groups) == 2
        api = system.add_business()
        assert push("kept") == 202
        limit(1)
        assert push("refused") == 503
        limit(0)
        assert push("kept again") == 202
        for group in groups:
            page = system.ask(api.get_history(group))
            assert [kept.data for kept in page.missed] == ["kept", "kept again"]
        server.stop()
        assert push("nobody gets it") == 503
