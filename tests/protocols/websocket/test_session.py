"""A whole websocket without a socket: bytes and a number for the clock in, bytes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.frames import (
    CASES,
    CLOSE,
    LIMIT,
    PING,
    PONG,
    TEXT,
    Frame,
    Seen,
    binary,
    check,
    is_final,
    seen,
    text,
    whole,
    written,
)
from lineman.errors import ProtocolError, UsageError
from lineman.protocols.events import PROGRESS, Close, Reply
from lineman.protocols.websocket.control import Event, Ping, Pong
from lineman.protocols.websocket.masks import Masks
from lineman.protocols.websocket.negotiation import Agreement, DeflateOptions
from lineman.protocols.websocket.session import LARGE, WebsocketSession
from protocols.websocket.vectors import VECTORS, Vector

MASK = bytes.fromhex("37fa213d")
PAUSE, PATIENCE, GOODBYE = 25.0, 20.0, 5.0
both_ends = pytest.mark.parametrize("is_server", [True, False], ids=["server", "client"])


@dataclass
class Limits:
    max_message_size: int = LIMIT
    ping_interval: float = PAUSE
    ping_timeout: float = PATIENCE
    close_timeout: float = GOODBYE


def session(
    is_server: bool = True,
    limits: Limits | None = None,
    agreement: Agreement | None = None,
    options: DeflateOptions | None = None,
) -> WebsocketSession:
    """One whose masks, where it is a client's, are all the same."""
    masks = None if is_server else lambda: MASK
    return WebsocketSession(limits or Limits(), agreement, options, masks)


def wire(frame: Frame, is_server: bool) -> bytes:
    """A frame as this end writes it."""
    return frame.wire(not is_server, MASK)


def from_peer(frame: Frame, is_server: bool) -> bytes:
    """A frame as the other end writes it."""
    return frame.wire(is_server, MASK)


def closing(code: int | None, reason: str = "") -> Frame:
    return Frame(CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason.encode())


# What comes.


def turn_by_turn(one: WebsocketSession, data: bytes) -> list[Event]:
    """As where each event uses up a share of the turn: the rest comes again later."""
    events = []
    for start in range(0, len(data), 4099):
        left = data[start : start + 4099]
        while (event := one.next(memoryview(left))) is not None:
            if event is not PROGRESS:
                events.append(event)
            if not one.has_more:
                break
            left = one.rest(memoryview(left))
    return events


Way = Callable[[Any, bytes], list[Event]]
WAYS: list[tuple[Way, bool]] = [*CASES, (turn_by_turn, True), (turn_by_turn, False)]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_the_wire_gives_its_events_with_a_tail_and_without(vector: Vector) -> None:
    tail: list[Frame] = []
    after: list[Seen] = []
    if vector.is_whole:
        word = "tail"[: vector.limit]
        tail = [text(word), Frame(PING, b"tail")]
        if not any(map(is_final, vector.events)):
            after = [("text", word), ("ping", b"tail")]
    for way, is_server in WAYS:
        limits = Limits(vector.limit)
        one = session(is_server, limits)
        data = vector.wire(is_server)
        check(way(one, data), vector.events, (way, is_server))
        assert one.unfinished() is not None or not one.held()
        check(way(one, written(tail, is_server)), after, (way, is_server))
        if len(data) < 1000 or way is whole:
            events = way(session(is_server, limits), data + written(tail, is_server))
            check(events, [*vector.events, *after], (way, is_server))


def test_what_is_unfinished_is_one_object_until_it_is_complete() -> None:
    one = session()
    one.feed(from_peer(text("hel", False), True))
    first = one.unfinished()
    assert len(first) == 3
    assert one.held() >= 3
    one.feed(from_peer(Frame(0, b"l", False), True))
    assert one.unfinished() is first
    assert one.feed(from_peer(Frame(0, b"o"), True)) == ["hello"]
    assert one.unfinished() is None
    assert one.held() == 0


def test_one_call_does_a_bounded_piece_of_a_large_message() -> None:
    agreement = Agreement(True, True)
    peer = session(False, agreement=agreement, options=DeflateOptions(threshold=0))
    data = memoryview(peer.encode(bytes(LIMIT)))
    assert len(data) < LIMIT / 100
    one = session(True, agreement=agreement)
    events = []
    while True:
        events.append(one.next(data))
        if not one.has_more:
            break
    assert events.count(PROGRESS) >= LIMIT // (1 << 16)
    assert events[-1] == bytes(LIMIT)


# What goes.

SIZES = (0, 1, 125, 126, 127, LARGE - 1, LARGE, 65535, 65536)


@both_ends
@pytest.mark.parametrize("size", SIZES)
def test_a_message_is_one_frame_of_the_shortest_form(is_server: bool, size: int) -> None:
    words = ("größer " * (size // 8 + 1))[:size]
    for message, frame in (
        ("a" * size, text("a" * size)),
        (words, text(words)),
        (bytes(size), binary(bytes(size))),
        (bytearray(size), binary(bytes(size))),
        (memoryview(bytes(size)), binary(bytes(size))),
    ):
        one = session(is_server)
        assert one.encode(message) == wire(frame, is_server)
        assert b"".join(one.pieces(message)) == wire(frame, is_server)


def test_a_long_message_of_a_server_is_not_copied() -> None:
    message = bytes(LARGE)
    before, body, behind = session().pieces(message)
    assert body is message
    assert (len(before), behind) == (4, b"")


@pytest.mark.parametrize("message", [None, 7, ["a"], "\ud800"], ids=repr)
@both_ends
def test_what_is_no_message_is_refused(is_server: bool, message: Any) -> None:
    for way in (session(is_server).encode, session(is_server).pieces):
        with pytest.raises(UsageError, match=r"send\(\) takes|cannot be sent"):
            way(message)


def test_every_frame_of_a_client_has_a_mask_of_its_own() -> None:
    masks = Masks()
    one = WebsocketSession(Limits(), masks=masks.take)
    frames = [one.encode("a"), one.encode(b"a"), one.ping(), one.closing(1000, "", 0.0)]
    assert len({frame[2:6] for frame in frames if frame is not None}) == 4


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.text() | st.binary(), max_size=8),
    st.booleans(),
    st.sampled_from([None, Agreement(), Agreement(True, True), Agreement(False, True, 10, 12)]),
)
def test_what_one_end_writes_the_other_reads(
    messages: list[str | bytes], is_server: bool, agreement: Agreement | None
) -> None:
    options = DeflateOptions(threshold=0)
    ours = session(is_server, agreement=agreement, options=options)
    theirs = session(not is_server, agreement=agreement, options=options)
    assert theirs.feed(b"".join(map(ours.encode, messages))) == messages


@both_ends
def test_messages_are_compressed_where_it_gains_and_control_frames_never(is_server: bool) -> None:
    one = session(is_server, agreement=Agreement(True, True))
    assert len(one.encode("a" * 10_000)) < 100
    assert len(b"".join(one.pieces("a" * 10_000))) < 100
    assert one.encode("a" * 100) == wire(text("a" * 100), is_server)  # below the threshold
    assert one.ping(b"a" * 125) == wire(Frame(PING, b"a" * 125), is_server)


def test_a_ping_has_125_bytes_at_most() -> None:
    with pytest.raises(UsageError, match="125"):
        session().ping(bytes(126))


# The closing handshake. Each step is what is done, and what must come of it.

Step = tuple[str, Any, Any]
HELLO, BYE = text("hello"), closing(1001, "bye")
BROKEN = Frame(TEXT, b"\xff")
BAD_TEXT = "text that is not UTF-8"

CLOSE_PATHS: dict[str, Sequence[Step]] = {
    "we begin, the peer answers": (
        ("close", (1000, "done"), closing(1000, "done")),
        ("hear", closing(1000), [("close", 1000, "")]),
        ("answer", -1, None),
        ("is over", None, True),
    ),
    "the peer begins, we answer with its code and without its words": (
        ("hear", BYE, [("close", 1001, "bye")]),
        ("is over", None, False),
        ("answer", -1, closing(1001)),
        ("is over", None, True),
    ),
    "a close frame without a code is answered with none": (
        ("hear", closing(None), [("close", 1005, "")]),
        ("answer", -1, closing(None)),
        ("is over", None, True),
    ),
    "both begin at once": (
        ("close", (1001, ""), closing(1001)),
        ("hear", BYE, [("close", 1001, "bye")]),
        ("answer", -1, None),
        ("is over", None, True),
    ),
    "we close instead of answering": (
        ("hear", BYE, [("close", 1001, "bye")]),
        ("close", (4000, "no"), closing(4000, "no")),
        ("answer", -1, None),
        ("is over", None, True),
    ),
    "messages still come behind our close frame, and pings are not answered": (
        ("close", (1000, ""), closing(1000)),
        ("hear", HELLO, [("text", "hello")]),
        ("hear", Frame(PING, b"?"), [("ping", b"?")]),
        ("answer", -1, None),
        ("is over", None, False),
        ("hear", closing(1000), [("close", 1000, "")]),
        ("is over", None, True),
    ),
    "closing twice says it once": (
        ("close", (1000, ""), closing(1000)),
        ("close", (4001, "again"), None),
        ("is open", None, False),
    ),
    "answering twice says it once": (
        ("hear", BYE, [("close", 1001, "bye")]),
        ("answer", -1, closing(1001)),
        ("answer", -1, None),
    ),
    "what follows the peer's close frame is nothing": (
        ("hear", BYE, [("close", 1001, "bye")]),
        ("hear", HELLO, []),
        ("hear", BYE, []),
        ("answer", 0, closing(1001)),
        ("hear", HELLO, []),
    ),
    "a broken rule is answered with its code and why": (
        ("hear", BROKEN, [("error", 1007, BAD_TEXT)]),
        ("is open", None, False),
        ("answer", -1, closing(1007, BAD_TEXT)),
        ("is over", None, True),
        ("hear", HELLO, []),
    ),
    "a rule is broken instead of an answer to our close frame": (
        ("close", (1000, ""), closing(1000)),
        ("hear", BROKEN, [("error", 1007, BAD_TEXT)]),
        ("answer", -1, None),
        ("is over", None, True),
    ),
    "a rule is broken that the connection watches": (
        ("hear", text("hel", False), []),
        ("error", (1008, "too slow"), closing(1008, "too slow")),
        ("hear", Frame(0, b"lo"), []),
        ("is over", None, True),
    ),
    "a close frame with a code that stands for what happened is a broken rule": (
        ("hear", closing(1006), [("error", 1002, "close frame with code 1006")]),
        ("answer", -1, closing(1002, "close frame with code 1006, which must not be sent")),
    ),
    "our close frame may have no code": (("close", (1005, ""), closing(None)),),
    "long words are cut": (
        ("close", (1000, "a" * 122 + "ö"), closing(1000, "a" * 122)),
    ),
    "a ping is answered with what it holds": (
        ("hear", Frame(PING, b"\xff?"), [("ping", b"\xff?")]),
        ("answer", -1, Frame(PONG, b"\xff?")),
        ("is open", None, True),
    ),
    "a pong and a message are answered with nothing": (
        ("hear", Frame(PONG, b"?"), [("pong", b"?")]),
        ("answer", -1, None),
        ("hear", HELLO, [("text", "hello")]),
        ("answer", -1, None),
        ("is open", None, True),
    ),
}  # fmt: skip


@both_ends
@pytest.mark.parametrize("path", CLOSE_PATHS, ids=str)
def test_every_way_to_the_end(path: str, is_server: bool) -> None:
    one = session(is_server)
    events: list[Event] = []
    for what, given_, wanted in CLOSE_PATHS[path]:
        if what == "hear":
            heard = one.feed(from_peer(given_, is_server))
            check(heard, wanted)
            events += heard
            continue
        if what.startswith("is"):
            assert {"is open": one.is_open, "is over": one.is_over}[what] is wanted
            continue
        if what == "close":
            said = one.closing(*given_, 0.0)
        elif what == "error":
            said = one.answer_to(ProtocolError(*given_), 0.0)
        else:
            said = one.answer_to(events[given_], 0.0)
        assert said == (None if wanted is None else wire(wanted, is_server))


@both_ends
def test_nothing_is_sent_behind_the_close_frame(is_server: bool) -> None:
    one = session(is_server)
    one.closing(1000, "", 0.0)
    assert not one.is_open
    for way in (one.encode, one.pieces, one.ping):
        with pytest.raises(RuntimeError, match="behind the close frame"):
            way(b"late")


@pytest.mark.parametrize("code", [0, 999, 1004, 1006, 1015, 2999, 5000])
def test_a_code_that_must_not_be_sent_is_refused_and_nothing_has_happened(code: int) -> None:
    one = session()
    with pytest.raises(UsageError, match=str(code)):
        one.closing(code, "", 0.0)
    assert one.is_open


def test_only_a_ping_is_an_event_of_which_the_newest_counts() -> None:
    assert isinstance(Ping(b""), Reply)
    assert not isinstance(Pong(b""), Reply)
    assert not isinstance(Close(1000, ""), Reply)


# The clock. Each step: the time, what happens then, when bytes last came, and what must come of
# it: whether a ping leaves, why the peer is given up, when to ask again.

Wanted = tuple[bool, str | None, float]
NOTHING = (False, None, 0.0)
DEADLINES: dict[str, Sequence[tuple[float, str, float, Wanted]]] = {
    "a peer that says something is not pinged": (
        (100.0, "ask", 100.0, (False, None, 125.0)),
        (125.0, "ask", 110.0, (False, None, 135.0)),
    ),
    "a silent peer is pinged, and lives by any byte": (
        (125.0, "ask", 100.0, (True, None, 145.0)),
        (145.0, "ask", 126.0, (False, None, 151.0)),
        (151.0, "ask", 126.0, (True, None, 171.0)),
    ),
    "a peer that does not answer is given up": (
        (125.0, "ask", 100.0, (True, None, 145.0)),
        (144.9, "ask", 100.0, (False, None, 145.0)),
        (145.0, "ask", 100.0, (False, "no answer to a ping within 20 s", 145.0)),
    ),
    "while nobody reads silence means nothing, and a ping of before counts for nothing": (
        (125.0, "ask", 100.0, (True, None, 145.0)),
        (145.0, "ask unread", 100.0, (False, None, 170.0)),
        (170.0, "ask", 145.0, (True, None, 190.0)),
    ),
    "an answer to our close frame is waited for, and not pinged for": (
        (100.0, "close", 100.0, (False, None, 105.0)),
        (104.0, "ask", 60.0, (False, None, 105.0)),
        (105.0, "ask", 104.9, (False, "the peer did not finish closing in time", 105.0)),
    ),
    "a ping that is not answered yet does not shorten that": (
        (125.0, "ask", 100.0, (True, None, 145.0)),
        (144.0, "close", 100.0, (False, None, 149.0)),
        (145.0, "ask", 100.0, (False, None, 149.0)),
    ),
    "a peer whose last words were heard and wait is not pinged": (
        (100.0, "hear", 100.0, NOTHING),
        (200.0, "ask", 100.0, NOTHING),
    ),
}


@both_ends
@pytest.mark.parametrize("story", DEADLINES, ids=str)
def test_every_deadline(story: str, is_server: bool) -> None:
    one = session(is_server)
    for now, what, last_received, (is_pinged, why, again) in DEADLINES[story]:
        if what == "close":
            one.closing(1000, "", now)
        elif what == "hear":
            one.feed(from_peer(BYE, is_server))
        ping = wire(Frame(PING), is_server) if is_pinged else None
        assert one.on_time(now, last_received, what != "ask unread") == (ping, why, again), now


def test_who_ends_tcp_waits_for_nothing_and_the_other_for_its_end() -> None:
    for is_server, wanted in ((True, NOTHING), (False, (None, None, 105.0))):
        one = session(is_server)
        (event,) = one.feed(from_peer(BYE, is_server))
        one.answer_to(event, 100.0)
        said, why, again = one.on_time(100.0, 100.0)
        assert (said is not None, why, again) == (wanted[0] is True, wanted[1], wanted[2])
    assert one.on_time(105.0, 100.0)[1] is not None


def test_without_an_interval_nobody_is_ever_pinged() -> None:
    one = session(limits=Limits(ping_interval=0.0))
    assert one.on_time(1e9, 0.0) == (None, None, 0.0)


def test_an_event_is_one_of_those_that_are_promised() -> None:
    one = session()
    events = one.feed(written((HELLO, binary(b"\xff"), Frame(PING), Frame(PONG), BYE), True))
    assert [seen(event)[0] for event in events] == ["text", "binary", "ping", "pong", "close"]
