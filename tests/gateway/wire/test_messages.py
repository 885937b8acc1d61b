"""What gateway processes and business workers say to each other, and what is said instead."""

from __future__ import annotations

import pytest

from lineman.errors import NotReachedError, RefusedError
from lineman.gateway.wire import messages
from lineman.gateway.wire.messages import (
    TO_BUSINESS,
    TO_GATEWAY,
    Bind,
    LinkAnswer,
    Opened,
    SetSession,
    new_hello,
)
from lineman.links.framing import BadMessageError, encode, encode_frames


def test_what_no_frame_can_carry_takes_nothing_else_along() -> None:
    small = [SetSession(f"{number}", b"x" * 90) for number in range(30)]
    long, wrong = SetSession("30", b"y" * 2000), SetSession("\ud800", b"")
    frames, bad = encode_frames([*small, long, wrong, *small], 1000)
    found = [one for frame in frames for one in messages.TO_GATEWAY.decode_batch(frame[4:])]
    assert found == [*small, *small]
    assert all(len(frame) <= 1004 for frame in frames)
    assert [message for message, _ in bad] == [long, wrong]


def test_in_place_of_an_answer_that_no_frame_can_carry_goes_the_reason_in_short() -> None:
    instead = LinkAnswer(7, ["x" * 200]).in_place("it has 205 bytes")
    assert instead == LinkAnswer(7, error="the answer cannot be sent: it has 205 bytes")
    cut = LinkAnswer(7).in_place("x" * 1000)
    assert isinstance(cut, LinkAnswer)
    assert len(cut.error) == 500
    assert Bind("a", "b").in_place("too long") is None


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (LinkAnswer(1, error="node f is silent", is_unanswered=True), NotReachedError, "node f is"),
        (LinkAnswer(1, error="no such thing"), RefusedError, "was refused: no such thing; fix: "),
    ],
)
def test_where_there_is_no_answer_the_asker_gets_an_error(
    answer: LinkAnswer, kind: type[Exception], words: str
) -> None:
    error = answer.to_error()
    assert type(error) is kind
    assert words in str(error)


def test_what_is_said_in_one_direction_is_refused_in_the_other() -> None:
    assert TO_GATEWAY.decode(encode(Bind("a", None))) == Bind("a", None)
    assert TO_BUSINESS.decode(encode(Opened(1))) == Opened(1)
    hello = new_hello(0, slot=3)
    assert TO_GATEWAY.decode(encode(hello)) == TO_BUSINESS.decode(encode(hello)) == hello
    with pytest.raises(BadMessageError):
        TO_BUSINESS.decode(encode(Bind("a", "b")))
    with pytest.raises(BadMessageError):
        TO_GATEWAY.decode(encode(Opened(1)))
