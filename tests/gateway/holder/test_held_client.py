"""A client as its gateway process knows it, and how it is introduced to a business worker."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from lineman.gateway.holder.held_client import EMPTY_SESSION, HeldClient
from lineman.gateway.wire.session_data import decode_session, encode_session
from lineman.net.connection.endpoint import Endpoint
from lineman.protocols.http.requests import RequestParser

REQUEST = b"GET /room?a=7 HTTP/1.1\r\nHost: x\r\nUser-Agent: a browser\r\n\r\n"


def held(request: Any) -> HeldClient:
    connection: Any = SimpleNamespace(
        endpoint=Endpoint("wss://0.0.0.0:443", "wss"),
        id=7,
        request=request,
        remote_ip="203.0.113.7",
        remote_port=4711,
    )
    return HeldClient("f" * 32, connection)


def test_a_business_worker_learns_all_that_is_known_before_the_first_event() -> None:
    client = held(RequestParser(8192, 8192).feed(REQUEST)[0])
    client.uid, client.groups, client.applied = "anna", {"room"}, 3
    client.session = encode_session({"name": "Anna"})
    told = client.introduction()
    assert (told.number, told.client) == (7, "f" * 32)
    assert (told.remote_ip, told.remote_port, told.target) == ("203.0.113.7", 4711, "/room?a=7")
    assert {name.lower(): value for name, value in told.headers}["user-agent"] == "a browser"
    assert (told.protocol, told.listen_address) == ("ws", "wss://0.0.0.0:443")
    assert (told.uid, told.groups, told.applied) == ("anna", ("room",), 3)
    assert decode_session(told.session) == {"name": "Anna"}


def test_a_client_of_whom_nothing_is_known_is_introduced_too() -> None:
    told = held(None).introduction()
    assert (told.target, told.headers, told.uid, told.groups) == ("", (), None, ())
    assert told.session == EMPTY_SESSION
    assert decode_session(told.session) == {}
