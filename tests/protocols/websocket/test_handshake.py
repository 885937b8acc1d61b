import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineman.errors import HttpError, UsageError
from lineman.protocols.http.answer_heads import error_response
from lineman.protocols.http.requests import Headers, Request, RequestParser
from lineman.protocols.websocket import handshake
from lineman.protocols.websocket.origins import OriginPolicy

KEY = "dGhlIHNhbXBsZSBub25jZQ=="

Lines = tuple[tuple[str, str], ...]

BASE = {
    "Host": "a.example",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}


def parsed(
    *more: tuple[str, str], line: str = "GET /chat HTTP/1.1", **change: str | None
) -> Request:
    """A handshake through the real parser, with headers changed (`_` is `-`), dropped or added."""
    headers: dict[str, str | None] = dict(BASE)
    for name, value in change.items():
        [known] = [one for one in BASE if one.lower() == name.replace("_", "-")]
        headers[known] = value
    lines = [(name, value) for name, value in headers.items() if value is not None]
    text = line + "\r\n" + "".join(f"{name}: {value}\r\n" for name, value in [*lines, *more])
    parser = RequestParser(16384, 1024)
    requests = parser.feed(text.encode("latin-1") + b"\r\n")
    assert parser.error is None
    return requests[0]


def refusal(request: Request) -> HttpError:
    with pytest.raises(HttpError) as caught:
        handshake.check(request)
    assert "\n" not in caught.value.text
    return caught.value


def test_a_handshake_is_accepted() -> None:
    request = parsed()
    assert handshake.is_websocket(request)
    assert handshake.check(request) == KEY


@pytest.mark.parametrize(
    "request_",
    [
        parsed(connection="keep-alive, Upgrade"),
        parsed(("Connection", "Upgrade"), connection="keep-alive"),
        parsed(connection="upgrade , close"),
        parsed(upgrade="WebSocket"),
        parsed(upgrade="h2c, websocket"),
        parsed(("Upgrade", "websocket"), upgrade="h2c"),
        parsed(sec_websocket_version=" 13 "),
        parsed(sec_websocket_key=KEY + "\t"),
        parsed(line="GET http://a.example/chat HTTP/1.1"),
    ],
)
def test_what_browsers_and_proxies_make_of_a_handshake_is_accepted(request_: Request) -> None:
    assert handshake.check(request_) == KEY


def test_another_method_is_405_and_says_which_is_allowed() -> None:
    error = refusal(parsed(line="POST /chat HTTP/1.1"))
    assert (error.status, error.headers) == (405, (("Allow", "GET"),))


def test_http_1_0_is_400_and_names_the_line_that_nginx_needs() -> None:
    error = refusal(parsed(line="GET /chat HTTP/1.0"))
    assert error.status == 400
    assert "proxy_http_version 1.1;" in error.text


@pytest.mark.parametrize(
    "request_",
    [
        parsed(upgrade=None),
        parsed(connection=None),
        parsed(upgrade="h2c"),
        parsed(connection="keep-alive"),
        parsed(connection="keep-alive Upgrade"),
        parsed(upgrade="websockets"),
        parsed(upgrade=None, connection="close", line="GET / HTTP/1.0"),
    ],
)
def test_a_request_without_upgrade_is_426_with_a_hint_for_proxies(request_: Request) -> None:
    error = refusal(request_)
    assert error.status == 426
    assert dict(error.headers) == {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
    }
    assert "a websocket client is expected here" in error.text
    assert "forward the Upgrade and Connection headers" in error.text


def test_the_answer_to_a_plain_request_can_be_sent() -> None:
    encoded = error_response(handshake.plain_request_error())
    assert encoded.startswith(b"HTTP/1.1 426 Upgrade Required\r\n")
    assert b"\r\nConnection: Upgrade, close\r\n" in encoded
    assert encoded.count(b"\n", encoded.index(b"\r\n\r\n") + 4) == 1


def test_what_the_parser_did_not_take_for_an_upgrade_is_none() -> None:
    request = parsed()
    request.upgrade = False
    assert refusal(request).status == 426


@pytest.mark.parametrize("hosts", [[], ["a", "a"]])
def test_a_missing_or_doubled_host_is_400(hosts: list[str]) -> None:
    lines = [(name, value) for name, value in BASE.items() if name != "Host"]
    headers = Headers([*lines, *(("Host", host) for host in hosts)])
    error = refusal(Request("GET", "/", "1.1", headers, upgrade=True))
    assert error.status == 400
    assert "Host" in error.text


@pytest.mark.parametrize(
    "request_",
    [
        parsed(sec_websocket_key=None),
        parsed(sec_websocket_key=""),
        parsed(("Sec-WebSocket-Key", KEY)),
        parsed(sec_websocket_key="zz"),
        parsed(sec_websocket_key="dGhlIHNhbXBsZSBub25j"),  # 15 bytes
        parsed(sec_websocket_key="dGhlIHNhbXBsZSBub25jZWE="),  # 17 bytes
        parsed(sec_websocket_key="dGhlIHNhbXBsZSBub25jZWEh"),  # 18 bytes
        parsed(sec_websocket_key="dGhl!HNhbXBsZSBub25jZQ=="),
        parsed(sec_websocket_key="dGhl HNhbXBsZSBub25jZQ=="),
        parsed(sec_websocket_key="dGhlIHNhbXBsZSBub25jZQ==="),
        parsed(sec_websocket_key="dGhlIHNhbXBsZSBub25jZ==="),
        parsed(sec_websocket_key="========================"),
        parsed(sec_websocket_key="d\xe4hlIHNhbXBsZSBub25jZQ=="),
    ],
)
def test_a_key_that_is_not_16_bytes_of_base64_is_400(request_: Request) -> None:
    error = refusal(request_)
    assert error.status == 400
    assert "Sec-WebSocket-Key" in error.text


@pytest.mark.parametrize("version", ["8", "0", "14", "", "013", "thirteen"])
def test_another_version_is_426_with_the_one_that_is_spoken(version: str) -> None:
    error = refusal(parsed(sec_websocket_version=version))
    assert error.status == 426
    assert ("Sec-WebSocket-Version", "13") in error.headers


@pytest.mark.parametrize(
    "request_",
    [
        parsed(sec_websocket_version=None),
        parsed(("Sec-WebSocket-Version", "13")),
        parsed(sec_websocket_version="8, 13"),
    ],
)
def test_a_missing_or_doubled_version_is_400_with_the_one_that_is_spoken(
    request_: Request,
) -> None:
    error = refusal(request_)
    assert error.status == 400
    assert ("Sec-WebSocket-Version", "13") in error.headers


def test_offered_subprotocols_are_read_from_all_lines() -> None:
    request = parsed(
        ("Sec-WebSocket-Protocol", "chat.v2 ,, chat.v1"), ("sec-websocket-protocol", "x")
    )
    assert handshake.offered_subprotocols(request) == ["chat.v2", "chat.v1", "x"]
    assert handshake.offered_subprotocols(parsed()) == []


def test_the_server_prefers_and_none_is_an_answer() -> None:
    assert handshake.choose_subprotocol(["b", "a"], ["a", "b"]) == "a"
    assert handshake.choose_subprotocol(["b", "A"], ["a"]) is None
    assert handshake.choose_subprotocol([], ["a"]) is None
    assert handshake.choose_subprotocol(["a"], []) is None


PLAIN_101 = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
)


def test_the_plain_response_is_the_101() -> None:
    assert handshake.response(KEY) == PLAIN_101 + b"\r\n"


def test_the_response_names_what_was_negotiated_and_what_the_caller_adds() -> None:
    assert handshake.response(KEY, "chat", [("Set-Cookie", "a=1")], "permessage-deflate") == (
        PLAIN_101 + b"Sec-WebSocket-Protocol: chat\r\n"
        b"Sec-WebSocket-Extensions: permessage-deflate\r\nSet-Cookie: a=1\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X", "a\r\nY: b"),
        ("X\r\nY", "a"),
        ("Connection", "close"),
        ("Upgrade", "websocket"),
        ("sec-websocket-accept", "x"),
        ("Sec-WebSocket-Protocol", "x"),
        ("Sec-WebSocket-Extensions", "x"),
        ("Content-Length", "0"),
        ("Transfer-Encoding", "chunked"),
    ],
)
def test_a_header_that_would_break_the_handshake_is_refused(name: str, value: str) -> None:
    with pytest.raises(UsageError):
        handshake.response(KEY, None, [(name, value)])
    if name != "sec-websocket-accept":
        with pytest.raises(UsageError):
            handshake.client_request("a", "/", KEY, [(name, value)])


@pytest.mark.parametrize("name", ["", "a b", "a,b", "a\r\nb: c", "\xe4"])
def test_a_subprotocol_that_is_no_token_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        handshake.response(KEY, name)
    with pytest.raises(UsageError):
        handshake.client_request("a", "/", KEY, subprotocols=[name])


def test_an_extension_cannot_split_the_response() -> None:
    with pytest.raises(UsageError):
        handshake.response(KEY, None, (), "x\r\ny: z")


def test_the_clients_request_is_a_handshake_that_is_accepted() -> None:
    data = handshake.client_request(
        "a.example:8282", "/chat?room=7", KEY, [("Origin", "https://a.example")], ["b", "c"], "ext"
    )
    [request] = RequestParser(16384, 0).feed(data)
    assert handshake.check(request) == KEY
    assert (request.path, request.host) == ("/chat", "a.example:8282")
    assert handshake.offered_subprotocols(request) == ["b", "c"]
    assert request.headers["Sec-WebSocket-Extensions"] == "ext"
    assert request.headers["Origin"] == "https://a.example"


@pytest.mark.parametrize(
    ("host", "target", "key"),
    [
        ("a b", "/", KEY),
        ("a", "/ x", KEY),
        ("a", "/\r\nX: y", KEY),
        ("a", "", KEY),
        ("a", "/", "\n"),
    ],
)
def test_a_client_request_that_would_break_is_refused(host: str, target: str, key: str) -> None:
    with pytest.raises(UsageError):
        handshake.client_request(host, target, key)


HEADER_LINES = st.lists(
    st.tuples(
        st.sampled_from(
            ["Host", "Origin", "Cookie", "Upgrade", "Connection", "Sec-WebSocket-Key",
             "Sec-WebSocket-Version", "Sec-WebSocket-Protocol"]
        ),
        st.text(st.characters(max_codepoint=255), max_size=30)
        | st.sampled_from(["websocket", "upgrade", "13", KEY, "https://a", "null", "a", "[::1]:5"]),
    ),
    max_size=9,
)  # fmt: skip


@given(HEADER_LINES)
def test_garbage_ends_in_a_key_or_an_http_error(lines: list[tuple[str, str]]) -> None:
    request = Request("GET", "/", "1.1", Headers(lines), upgrade=True)
    handshake.offered_subprotocols(request)
    for policy in (OriginPolicy(), OriginPolicy(["https://a", "https://*.b"])):
        verdict = policy.judge(request)
        assert error_response(HttpError(403, verdict.words))
    try:
        key = handshake.check(request)
    except HttpError as refused:
        key = ""
        error = refused
    assert len(key) == 24 or (error is not None and error_response(error))
