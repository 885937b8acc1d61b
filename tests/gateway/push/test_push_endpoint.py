from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from lineman.errors import ConfigError, NotReachedError, RefusedError
from lineman.gateway.push.api import Api
from lineman.gateway.push.push_endpoint import HttpPush
from lineman.gateway.wire.kept_data import decode_kept
from lineman.gateway.wire.messages import Order, PublishToGroup, Send
from lineman.protocols.http.requests import Headers, Request

TOKEN = "a token of some length"
CLIENT = "0" * 32


class Taker(Api):
    def __init__(self, is_whole: bool = True) -> None:
        self.orders: list[Order] = []
        self._is_whole = is_whole

    async def _ask(self, what: str, *about: str) -> Any:
        if what == "keep":
            group, data = about
            if group == "full":
                raise NotReachedError("the store is full", "wait")
            if group == "none":
                raise RefusedError("no history is kept", "give history=")
            self.orders.append(PublishToGroup(decode_kept(data), group))
            return None
        assert (what, about) == ("is_broker_connected", ())
        return self._is_whole

    def _give(self, order: Order) -> None:
        self.orders.append(order)


def push(
    body: Any,
    token: str = TOKEN,
    path: str = "/push",
    method: str = "POST",
    is_whole: bool = True,
) -> tuple[int, str, list[Order]]:
    taker = Taker(is_whole)
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = Headers([("Authorization", f"Bearer {token}")] if token else [])
    response = asyncio.run(HttpPush(taker, TOKEN)(Request(method, path, "1.1", headers, data)))
    return response.status, str(json.loads(response.body).get("error", "")), taker.orders


@pytest.mark.parametrize(
    ("body", "order"),
    [
        ({"uid": "42", "message": "hi"}, Send("hi", uids=("42",))),
        ({"uid": [42, "43"], "message": "hi"}, Send("hi", uids=("42", "43"))),
        ({"group": "room", "base64": "AP8="}, Send(b"\x00\xff", groups=("room",))),
        ({"client": CLIENT, "message": ""}, Send("", clients=(CLIENT,))),
        ({"all": True, "message": "hi", "exclude": [CLIENT]},
         Send("hi", is_to_all=True, exclude=(CLIENT,))),
        ({"group": "room", "message": "hi", "keep": True}, PublishToGroup("hi", "room")),
        ({"uid": 1, "group": ["a", "b"], "client": CLIENT, "message": "once to each"},
         Send("once to each", uids=("1",), groups=("a", "b"), clients=(CLIENT,))),
    ],
)  # fmt: skip
def test_a_request_becomes_an_order(body: dict[str, Any], order: Order) -> None:
    assert push(body) == (202, "", [order])


def test_what_is_not_kept_is_not_sent_to_the_others_either_and_the_answer_says_so() -> None:
    to = {"uid": 1, "message": "hi", "keep": True}
    status, why, orders = push({**to, "group": "full"})
    assert (status, orders) == (503, [])
    assert "the store is full" in why
    status, why, orders = push({**to, "group": ["a", "full"]})
    assert (status, orders) == (503, [PublishToGroup("hi", "a")])
    assert "1 of 2 groups" in why
    assert push({**to, "group": "none"})[::2] == (400, [])
    assert push({**to, "group": "a"})[2] == [PublishToGroup("hi", "a"), Send("hi", uids=("1",))]


def test_while_the_broker_is_away_nobody_gets_it_and_the_answer_says_so() -> None:
    status, why, orders = push({"all": True, "message": "hi"}, is_whole=False)
    assert (status, orders) == (503, [])
    assert "the broker is not reached" in why
    assert push({"all": "yes"}, is_whole=False)[0] == 400, "what is wrong is said first"


@pytest.mark.parametrize("token", ["", "wrong", TOKEN + "x", TOKEN[:-1], "ü" * 20])
def test_without_the_token_nothing_happens(token: str) -> None:
    status, _, orders = push({"all": True, "message": "hi"}, token)
    assert (status, orders) == (401, [])


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        (b"", "no JSON"),
        (b"\xff", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        ([], "JSON list"),
        ({"message": "hi"}, "to whom"),
        ({"all": "yes", "message": "hi"}, "to whom"),
        ({"uid": [], "message": "hi"}, "to whom"),
        ({"uid": "42", "message": "hi", "keep": 1}, '"keep" is 1; it is true or false'),
        ({"uid": "42", "message": "hi", "keep": True}, 'give "group" as well'),
        ({"all": True, "message": "hi", "keep": True}, 'give "group" as well'),
        ({"group": "g", "message": "hi", "keep": True, "exclude": CLIENT}, 'or "exclude" out'),
        ({"all": True, "message": "hi", "exclude": "nobody"}, "no client's id"),
        ({"group": "g", "message": "\ud800", "keep": True}, "cannot be written as UTF-8"),
        ({"uid": "42"}, 'give "message"'),
        ({"uid": "42", "message": "hi", "base64": ""}, 'give "message"'),
        ({"uid": "42", "message": {"a": 1}}, "no text"),
        ({"uid": "42", "base64": "%"}, "no base64"),
        ({"uid": "42", "base64": 7}, "no base64"),
        ({"uid": "", "message": "hi"}, "the uid is empty"),
        ({"uid": {"a": 1}, "message": "hi"}, "got dict"),
        ({"client": "42", "message": "hi"}, "no client's id"),
        ({"uid": "42", "group": "", "message": "hi"}, "the group is empty"),
        ({"group": ["a", ""], "message": "hi", "keep": True}, "the group is empty"),
        ({"uid": "42", "group": "", "message": "hi", "keep": True}, "the group is empty"),
        ({"all": True, "uid": "42", "message": "hi"}, "is everybody"),
        ({"uid": "42", "message": "hi", "messge": 1}, "no field 'messge'"),
        ({"uid": "42", "base64": "gQJoaQ==", "raw": True}, "no field 'raw'"),
    ],
)
def test_what_cannot_be_done_is_told(body: Any, seen: str) -> None:
    status, error, orders = push(body)
    assert (status, orders) == (400, [])
    assert seen in error


def test_other_paths_and_methods() -> None:
    assert push({}, path="/")[0] == 404
    assert push({}, method="GET")[0] == 405


@pytest.mark.parametrize("token", ["", "short", None, "ü" * 20])
def test_a_token_that_is_none_is_refused(token: Any) -> None:
    with pytest.raises(ConfigError, match="push_token"):
        HttpPush(Taker(), token)
