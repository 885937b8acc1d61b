"""One client's side of the protocol."""

from __future__ import annotations

import re

import pytest

from lineman.client.answer import NotHttpError
from lineman.client.session import Masks, Opening, RefusedError, Session, close_frame
from lineman.client.target import parse
from lineman.errors import UsageError
from lineman.protocols.http import RequestParser
from lineman.protocols.websocket import frames, handshake
from lineman.protocols.websocket.deflate import Inflater, compressor
from lineman.protocols.websocket.messages import Close, Decoder
from lineman.protocols.websocket.negotiation import DeflateOptions, accept

RSV1_FIN = frames.FIN | frames.RSV1
OPENING = Opening(parse("ws://example.com:8282/chat?room=7"))


def key_of(session: Session) -> str:
    (request,) = RequestParser(16384, 0).feed(session.request)
    return handshake.check(request)


def test_the_handshake_is_one_that_our_server_takes() -> None:
    session = Session(Opening(OPENING.target, (("Origin", "https://a.example"),), ("v2", "v1")))
    (request,) = RequestParser(16384, 0).feed(session.request)
    assert handshake.check(request)
    assert request.target == "/chat?room=7"
    assert request.host == "example.com:8282"
    assert request.headers.get("origin") == "https://a.example"
    assert handshake.offered_subprotocols(request) == ["v2", "v1"]


def test_every_session_has_a_key_of_its_own() -> None:
    assert key_of(Session(OPENING)) != key_of(Session(OPENING))


def test_headers_that_would_break_the_handshake_are_refused() -> None:
    with pytest.raises(UsageError):
        Opening(OPENING.target, (("Host", "other.example"),)).request("A" * 22 + "==")


def test_what_follows_the_101_in_the_same_read_is_decoded() -> None:
    session = Session(OPENING)
    events = session.feed(handshake.response(key_of(session)) + frames.encode(frames.TEXT, b"hi"))
    assert session.is_open
    assert events == ["hi"]


def test_byte_by_byte_it_comes_to_the_same() -> None:
    session = Session(OPENING)
    data = handshake.response(key_of(session)) + frames.encode(frames.BINARY, b"hi")
    events = [event for byte in data for event in session.feed(bytes([byte]))]
    assert events == [b"hi"]


def test_the_subprotocol_that_was_chosen_is_known() -> None:
    session = Session(Opening(OPENING.target, (), ("v1",)))
    session.feed(handshake.response(key_of(session), "v1"))
    assert session.subprotocol == "v1"


def test_a_refusal_raises_with_the_answer() -> None:
    session = Session(OPENING)
    with pytest.raises(RefusedError) as caught:
        session.feed(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno")
    assert (caught.value.answer.status, caught.value.answer.text) == (404, "no")
    assert caught.value.objection is None


def test_a_wrong_accept_key_raises_with_the_objection() -> None:
    session = Session(OPENING)
    with pytest.raises(RefusedError, match="does not belong to our key"):
        session.feed(handshake.response("AAAAAAAAAAAAAAAAAAAAAA=="))
    assert not session.is_open


def test_the_end_of_the_stream_ends_a_refusal() -> None:
    session = Session(OPENING)
    session.feed(b"HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\nsorry")
    with pytest.raises(RefusedError) as caught:
        session.feed_end()
    assert caught.value.answer.text == "sorry"


def test_an_end_before_any_answer_is_no_refusal() -> None:
    session = Session(OPENING)
    session.feed(b"HTTP/1.1 5")
    session.feed_end()


def test_something_else_than_http_raises() -> None:
    with pytest.raises(NotHttpError):
        Session(OPENING).feed(b"220 mail.example ESMTP\r\n")


def test_masks_are_fresh_four_bytes_each_time() -> None:
    masks = Masks()
    taken = [masks.take() for _ in range(3 * Masks.PORTION // 4)]
    assert {len(mask) for mask in taken} == {4}
    assert len(set(taken)) > len(taken) * 0.99


def test_the_close_frame_is_masked_and_holds_the_code() -> None:
    assert Decoder(1000).feed(close_frame(1000, Masks())) == [Close(1000, "")]
    assert Decoder(1000).feed(close_frame(1005, Masks())) == [Close(1005, "")]


def test_the_request_is_one_head() -> None:
    assert len(re.findall(b"\r\n\r\n", Session(OPENING).request)) == 1


# Compression.

COMPRESSED = Opening(
    OPENING.target,
    compression=DeflateOptions(
        server_no_context_takeover=False, client_no_context_takeover=False, threshold=0
    ),
)


def agreed(session: Session, answer: str = "permessage-deflate") -> Session:
    session.feed(handshake.response(key_of(session), extensions=answer))
    return session


def test_compression_is_offered_where_it_is_wanted() -> None:
    assert b"permessage-deflate" in Session(COMPRESSED).request
    assert b"Extensions" not in Session(OPENING).request


@pytest.mark.parametrize(
    "answer",
    [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits=9; server_max_window_bits=9",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    ],
)
def test_messages_are_compressed_both_ways(answer: str) -> None:
    session = agreed(Session(COMPRESSED), answer)
    agreement = accept(answer, COMPRESSED.compression or DeflateOptions())
    server = Decoder(1 << 20, inflater=Inflater(agreement, 1 << 20))
    shrinking = compressor(agreement, DeflateOptions(threshold=0))
    for number in range(3):
        text = f"message {number} " * 50
        frame = session.encode(frames.TEXT, text.encode(), b"abcd")
        assert len(frame) < len(text) / 2
        assert server.feed(frame) == [text]
        back = frames.encode(frames.TEXT, shrinking.compress(text.encode()), RSV1_FIN)
        assert session.feed(back) == [text]


def test_control_frames_are_never_compressed() -> None:
    session = agreed(Session(COMPRESSED))
    assert session.encode(frames.PING, b"x" * 100, b"abcd") == frames.encode_masked(
        frames.PING, b"x" * 100, b"abcd"
    )


def test_without_an_agreement_nothing_is_compressed() -> None:
    session = Session(COMPRESSED)
    session.feed(handshake.response(key_of(session)))
    assert len(session.encode(frames.TEXT, b"x" * 100, b"abcd")) == 106


@pytest.mark.parametrize(
    ("opening", "answer", "words"),
    [
        (OPENING, "permessage-deflate", "not offered"),
        (COMPRESSED, "x-other", "permessage-deflate"),
        (COMPRESSED, "permessage-deflate; server_max_window_bits=99", "server_max_window_bits"),
    ],
)
def test_an_extension_that_answers_no_offer_is_refused(
    opening: Opening, answer: str, words: str
) -> None:
    with pytest.raises(RefusedError, match=words):
        agreed(Session(opening), answer)
