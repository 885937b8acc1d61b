"""Old messages of processes that were never heard of."""

from __future__ import annotations

from lineman.gateway.cluster.refused_strangers import (
    ANSWER_AGAIN,
    MESSAGES,
    STRANGERS,
    RefusedMessages,
    RefusedStrangers,
)


def test_a_process_is_answered_at_once_and_then_now_and_then() -> None:
    strangers = RefusedStrangers()
    assert strangers.wants_answer("a", 0.0)
    assert not strangers.wants_answer("a", ANSWER_AGAIN / 2)
    assert strangers.wants_answer("b", ANSWER_AGAIN / 2)
    assert strangers.wants_answer("a", ANSWER_AGAIN)
    assert not strangers.wants_answer("a", ANSWER_AGAIN * 1.5)


def test_what_was_refused_is_given_out_once_when_its_process_is_heard() -> None:
    strangers = RefusedStrangers()
    for sender in "ab":
        strangers.wants_answer(sender, 0.0)
        strangers.note(sender, 1, "uid:7")
        strangers.note(sender, 1, "uid:8")  # one order on two topics
    assert strangers.take_heard({"c"}) == []
    assert strangers.take_heard({"a"}) == [RefusedMessages("a", {1: "uid:7"}, 0)]
    assert strangers.take_heard({"a"}) == []
    strangers.note("a", 2, "uid:7")  # it is no stranger any more
    assert strangers.take_heard({"a", "b"}) == [RefusedMessages("b", {1: "uid:7"}, 0)]


def test_repeated_recordings_do_not_fill_the_memory() -> None:
    strangers = RefusedStrangers()
    for number in range(STRANGERS + 20):
        strangers.wants_answer(str(number), 0.0)
    last = str(STRANGERS + 19)
    for number in range(MESSAGES + 5):
        strangers.note(last, number, "uid:7")
    found = strangers.take_heard({str(number) for number in range(STRANGERS + 20)})
    assert len(found) == STRANGERS
    assert (len(found[-1].topics), found[-1].more) == (MESSAGES, 5)
