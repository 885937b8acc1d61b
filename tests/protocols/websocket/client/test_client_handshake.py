"""The opening handshake as a client sends it and judges the answer."""

from __future__ import annotations

import re

import pytest

from lineman.errors import UsageError
from lineman.protocols.http.requests import RequestParser
from lineman.protocols.websocket import frames, handshake
from lineman.protocols.websocket.client.client_handshake import (
    ClientHandshake,
    ClientOpening,
    HandshakeRefusedError,
)
from lineman.protocols.websocket.client.server_answer import NotHttpError
from lineman.protocols.websocket.client.url import parse
from lineman.protocols.websocket.control import Event
from lineman.protocols.websocket.decoder import Decoder
from lineman.protocols.websocket.deflate import Inflater, compressor
from lineman.protocols.websocket.masks import Masks
from lineman.protocols.websocket.negotiation import DeflateOptions, accept
from lineman.protocols.websocket.session import WebsocketSession

RSV1_FIN = frames.FIN | frames.RSV1
OPENING = ClientOpening(parse("ws://example.com:8282/chat?room=7"))


def asked(opening: ClientOpening = OPENING) -> ClientHandshake:
    return ClientHandshake(opening, Masks().take)


def key_of(asking: ClientHandshake) -> str:
    (request,) = RequestParser(16384, 0).feed(asking.request)
    return handshake.check(request)


def opened(asking: ClientHandshake, answer: bytes) -> tuple[WebsocketSession, list[Event]]:
    upgrade = asking.feed(answer)
    assert upgrade is not None
    session = upgrade.session
    assert isinstance(session, WebsocketSession)
    return session, session.feed(upgrade.rest)


def test_the_handshake_is_one_that_our_server_takes() -> None:
    asking = asked(ClientOpening(OPENING.target, (("Origin", "https://a.example"),), ("v2", "v1")))
    (request,) = RequestParser(16384, 0).feed(asking.request)
    assert handshake.check(request)
    assert request.target == "/chat?room=7"
    assert request.host == "example.com:8282"
    assert request.headers.get("origin") == "https://a.example"
    assert handshake.offered_subprotocols(request) == ["v2", "v1"]


def test_every_session_has_a_key_of_its_own() -> None:
    assert key_of(asked()) != key_of(asked())


def test_headers_that_would_break_the_handshake_are_refused() -> None:
    with pytest.raises(UsageError):
        ClientOpening(OPENING.target, (("Host", "other.example"),)).request("A" * 22 + "==")


def test_what_follows_the_101_in_the_same_read_is_decoded() -> None:
    asking = asked()
    answer = handshake.response(key_of(asking)) + frames.encode(frames.TEXT, b"hi")
    assert opened(asking, answer)[1] == ["hi"]


def test_byte_by_byte_it_comes_to_the_same() -> None:
    asking = asked()
    answer = handshake.response(key_of(asking))
    for byte in answer[:-1]:
        assert asking.feed(bytes([byte])) is None
    session, events = opened(asking, answer[-1:])
    assert events == []
    assert session.is_open


def test_the_host_can_be_another_than_the_one_that_is_connected_to() -> None:
    asking = asked(ClientOpening(OPENING.target, host="other.example"))
    (request,) = RequestParser(16384, 0).feed(asking.request)
    assert request.host == "other.example"


def test_the_subprotocol_that_was_chosen_is_known() -> None:
    asking = asked(ClientOpening(OPENING.target, (), ("v1",)))
    asking.feed(handshake.response(key_of(asking), "v1"))
    assert asking.subprotocol == "v1"


def test_a_refusal_raises_with_the_answer() -> None:
    asking = asked()
    with pytest.raises(HandshakeRefusedError) as caught:
        asking.feed(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno")
    assert (caught.value.answer.status, caught.value.answer.text) == (404, "no")
    assert caught.value.objection is None


def test_a_wrong_accept_key_raises_with_the_objection() -> None:
    asking = asked()
    with pytest.raises(HandshakeRefusedError, match="does not belong to our key"):
        asking.feed(handshake.response("AAAAAAAAAAAAAAAAAAAAAA=="))


def test_the_end_of_the_stream_ends_a_refusal() -> None:
    asking = asked()
    asking.feed(b"HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\nsorry")
    with pytest.raises(HandshakeRefusedError) as caught:
        asking.feed_end()
    assert caught.value.answer.text == "sorry"


def test_an_end_before_any_answer_is_no_refusal() -> None:
    asking = asked()
    asking.feed(b"HTTP/1.1 5")
    asking.feed_end()


def test_something_else_than_http_raises() -> None:
    with pytest.raises(NotHttpError):
        asked().feed(b"220 mail.example ESMTP\r\n")


def test_the_request_is_one_head() -> None:
    assert len(re.findall(b"\r\n\r\n", asked().request)) == 1


# Compression.

COMPRESSED = ClientOpening(
    OPENING.target,
    compression=DeflateOptions(
        server_no_context_takeover=False, client_no_context_takeover=False, threshold=0
    ),
)


def agreed(asking: ClientHandshake, answer: str = "permessage-deflate") -> WebsocketSession:
    return opened(asking, handshake.response(key_of(asking), extensions=answer))[0]


def test_compression_is_offered_where_it_is_wanted() -> None:
    assert b"permessage-deflate" in asked(COMPRESSED).request
    assert b"Extensions" not in asked().request


@pytest.mark.parametrize(
    "answer",
    [
        "permessage-deflate",
        "permessage-deflate; client_max_window_bits=9; server_max_window_bits=9",
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    ],
)
def test_messages_are_compressed_both_ways(answer: str) -> None:
    session = agreed(asked(COMPRESSED), answer)
    agreement = accept(answer, COMPRESSED.compression or DeflateOptions())
    server = Decoder(1 << 20, inflater=Inflater(agreement, 1 << 20))
    shrinking = compressor(agreement, DeflateOptions(threshold=0))
    for number in range(3):
        text = f"message {number} " * 50
        frame = session.encode(text)
        assert len(frame) < len(text) / 2
        assert server.feed(frame) == [text]
        back = frames.encode(frames.TEXT, shrinking.compress(text.encode()), RSV1_FIN)
        assert session.feed(back) == [text]


def test_without_an_agreement_nothing_is_compressed() -> None:
    asking = asked(COMPRESSED)
    session, _ = opened(asking, handshake.response(key_of(asking)))
    assert len(session.encode(b"x" * 100)) == 106


@pytest.mark.parametrize(
    ("opening", "answer", "words"),
    [
        (OPENING, "permessage-deflate", "not offered"),
        (COMPRESSED, "x-other", "permessage-deflate"),
        (COMPRESSED, "permessage-deflate; server_max_window_bits=99", "server_max_window_bits"),
    ],
)
def test_an_extension_that_answers_no_offer_is_refused(
    opening: ClientOpening, answer: str, words: str
) -> None:
    with pytest.raises(HandshakeRefusedError, match=words):
        agreed(asked(opening), answer)
