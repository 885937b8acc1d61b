"""What an application is told."""

from __future__ import annotations

import pytest

from lineman.asgi.scopes import http_scope, lifespan_scope, websocket_scope
from lineman.protocols.http.http_messages import Headers, Request


def request(target: str = "/a", lines: list[tuple[str, str]] | None = None) -> Request:
    made = Request("GET", target, "1.1", Headers(lines or [("Host", "a"), ("X-One", "1")]))
    made.remote_ip, made.remote_port = "192.0.2.7", 4711
    return made


def test_a_request_has_what_the_standard_names() -> None:
    scope = http_scope(request("/a%20b?c=d"), ("192.0.2.1", 80), "", None, None)
    assert scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/a b",
        "raw_path": b"/a%20b",
        "query_string": b"c=d",
        "root_path": "",
        "headers": [(b"host", b"a"), (b"x-one", b"1")],
        "client": ("192.0.2.7", 4711),
        "server": ("192.0.2.1", 80),
        "extensions": {"http.response.trailers": {}, "http.response.pathsend": {}},
    }


def test_a_root_path_is_in_front_of_every_path() -> None:
    scope = http_scope(request("/a"), None, "/api", None, None)
    assert (scope["root_path"], scope["path"], scope["raw_path"]) == ("/api", "/api/a", b"/api/a")


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("http://host/a?b", "/a"),
        ("http://host", "/"),
        ("*", "*"),
        ("/%ff", "/\ufffd"),
        ("//a", "//a"),
    ],
)
def test_every_form_of_a_target_has_a_path(target: str, path: str) -> None:
    assert http_scope(request(target), None, "", None, None)["path"] == path


def test_each_scope_has_a_shallow_copy_of_the_state() -> None:
    state = {"db": ["open"]}
    one, other = (http_scope(request(), None, "", state, None)["state"] for _ in range(2))
    one["mine"] = 1
    assert other == state
    assert other["db"] is state["db"]


def test_a_websocket_has_its_subprotocols_and_its_scheme() -> None:
    handshake = request()
    handshake.scheme = "https"
    scope = websocket_scope(handshake, None, "", None, None, ["chat"])
    assert (scope["type"], scope["scheme"], scope["subprotocols"]) == ("websocket", "wss", ["chat"])
    assert "method" not in scope
    assert scope["extensions"] == {"websocket.http.response": {}}


def test_a_client_without_an_address_is_none() -> None:
    unknown = request()
    unknown.remote_ip = ""
    assert http_scope(unknown, None, "", None, None)["client"] is None


def test_headers_come_from_a_head_as_well() -> None:
    head = b"GET /a HTTP/1.1\r\nHost: a\r\nCookie:  x=\xe9 \r\ncookie: y\r\n\r\n"
    scope = websocket_scope(Request.of_handshake(head), None, "", None, None, [])
    assert scope["headers"] == [(b"host", b"a"), (b"cookie", b"x=\xe9"), (b"cookie", b"y")]


def test_what_handshakes_say_alike_is_kept_once() -> None:
    head = b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nX-Own: b c\r\n\r\n"
    one, other = (
        websocket_scope(Request.of_handshake(head), None, "", None, None, [])["headers"]
        for _ in range(2)
    )
    assert one == other == [(b"host", b"a"), (b"upgrade", b"websocket"), (b"x-own", b"b c")]
    assert one[1][0] is other[1][0]
    assert one[1][1] is other[1][1]
    assert one[2][1] is not other[2][1]


def test_a_lifespan_has_a_state_to_fill() -> None:
    state: dict[str, object] = {}
    scope = lifespan_scope(state)
    assert (scope["type"], scope["state"]) == ("lifespan", state)
    assert scope["state"] is state
