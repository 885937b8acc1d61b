"""The recipients of a push: the command and the HTTP request report a mistake in the same way."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from lineman.cli.main import main
from lineman.gateway.push.api import Api
from lineman.gateway.push.push_endpoint import HttpPush
from lineman.gateway.push.recipients import recipients_of
from lineman.gateway.wire.messages import Order, PublishToGroup, Send
from lineman.protocols.http.http_messages import Headers, Request

TOKEN = "a token of some length"
CLIENT = "0" * 32


class Taker(Api):
    def __init__(self) -> None:
        self.orders: list[Order] = []

    async def _ask(self, what: str, *about: str) -> Any:
        return True

    def _give(self, order: Order) -> None:
        self.orders.append(order)


def told_by_http(given: dict[str, Any]) -> tuple[str, list[Order]]:
    """The answer to a request, and the pushes that it made."""
    taker = Taker()
    headers = Headers([("Authorization", f"Bearer {TOKEN}")])
    body = json.dumps({"message": "hi", **given}).encode()
    response = asyncio.run(HttpPush(taker, TOKEN)(Request("POST", "/push", "1.1", headers, body)))
    return str(json.loads(response.body).get("error", "")), taker.orders


def told_by_shell(given: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> str:
    """The error of the command, which reaches no gateway."""
    words = []
    for name, value in given.items():
        for one in value if isinstance(value, list) else [value]:
            words += [f"--{name}"] if one is True else [f"--{name}", str(one)]
    assert main(["push", "unix:///nowhere/none.sock", "hi", *words]) == 2
    return capsys.readouterr().err.removeprefix("lineman: ").strip()


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"keep": True},
        {"all": True, "uid": "42"},
        {"all": True, "group": ["a"], "client": CLIENT},
        {"uid": "42", "keep": True},
        {"all": True, "keep": True},
        {"uid": ""},
        {"group": ["a", ""], "keep": True},
        {"uid": "42", "client": "nobody"},
        {"group": "x" * 257},
    ],
)
def test_a_shell_and_a_request_are_told_the_same(
    given: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    by_http, orders = told_by_http(given)
    by_shell = told_by_shell(given, capsys)
    assert by_http
    assert orders == []
    for name in ("uid", "group", "client", "all", "keep"):
        by_http = by_http.replace(f'"{name}"', f"--{name}")
    assert by_shell == by_http


def test_a_message_is_parted_into_what_is_kept_and_what_is_not() -> None:
    given = {"uid": [7, "anna"], "group": ["b", "c"], "client": CLIENT, "keep": True}
    taker = Taker()
    recipients_of(given, str).send(taker, "hi")
    assert taker.orders == [
        Send("hi", uids=("7", "anna"), clients=(CLIENT,)),
        PublishToGroup("hi", "b"),
        PublishToGroup("hi", "c"),
    ]
    taker = Taker()
    recipients_of({**given, "keep": False, "exclude": [CLIENT]}, str).send(taker, b"hi")
    assert taker.orders == [
        Send(b"hi", ("0" * 32,), ("7", "anna"), ("b", "c"), exclude=(CLIENT,)),
    ]
