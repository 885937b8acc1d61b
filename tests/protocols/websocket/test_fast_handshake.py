"""What the quick reader of handshakes accepts, the strict one accepts, and reads the same way."""

from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lineman.errors import HttpError
from lineman.protocols.http.http_messages import Headers
from lineman.protocols.http.requests import MAX_HEADER_LINES, Request, RequestParser
from lineman.protocols.websocket import handshake
from lineman.protocols.websocket.fast_handshake import Opening, read_opening

MAX_HEAD = 2048
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
REQUIRED = (
    "Host: a.example",
    "Upgrade: websocket",
    "Connection: Upgrade",
    f"Sec-WebSocket-Key: {KEY}",
    "Sec-WebSocket-Version: 13",
)


def head(*lines: str, first: str = "GET /chat?room=7 HTTP/1.1") -> bytes:
    return "".join(f"{line}\r\n" for line in (first, *lines, "")).encode("latin-1")


USUAL = head(*REQUIRED)
CHROMIUM = head(
    "Host: localhost:8443",
    "Connection: Upgrade",
    "Pragma: no-cache",
    "Cache-Control: no-cache",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)",
    "Upgrade: websocket",
    "Origin: https://localhost:8443",
    "Sec-WebSocket-Version: 13",
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Accept-Language: en-GB,en;q=0.9",
    "Cookie: sid=abc; theme=dark",
    f"Sec-WebSocket-Key: {KEY}",
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
)
FIREFOX = head(
    "Host: 127.0.0.1:8282",
    "User-Agent: Mozilla/5.0",
    "Sec-WebSocket-Version: 13",
    "Origin: null",
    "Sec-WebSocket-Extensions: permessage-deflate",
    f"Sec-WebSocket-Key: {KEY}",
    "Connection: keep-alive, Upgrade",
    "Upgrade: websocket",
    first="GET /a/b%20c?x=%C3%BC&y=[1] HTTP/1.1",
)


def strict(data: bytes, max_size: int = MAX_HEAD) -> tuple[Request, str, bytes] | None:
    """The oracle: request, key, and what came behind; None where it is no handshake."""
    parser = RequestParser(max_size, 64)
    requests = parser.feed(data)
    if len(requests) != 1 or parser.error is not None:
        return None
    try:
        return requests[0], handshake.check(requests[0]), parser.rest
    except HttpError:
        return None


def facts(request: Request) -> tuple[object, ...]:
    names = [*request.headers, "absent", "host: a.example", "ü", "\u4e00"]
    return (
        request.method, request.target, request.version, request.path, request.query, request.host,
        request.body, request.upgrade, request.keep_alive, request.cookies,
        request.headers.items(), len(request.headers), repr(request.headers),
        [(request.headers.get(name.swapcase()), request.headers.get_all(name.upper()),
          name in request.headers) for name in names],
    )  # fmt: skip


def assert_strict_agrees(data: bytes, opening: Opening, max_size: int = MAX_HEAD) -> None:
    found = strict(data, max_size)
    assert found is not None
    request, key, rest = found
    assert (opening.key, data[len(opening.head) :]) == (key, rest)
    assert facts(Request.of_handshake(opening.head)) == facts(request)
    offers = ("origin", "sec-websocket-protocol", "sec-websocket-extensions")
    assert opening.is_bare == (not any(name in request.headers for name in offers))


@pytest.mark.parametrize("data", [USUAL, CHROMIUM, FIREFOX])
@pytest.mark.parametrize("rest", [b"", b"\x81\x80abcd", b"GET / HTTP/1.1\r\n\r\n"])
def test_the_handshakes_of_usual_clients_are_read(data: bytes, rest: bytes) -> None:
    opening = read_opening(data + rest, MAX_HEAD)
    assert opening is not None
    assert (opening.head, opening.key) == (data, KEY)
    assert opening.is_bare == (data is USUAL)
    assert_strict_agrees(data + rest, opening)


def test_bytes_are_read_from_a_shared_buffer_and_not_kept() -> None:
    buffer = bytearray(CHROMIUM)
    opening = read_opening(memoryview(buffer), MAX_HEAD)
    buffer[:] = bytes(len(buffer))
    assert opening is not None
    assert opening.head == CHROMIUM


@pytest.mark.parametrize("data", [USUAL, CHROMIUM])
def test_a_head_that_is_not_whole_is_left_to_the_parser(data: bytes) -> None:
    assert all(read_opening(data[:cut], MAX_HEAD) is None for cut in range(len(data)))


def test_a_head_may_have_as_many_bytes_as_the_limit_says_and_no_more() -> None:
    opening = read_opening(USUAL, len(USUAL))
    assert opening is not None
    assert_strict_agrees(USUAL, opening, len(USUAL))
    assert read_opening(USUAL, len(USUAL) - 1) is None


def test_a_head_may_have_as_many_lines_as_the_parser_takes() -> None:
    most = head(*REQUIRED, *["A: b"] * (MAX_HEADER_LINES - len(REQUIRED)))
    opening = read_opening(most, MAX_HEAD)
    assert opening is not None
    assert_strict_agrees(most, opening)
    assert read_opening(head(*REQUIRED, *["A: b"] * MAX_HEADER_LINES), MAX_HEAD) is None


@pytest.mark.parametrize("line", REQUIRED)
def test_what_is_missing_or_doubled_is_left_to_the_parser(line: str) -> None:
    assert read_opening(head(*(one for one in REQUIRED if one is not line)), MAX_HEAD) is None
    assert read_opening(head(*REQUIRED, line), MAX_HEAD) is None
    assert read_opening(head(*REQUIRED, line.swapcase()), MAX_HEAD) is None


@pytest.mark.parametrize(
    "line",
    [
        "Content-Length: 0", "content-length: 5", "Transfer-Encoding: chunked",
        "TRANSFER-ENCODING: identity", "Expect: 100-continue", "Proxy-Connection: close",
        "Origin: a\r\nOrigin: b", "Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: b",
        "X: a\r\n b", "X : a", ": a", "X", "X: \x00", "X: a\rb", "X: a\nb", "X: \x7f", "Y Z: a",
    ],
)  # fmt: skip
def test_what_may_change_the_meaning_is_left_to_the_parser(line: str) -> None:
    assert read_opening(head(*REQUIRED, line), MAX_HEAD) is None


def mutations(data: bytes) -> Iterator[bytes]:
    """Every byte replaced by every other, left out, and with every byte put before it."""
    for position in range(len(data)):
        yield data[:position] + data[position + 1 :]
        for value in range(256):
            yield data[:position] + bytes([value]) + data[position + 1 :]
            yield data[:position] + bytes([value]) + data[position:]


def test_what_is_accepted_with_any_one_byte_changed_the_parser_accepts_too() -> None:
    accepted = 0
    seen: set[bytes] = set()
    for data in mutations(USUAL):
        opening = read_opening(data, MAX_HEAD)
        if opening is None:
            continue
        accepted += 1
        # What stands for the same in the parser's eyes is shown to it once.
        shape = data.translate(LETTERS)
        if shape not in seen:
            seen.add(shape)
            assert_strict_agrees(data, opening)
    assert accepted > 1000  # or nothing was tried


# Digits and letters that take each other's place where neither is part of a word.
LETTERS = bytes.maketrans(b"2478bcfjmqxyz", b"2222bbbbbbbbb")

NAMES = st.sampled_from(
    [
        "Host", "Origin", "Upgrade", "Connection", "Content-Length", "Proxy-Connection", "Expect",
        "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol", "Keep-Alive",
        "Sec-WebSocket-Extensions", "Transfer-Encoding", "Cookie", "X", "TE", "Trailer", "", "a b",
    ]
)  # fmt: skip
VALUES = st.sampled_from(
    [
        "", "a", "a.example", "a:80", "a:", ":80", "[::1]:80", "a b", "a,b", "websocket",
        "WebSocket", "websocket, h2c", "h2c", "Upgrade", "upgrade, close", "keep-alive, Upgrade",
        "keep-alive,upgrade", "close", "13", "8", "13, 8", " 13 ", KEY, KEY[:-1], KEY + "=",
        "A" * 24, "AAAAAAAAAAAAAAAAAAAAAB==", "0", "5", "chunked", "100-continue", "ü", "\t13\t",
    ]
) | st.text(st.characters(max_codepoint=255), max_size=8)  # fmt: skip
CASES = st.sampled_from([str, str.lower, str.upper, str.swapcase])
LINES = st.builds(
    lambda name, case, colon, value: case(name) + colon + value,
    NAMES, CASES, st.sampled_from([":", ": ", ":\t", ":  ", " :", ""]), VALUES,
)  # fmt: skip
FIRST_LINES = st.sampled_from(
    [
        "GET / HTTP/1.1", "GET /chat?room=7 HTTP/1.1", "GET /a#b HTTP/1.1", "GET * HTTP/1.1",
        "GET /ü HTTP/1.1", "GET http://a/ HTTP/1.1", "POST / HTTP/1.1", "GET / HTTP/1.0",
        "GET  / HTTP/1.1", "GET / HTTP/1.1 ", "get / HTTP/1.1", "GET / HTTP/2.0", "GET /",
    ]
) | st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=8).map(
    lambda target: f"GET /{target} HTTP/1.1"
)  # fmt: skip


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    """Handshakes, most of them right but for a line or two."""
    lines = draw(st.permutations(REQUIRED))
    for line in draw(st.lists(LINES, max_size=4)):
        lines.insert(draw(st.integers(0, len(lines))), line)
    if draw(st.booleans()):
        lines.pop(draw(st.integers(0, len(lines) - 1)))
    return head(*lines, first=draw(FIRST_LINES)) + draw(st.sampled_from([b"", b"\x00", USUAL]))


@given(heads())
@example(head(*REQUIRED, "Connection: close"))
def test_whatever_is_accepted_the_parser_accepts_and_reads_the_same(data: bytes) -> None:
    opening = read_opening(data, MAX_HEAD)
    if opening is not None:
        assert_strict_agrees(data, opening)


@given(
    st.permutations(REQUIRED),
    st.lists(
        st.builds(
            lambda name, value: f"{name}: {value}",
            st.from_regex(r"\AX-[A-Za-z0-9!#$%&'*+.^_`|~-]{1,20}\Z"),
            st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30),
        ),
        max_size=6,
    ),
    st.text("abcXYZ019-._~/?&=%+,;:@!$'()*|", max_size=30),
)
def test_every_well_formed_head_takes_the_quick_way(
    required: list[str], others: list[str], target: str
) -> None:
    data = head(*required, *others, first=f"GET /{target} HTTP/1.1")
    assert strict(data) is not None
    opening = read_opening(data, MAX_HEAD)
    if "|" not in target:
        assert opening is not None
    if opening is not None:
        assert_strict_agrees(data, opening)


@given(st.binary(max_size=300))
def test_garbage_is_no_handshake(data: bytes) -> None:
    assert read_opening(data, MAX_HEAD) is None


def test_headers_of_a_head_keep_no_second_copy_of_it() -> None:
    headers = Headers(None, CHROMIUM)
    assert headers["origin"] == "https://localhost:8443"
    assert headers.get("nothing", "else") == "else"
    with pytest.raises(KeyError):
        headers["nothing"]
    assert list(headers)[:2] == ["Host", "Connection"]
