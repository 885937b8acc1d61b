from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lineman.tls.acme import renewal_schedule as schedule
from lineman.tls.acme.renewal_schedule import Window

START = datetime(2026, 11, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("life", "luck", "after"),
    [
        (90 * DAY, 0.0, 60 * DAY),
        (90 * DAY, 1.0, 61.8 * DAY),
        (45 * DAY, 0.0, 30 * DAY),
        (10 * DAY, 0.0, 10 * DAY * 2 / 3),
        (6 * DAY, 0.0, 3 * DAY),  # one that lives for days: half of its life
        (6 * DAY, 1.0, 3.12 * DAY),
    ],
)
def test_a_certificate_is_renewed_after_two_thirds_of_its_life(
    life: timedelta, luck: float, after: timedelta
) -> None:
    assert schedule.renew_at(START, START + life, luck) == START + after


@pytest.mark.parametrize(
    ("window", "luck", "after"),
    [
        ((50 * DAY, 52 * DAY), 0.0, 50 * DAY),
        ((50 * DAY, 52 * DAY), 0.5, 51 * DAY),
        ((-2 * DAY, -1 * DAY), 1.0, -1 * DAY),  # it is revoked: now
        ((200 * DAY, 300 * DAY), 0.0, 81 * DAY),  # later than is safe: a tenth is left
    ],
)
def test_the_authoritys_suggestion_goes_before_the_rule(
    window: tuple[timedelta, timedelta], luck: float, after: timedelta
) -> None:
    suggested = Window(START + window[0], START + window[1])
    assert schedule.renew_at(START, START + 90 * DAY, luck, suggested) == START + after


@pytest.mark.parametrize(
    ("retry_after", "wait"),
    [
        (None, timedelta(hours=6)),
        (0.0, MINUTE),
        (-5.0, MINUTE),
        (3600.0, timedelta(hours=1)),
        (1e9, DAY),
        (float("inf"), DAY),
    ],
)
def test_the_authority_is_asked_again_within_bounds(
    retry_after: float | None, wait: timedelta
) -> None:
    assert schedule.ask_again_at(START, retry_after) == START + wait


@pytest.mark.parametrize(
    ("failures", "left", "wait"),
    [
        (1, 30 * DAY, MINUTE),
        (2, 30 * DAY, 10 * MINUTE),
        (3, 30 * DAY, 100 * MINUTE),
        (4, 30 * DAY, DAY),
        (400, 30 * DAY, DAY),
        (4, 10 * DAY, DAY / 2),  # the less is left, the more often
        (4, timedelta(hours=5), timedelta(hours=1)),
        (4, -DAY, timedelta(hours=1)),
        (1, -DAY, MINUTE),
    ],
)
def test_failures_are_followed_by_longer_and_longer_waits(
    failures: int, left: timedelta, wait: timedelta
) -> None:
    life = {"not_before": START - 60 * DAY, "not_after": START + left}
    assert schedule.try_again_at(START, failures, 0.0, **life) == START + wait
    assert schedule.try_again_at(START, failures, 1.0, **life) == START + 1.1 * wait


@pytest.mark.parametrize(
    ("failures", "wait"), [(1, MINUTE), (2, 10 * MINUTE), (3, 60 * MINUTE), (9, 60 * MINUTE)]
)
def test_without_any_certificate_it_is_tried_every_hour_at_least(
    failures: int, wait: timedelta
) -> None:
    assert schedule.try_again_at(START, failures, 0.0) == START + wait


def test_the_authoritys_word_on_when_to_come_back_is_kept() -> None:
    late, early = START + 2 * DAY, START + timedelta(seconds=1)
    assert schedule.try_again_at(START, 1, 0.5, retry_at=late) == late
    assert schedule.try_again_at(START, 1, 0.0, retry_at=early) == START + MINUTE


def test_five_failed_validations_an_hour_are_not_passed() -> None:
    """The limit of Let's Encrypt, from the first attempt with both challenges on."""
    both = ("tls-alpn-01", "http-01")
    now, failures, validations = START, 0, []
    while now < START + 7 * DAY:
        validations += [now] * len(schedule.kinds_to_try(both, failures))
        failures += 1
        now = schedule.try_again_at(now, failures, 0.0)
    for moment in validations:
        hour = [other for other in validations if moment <= other < moment + timedelta(hours=1)]
        assert len(hour) <= 5, moment


def test_every_challenge_has_its_turn() -> None:
    both = ("tls-alpn-01", "http-01")
    assert schedule.kinds_to_try(both, 0) == both
    assert schedule.kinds_to_try(both, 1) == ("http-01",)
    assert schedule.kinds_to_try(both, 2) == ("tls-alpn-01",)
    assert schedule.kinds_to_try(("http-01",), 7) == ("http-01",)
    assert schedule.kinds_to_try((), 3) == ()
