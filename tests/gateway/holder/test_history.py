from lineman.gateway.holder.history import GroupHistory, HistoryOptions
from lineman.gateway.wire.history_page import KeptMessage


def filled(count: int, **options: float) -> GroupHistory:
    history = GroupHistory(HistoryOptions(**options))
    for number in range(1, count + 1):
        assert history.add(f"m{number}", float(number)) == number
    return history


def test_who_comes_back_gets_what_came_after_its_place() -> None:
    history = filled(5)
    page = history.since(history.epoch, 3, 5.0)
    assert (page.missed, page.is_complete, page.offset) == (
        [KeptMessage(4, "m4"), KeptMessage(5, "m5")],
        True,
        5,
    )


def test_who_missed_nothing_gets_nothing() -> None:
    history = filled(5)
    page = history.since(history.epoch, 5, 5.0)
    assert (page.missed, page.is_complete) == ([], True)


def test_who_was_away_for_too_many_messages_must_start_anew() -> None:
    history = filled(10, messages=3)
    assert history.since(history.epoch, 7, 10.0).missed == [
        KeptMessage(8, "m8"), KeptMessage(9, "m9"), KeptMessage(10, "m10")
    ]  # fmt: skip
    page = history.since(history.epoch, 6, 10.0)
    assert (page.missed, page.is_complete) == ([], False)


def test_who_was_away_for_too_long_must_start_anew_unless_it_missed_nothing() -> None:
    history = filled(3, seconds=10.0)
    assert history.since(history.epoch, 2, 13.0).missed == [KeptMessage(3, "m3")]
    assert not history.since(history.epoch, 2, 13.1).is_complete
    assert history.since(history.epoch, 3, 1000.0).is_complete
    assert not history.expire(1000.0)


def test_a_place_of_another_epoch_or_from_the_future_is_none() -> None:
    history = filled(3)
    assert not history.since("another", 2, 3.0).is_complete
    assert not history.since(history.epoch, 4, 3.0).is_complete
    assert not history.since(history.epoch, -1, 3.0).is_complete
    assert filled(3).epoch != history.epoch


def test_who_comes_for_the_first_time_gets_all_that_is_kept() -> None:
    history = filled(5, messages=2)
    page = history.since("", 0, 5.0)
    assert (page.missed, page.is_complete) == ([KeptMessage(4, "m4"), KeptMessage(5, "m5")], True)


def test_what_is_kept_has_a_largest_size() -> None:
    history = GroupHistory(HistoryOptions(max_bytes=10))
    for data in ("aaaa", b"bbbb", "cc"):
        history.add(data, 1.0)
    assert [kept.data for kept in history.since("", 0, 1.0).missed] == ["aaaa", b"bbbb", "cc"]
    history.add("d", 1.0)
    assert [kept.data for kept in history.since("", 0, 1.0).missed] == [b"bbbb", "cc", "d"]
    history.add("larger than all", 1.0)
    assert history.since("", 0, 1.0).missed == []
    assert not history.since(history.epoch, 4, 1.0).is_complete
    assert history.since(history.epoch, 5, 1.0).is_complete
