import pytest

from lineman.brokers.sequences import TOLD, UNCOVERED, Freshness, HeardSequence, SentLog

NEW, REPEATED, LATE = Freshness.NEW, Freshness.REPEATED, Freshness.LATE


def everything(topic: str) -> bool:
    return True


def test_what_was_sent_is_found_by_its_number() -> None:
    log = SentLog()
    for topic in ("a", "b", "c"):
        log.note(log.next(), topic)
    log.note(log.last, "d")
    assert log.since(2) == [(2, "b"), (3, "c"), (3, "d")]
    assert log.since(4) == []


def test_a_full_log_knows_what_it_has_forgotten() -> None:
    log = SentLog(3)
    assert log.forgotten == 0
    for _ in range(5):
        log.note(log.next(), "a")
    assert log.forgotten == 2
    assert [number for number, _ in log.since(1)] == [3, 4, 5]


def test_a_number_counts_once() -> None:
    heard = HeardSequence(4)
    assert [heard.take(number, 1) for number in (5, 6, 5, 6, 7)] == [
        NEW, NEW, REPEATED, REPEATED, NEW,
    ]  # fmt: skip
    heard.cover(7)
    assert [heard.take(number, 1) for number in (7, 3, 1, 8)] == [
        REPEATED, REPEATED, REPEATED, NEW,
    ]  # fmt: skip


def test_the_order_within_one_connection_is_the_brokers_business() -> None:
    heard = HeardSequence(0)
    assert [heard.take(number, 1) for number in (2, 1, 4, 3)] == [NEW] * 4


def test_what_an_earlier_connection_sent_is_too_late_behind_a_newer_one() -> None:
    heard = HeardSequence(0)
    assert heard.take(5, 2) is NEW
    assert heard.take(3, 1) is LATE
    assert heard.missing([(3, "a"), (5, "a")], everything) == {3: "a"}


def test_what_is_held_here_and_has_not_come_is_missing() -> None:
    heard = HeardSequence(0)
    heard.take(2, 1)
    sent = [(1, "a"), (2, "a"), (3, "b"), (4, "a")]
    assert heard.missing(sent, "a".__eq__) == {1: "a", 4: "a"}


def test_an_order_on_several_topics_has_come_if_it_came_on_one() -> None:
    heard = HeardSequence(0)
    heard.take(1, 1)
    sent = [(1, "a"), (1, "b"), (2, "a"), (2, "b")]
    assert heard.missing(sent, everything) == {2: "a"}


def test_what_is_missing_is_told_once_and_is_late_if_it_comes() -> None:
    heard = HeardSequence(0)
    heard.tell(heard.missing([(1, "a")], everything))
    assert heard.missing([(1, "a")], everything) == {}
    heard.cover(1)
    assert heard.take(1, 1) is LATE
    assert heard.lost == 1


def test_a_sender_is_over_when_nothing_new_has_come_for_long() -> None:
    heard = HeardSequence(0)
    assert not heard.is_over(5.0, 100.0)
    assert not heard.is_over(105.0, 100.0)
    assert heard.is_over(105.1, 100.0)
    heard.take(1, 1)
    assert not heard.is_over(106.0, 100.0)


@pytest.mark.parametrize("count", [TOLD + 10, UNCOVERED + 10])
def test_memory_is_bounded(count: int) -> None:
    heard = HeardSequence(0)
    heard.tell(range(1, count))
    for number in range(1, count):
        heard.take(number, 1)
    assert len(heard._told) <= TOLD
    assert len(heard._received) <= UNCOVERED
