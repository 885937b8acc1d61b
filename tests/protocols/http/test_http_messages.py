import tracemalloc

import pytest

from lineman.protocols.http.http_messages import (
    Headers,
    Request,
    has_token,
)


def request(target: str = "/", *lines: tuple[str, str]) -> Request:
    return Request("GET", target, "1.1", Headers(list(lines)))


LINES = [("Host", "a"), ("X-Tag", "one"), ("x-tag", "two"), ("Cookie", "a=1"), ("X-TAG", "three")]


def test_headers_are_found_in_any_case() -> None:
    headers = Headers(LINES)
    assert headers["HOST"] == headers["host"] == headers.get("Host") == "a"
    assert "hOST" in headers
    assert "Accept" not in headers
    assert 7 not in headers


def test_several_lines_are_joined_or_listed() -> None:
    headers = Headers(LINES)
    assert headers.get("x-tag") == "one, two, three"
    assert headers["X-Tag"] == "one, two, three"
    assert headers.get_all("X-tag") == ["one", "two", "three"]
    assert headers.get_all("host") == ["a"]


def test_a_missing_header_is_the_default_or_a_key_error() -> None:
    headers = Headers(LINES)
    assert headers.get("accept") is None
    assert headers.get("accept", "x") == "x"
    assert headers.get_all("accept") == []
    with pytest.raises(KeyError):
        headers["accept"]


def test_headers_keep_the_order_sent() -> None:
    headers = Headers(LINES)
    assert headers.items() == LINES
    assert list(headers) == ["Host", "X-Tag", "x-tag", "Cookie", "X-TAG"]
    assert len(headers) == 5
    assert dict(headers)["Host"] == "a"
    assert "('Host', 'a')" in repr(headers)
    assert len(Headers([])) == 0


def test_an_underscore_is_not_a_dash() -> None:
    headers = Headers([("X_Real_IP", "6.6.6.6")])
    assert headers.get("X-Real-IP") is None
    assert headers["x_real_ip"] == "6.6.6.6"


HEAD = b"GET /a%20b?c=d HTTP/1.1\r\nHost: a\r\nX-Tag:  one \r\nx-tag: two\r\n\r\n"


def test_what_was_looked_at_once_is_at_hand_from_then_on() -> None:
    one = Request.of_handshake(HEAD)
    assert one.path == "/a b"
    assert one.path is one.path
    assert one.headers.get("X-Tag") == "one, two"
    host = one.headers.get("Host")
    assert host == "a"
    assert one.headers["host"] is host
    assert one.headers.get("HOST") is host
    assert one.headers.get_all("host")[0] is host
    assert one.headers.get("x-none") is None
    assert "X-None" not in one.headers
    one.forget_looks()
    assert one.headers.get("host") == "a"


@pytest.mark.parametrize("is_read_before", [False, True])
def test_names_that_clients_choose_fill_no_memory(is_read_before: bool) -> None:
    headers = Request.of_handshake(HEAD).headers
    if is_read_before:
        headers = Headers(headers.items())
    assert headers.get("Host") == "a"
    tracemalloc.start()
    try:
        for number in range(5000):
            assert headers.get(f"x-{number}") is None
            assert headers.get(f"{number}" * 1000) is None
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 20_000
    assert headers["x-tag"] == "one, two"


def test_a_caller_cannot_change_the_headers_through_what_it_gets() -> None:
    headers = Headers(LINES)
    headers.items().clear()
    headers.get_all("x-tag").clear()
    assert headers.get_all("x-tag") == ["one", "two", "three"]
    assert len(headers) == 5


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("upgrade", True),
        ("Upgrade", True),
        ("keep-alive, Upgrade", True),
        ("keep-alive ,\tUPGRADE ", True),
        ("upgrades", False),
        ("keep-alive upgrade", False),
        ("", False),
    ],
)
def test_a_token_is_a_whole_list_element(value: str, found: bool) -> None:
    assert has_token(Headers([("Connection", value)]), "connection", "upgrade") is found


def test_a_token_may_stand_in_any_of_several_lines() -> None:
    lines = [("Connection", "keep-alive"), ("Connection", "Upgrade")]
    assert has_token(Headers(lines), "connection", "upgrade")
    assert not has_token(Headers([]), "connection", "upgrade")


def test_the_path_is_decoded_and_the_query_is_kept_apart() -> None:
    one = request("/caf%C3%A9%20bar?room=a%20b&room=c+d&empty=&x=%26")
    assert one.path == "/café bar"
    assert one.query_string == "room=a%20b&room=c+d&empty=&x=%26"
    assert one.query == {"room": "a b", "empty": "", "x": "&"}
    assert one.query_all == {"room": ["a b", "c d"], "empty": [""], "x": ["&"]}
    assert one.query_all is one.query_all


def test_a_target_without_a_query_has_an_empty_one() -> None:
    one = request("/chat")
    assert (one.path, one.query_string, one.query, one.query_all) == ("/chat", "", {}, {})


def test_bytes_that_are_not_utf_8_are_replaced() -> None:
    assert request("/%ff%zz").path == "/\ufffd%zz"
    assert request("/?a=%ff").query == {"a": "\ufffd"}


def test_an_absolute_target_names_the_host_itself() -> None:
    one = request("http://chat.example.com:81/a?b=http://x/y", ("Host", "other"))
    assert (one.host, one.path, one.query) == ("chat.example.com:81", "/a", {"b": "http://x/y"})
    assert request("http://chat.example.com").path == "/"
    assert request("/a?u=http://x", ("Host", "h")).host == "h"
    assert request("/a://b", ("Host", "h")).path == "/a://b"


def test_host_is_the_header_or_empty() -> None:
    assert request("/", ("host", "a.example:8282")).host == "a.example:8282"
    assert request("/").host == ""
    assert request("*").path == "*"


def test_cookies_are_read_from_all_lines_and_the_first_of_a_name_wins() -> None:
    one = request("/", ("Cookie", 'a=1; b="two"; a=3;; =x; flag; c = 4 '), ("cookie", "d=5=6;b=no"))
    assert one.cookies == {"a": "1", "b": "two", "c": "4", "d": "5=6"}
    assert one.cookies is one.cookies
    assert request("/").cookies == {}
    assert request("/", ("Cookie", 'a="')).cookies == {"a": '"'}


def test_the_edge_may_say_where_a_request_came_from() -> None:
    one = request("/")
    assert (one.remote_ip, one.remote_port, one.scheme) == ("", 0, "http")
    one.remote_ip, one.remote_port, one.scheme = "10.0.0.1", 5, "https"
    assert (one.remote_ip, one.remote_port, one.scheme) == ("10.0.0.1", 5, "https")
    assert repr(one) == "<Request GET / HTTP/1.1>"
