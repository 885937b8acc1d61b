"""A protocol of the program's own: what it is asked, and what comes of its mistakes."""

from __future__ import annotations

from typing import Any

import pytest

from kit.feeding import all_cuts, events_of
from lineman.errors import ProtocolError, UsageError
from lineman.net.connection.limits import Limits
from lineman.protocols.codecs.codec_session import FREE, SHARE, CodecSession
from lineman.protocols.events import LATER, NO_MESSAGE
from lineman.protocols.websocket.close import INTERNAL_ERROR, MESSAGE_TOO_BIG, PROTOCOL_ERROR

MOST = 4000


class Words:
    """Words that end with a space; `shown` counts the bytes that it was shown."""

    def __init__(self) -> None:
        self.asked = 0
        self.shown = 0

    def input(self, buffer: bytes) -> int:
        assert type(buffer) is bytes
        self.asked += 1
        self.shown += len(buffer)
        return buffer.find(b" ") + 1

    def decode(self, package: bytes) -> Any:
        assert type(package) is bytes
        return None if package == b"- " else package[:-1].decode()

    def encode(self, message: str) -> bytes:
        return message.encode() + b" "


def session(codec: Any = None, most: int = MOST) -> CodecSession:
    return CodecSession(Limits(max_message_size=most), Words() if codec is None else codec)


STREAMS = {
    "one": (b"hello ", ["hello"]),
    "many and a tail": (b"a bb ccc dd", ["a", "bb", "ccc"]),
    "one without a message": (b"a - b ", ["a", NO_MESSAGE, "b"]),
    "longer than what is shown first": (b"x" * 3000 + b" y ", ["x" * 3000, "y"]),
    "as long as may be": (b"x" * (MOST - 1) + b" y ", ["x" * (MOST - 1), "y"]),
    "a byte too long": (b"x" * MOST + b" y ", [MESSAGE_TOO_BIG]),
    "no text": (b"a \xff b ", ["a", INTERNAL_ERROR]),
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_gives_the_same_messages_however_it_is_cut(name: str) -> None:
    stream, events = STREAMS[name]
    for found in all_cuts(session, stream):
        assert found == events


class Answers(Words):
    """Answers what it is told to."""

    def __init__(self, answer: Any) -> None:
        super().__init__()
        self.answer = answer

    def input(self, buffer: bytes) -> int:
        if isinstance(self.answer, BaseException):
            raise self.answer
        answer: int = self.answer
        return answer


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        (-1, PROTOCOL_ERROR, "Answers.input() refuses the bytes: it returned -1"),
        (-(10**30), PROTOCOL_ERROR, "refuses"),
        (MOST + 1, MESSAGE_TOO_BIG, f"a message of {MOST + 1} bytes"),
        (10**30, MESSAGE_TOO_BIG, "a message of 1000"),
        (None, INTERNAL_ERROR, "Answers.input() returned None, which is no int"),
        (True, INTERNAL_ERROR, "returned True"),
        (3.0, INTERNAL_ERROR, "returned 3.0"),
        ("3", INTERNAL_ERROR, "returned '3'"),
        (KeyError("x"), INTERNAL_ERROR, "Answers.input() raised KeyError: 'x'"),
        (SystemExit(1), INTERNAL_ERROR, "Answers.input() raised SystemExit: 1"),
        (ProtocolError(1003, "no digits"), 1003, "no digits"),
    ],
)
def test_an_answer_that_is_no_size_ends_the_connection(answer: Any, code: int, words: str) -> None:
    made = session(Answers(answer))
    event = made.next(memoryview(b"some bytes"))
    assert isinstance(event, ProtocolError)
    assert event.code == code
    assert words in event.reason
    assert not made.has_more
    assert made.next(memoryview(b"more")) is None
    assert (made.unfinished(), made.held()) == (None, 0)


def test_what_decode_raises_is_the_cause_and_a_broken_rule_is_its_own_words() -> None:
    class Decodes(Words):
        def decode(self, package: bytes) -> Any:
            if package == b"rule ":
                raise ProtocolError(1008, "not today")
            raise LookupError("no such word")

    event = session(Decodes()).next(memoryview(b"a b"))
    assert (event.code, event.reason) == (
        INTERNAL_ERROR,
        "Decodes.decode() raised LookupError: no such word",
    )
    assert isinstance(event.__cause__, LookupError)
    event = session(Decodes()).next(memoryview(b"rule b"))
    assert (event.code, event.reason) == (1008, "not today")


def test_a_package_that_never_ends_is_given_up_when_it_is_too_long() -> None:
    made = session(Answers(0))
    assert events_of(made, [b"x" * (MOST // 2)] * 3) == [MESSAGE_TOO_BIG]
    assert made.held() == 0


def in_bytes(made: CodecSession, count: int) -> list[Any]:
    """Feeds bytes one at a time."""
    byte = memoryview(b"x")
    events = [made.next(byte) for _ in range(count)]
    return [event for event in events if event is not None]


@pytest.mark.parametrize("count", [100_000, 1024 * 1024])
def test_a_package_byte_by_byte_is_shown_a_number_of_times_that_does_not_grow(count: int) -> None:
    codec = Words()
    made = session(codec, 2 * count)
    assert set(in_bytes(made, count)) <= {LATER}
    assert codec.shown <= FREE + SHARE * count
    assert made.ask_now()
    assert made.next(memoryview(b" ")) == "x" * count


def test_bytes_that_were_not_paid_for_are_asked_about_at_the_next_tick() -> None:
    codec = Words()
    made = session(codec, 10_000_000)
    in_bytes(made, 40_000)
    asked = codec.asked
    while (event := made.next(memoryview(b"x"))) is not LATER and codec.asked != asked:
        asked = codec.asked
    assert made.next(memoryview(b" tail")) is None  # it is whole, and nobody has looked
    assert codec.asked == asked
    assert made.ask_now()
    assert not made.ask_now()
    event = made.next(memoryview(b""))
    assert set(event) == {"x"}
    assert made.has_more
    assert made.next(memoryview(b" ")) == "tail"
    assert made.unfinished() is None


def test_small_packages_in_one_read_are_not_shown_all_that_follows() -> None:
    codec = Words()
    events = events_of(session(codec), [b"ab " * 20_000])
    assert events == ["ab"] * 20_000
    assert codec.shown <= 20_000 * 1024


def test_the_next_message_is_another_unfinished_one() -> None:
    made = session()
    events_of(made, [b"one tw"])
    first = made.unfinished()
    assert first == b"tw"
    events_of(made, [b"o thr"])
    assert made.unfinished() == b"thr"
    assert made.unfinished() is not first


def test_all_that_was_not_decoded_is_left_for_another_protocol() -> None:
    made = session()
    data = memoryview(b"one two thr")
    assert made.next(data) == "one"
    assert made.left(data) == b"two thr"
    assert not made.has_more
    made = session()
    events_of(made, [b"o"])
    data = memoryview(b"ne two th")
    assert made.next(data) == "one"
    assert made.left(data) == b"two th"
    made = session()
    events_of(made, [b"one tw"])
    assert made.left(memoryview(b"")) == b"tw"
    assert made.unfinished() is None


@pytest.mark.parametrize("encoded", [None, "text", 5, [1]])
def test_what_encode_returns_must_be_bytes(encoded: Any) -> None:
    class Encodes(Words):
        def encode(self, message: Any) -> bytes:
            result: bytes = encoded
            return result

    with pytest.raises(UsageError, match=r"Encodes\.encode\(\) returned"):
        session(Encodes()).encode("x")


def test_what_encode_raises_is_an_error_of_send_and_bytes_of_any_kind_are_sent() -> None:
    with pytest.raises(UsageError, match=r"Words\.encode\(\) raised AttributeError") as caught:
        session().encode(5)
    assert isinstance(caught.value.__cause__, AttributeError)

    class Encodes(Words):
        def encode(self, message: Any) -> bytes:
            if message is None:
                raise UsageError("no nothing")
            return message  # type: ignore[no-any-return]

    with pytest.raises(UsageError, match="no nothing"):
        session(Encodes()).encode(None)
    assert session(Encodes()).encode(bytearray(b"a")) == b"a"
    assert session(Encodes()).encode(memoryview(b"a")) == b"a"


def test_only_an_object_that_all_connections_have_shares_its_messages() -> None:
    codec = Words()
    assert CodecSession(Limits(), codec).share_key() is None
    assert CodecSession(Limits(), codec, True).share_key() is codec
    assert CodecSession(Limits(), codec).codec is codec
