import tracemalloc

import pytest

from lineman.errors import HttpError, UsageError
from lineman.protocols.http.http_messages import (
    Headers,
    Request,
    Response,
    error_response,
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


def test_a_text_response_is_utf_8() -> None:
    assert Response("grüß").encode() == (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 6\r\n"
        b"Connection: keep-alive\r\n\r\ngr\xc3\xbc\xc3\x9f"
    )


def test_a_bytes_response_is_an_octet_stream() -> None:
    head, _, body = (
        Response(b"\x00\xff", status=404).encode(keep_alive=False).partition(b"\r\n\r\n")
    )
    assert head.startswith(b"HTTP/1.1 404 Not Found\r\nContent-Type: application/octet-stream\r\n")
    assert head.endswith(b"\r\nConnection: close")
    assert body == b"\x00\xff"


def test_the_answer_to_head_says_the_length_and_has_no_body() -> None:
    encoded = Response("hello").encode(head_only=True)
    assert b"Content-Length: 5\r\n" in encoded
    assert encoded.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_content_has_neither_length_nor_body(status: int) -> None:
    encoded = Response("ignored", status=status).encode()
    assert b"Content-Length" not in encoded
    assert encoded.endswith(b"\r\n\r\n")


def test_the_content_type_is_the_callers_if_it_gives_one() -> None:
    assert b"Content-Type: text/html\r\n" in Response("<p>", content_type="text/html").encode()
    encoded = Response("{}", headers={"content-type": "application/json"}).encode()
    assert b"content-type: application/json\r\n" in encoded
    assert b"text/plain" not in encoded


def test_headers_are_a_mapping_or_pairs() -> None:
    assert b"X-A: 1\r\n" in Response(headers={"X-A": "1"}).encode()
    encoded = Response(headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=\xe4")]).encode()
    assert b"Set-Cookie: a=1\r\nSet-Cookie: b=\xe4\r\n" in encoded


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-A", "a\r\nSet-Cookie: b=1"),
        ("X-A", "a\n"),
        ("X-A", "a\r"),
        ("X-A", "a\x00b"),
        ("X-A", "\u2603"),
        ("X-A", 5),
        ("X A", "a"),
        ("X-A\n", "a"),
        ("X-A:", "a"),
        ("", "a"),
        (5, "a"),
        ("Content-Length", "5"),
        ("connection", "keep-alive"),
        ("Transfer-Encoding", "chunked"),
        ("Upgrade", "websocket"),
    ],
)
def test_a_header_that_would_break_the_message_is_refused(name: str, value: str) -> None:
    with pytest.raises(UsageError):
        Response(headers=[(name, value)])
    response = Response()
    response.headers.append((name, value))
    with pytest.raises(UsageError):
        response.encode()


def test_a_content_type_cannot_split_the_response() -> None:
    with pytest.raises(UsageError):
        Response("", content_type="text/plain\r\nX: y")


@pytest.mark.parametrize("status", [101, 99, 600, "200", None])
def test_a_status_that_cannot_be_sent_is_refused(status: int) -> None:
    with pytest.raises(UsageError, match="200 to 599"):
        Response(status=status)


def test_a_body_of_another_type_is_refused() -> None:
    with pytest.raises(UsageError, match="not dict"):
        Response({})  # type: ignore[arg-type]


def test_a_status_without_a_name_of_its_own_is_sent_too() -> None:
    assert Response(status=599).encode().startswith(b"HTTP/1.1 599 Unknown\r\n")


def test_an_error_is_one_line_of_plain_text_and_closes() -> None:
    assert error_response(HttpError(400, "no\r\nsuch\x00thing:\u2028é")) == (
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 18\r\n"
        b"X-Content-Type-Options: nosniff\r\n\r\nno such thing: \xc3\xa9\n"
    )


def test_an_error_brings_the_headers_its_status_demands() -> None:
    error = HttpError(426, "x", (("Upgrade", "websocket"), ("Connection", "Upgrade")))
    encoded = error_response(error)
    assert encoded.startswith(b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\n")
    assert b"Connection: Upgrade, close\r\n" in encoded
    assert encoded.count(b"Connection:") == 1


def test_a_line_break_in_the_header_of_an_error_is_refused() -> None:
    with pytest.raises(UsageError):
        error_response(HttpError(400, "x", (("X", "a\r\nb: c"),)))


def test_text_that_cannot_be_encoded_is_replaced() -> None:
    assert error_response(HttpError(400, "a\ud800")).endswith(b"\r\n\r\na?\n")
