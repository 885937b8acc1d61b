"""When to renew and when to try again. Pure: times and random numbers come from the caller."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

# Source: the integration guide of Let's Encrypt: after two thirds of a certificate's life; after
# half of one that lives for less than ten days.
_SHORT_LIFE = timedelta(days=10)
# Many servers that were set up in the same minute must not all renew in the same minute.
_JITTER = 1 / 50  # of the life
# Even if an authority suggests a later time, this part of the life is kept as a reserve.
_RESERVE = 1 / 10

_BACK_OFF = (timedelta(minutes=1), timedelta(minutes=10), timedelta(minutes=100))
_LONGEST_BACK_OFF = timedelta(days=1)
_BACK_OFF_JITTER = 1 / 10
# The shortest wait before an urgent attempt, far below the limits of Let's Encrypt.
_SHORTEST_URGENT = timedelta(hours=1)

# RFC 9773, section 4.3: how soon and how late the authority may be asked again.
_RENEWAL_INFO_EVERY = timedelta(hours=6)
_RENEWAL_INFO_SOONEST = timedelta(minutes=1)
_RENEWAL_INFO_LATEST = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """When the authority suggests a renewal (RFC 9773); start <= end."""

    start: datetime
    end: datetime


def renew_at(
    not_before: datetime, not_after: datetime, luck: float, window: Window | None = None
) -> datetime:
    """The moment from which a certificate should be renewed.

    Args:
        not_before, not_after: its life.
        luck: a random number from 0 to 1, drawn once for each certificate.
        window: the authority's suggestion; None if there is none.
    """
    life = not_after - not_before
    if window is not None:
        moment = window.start + (window.end - window.start) * luck
        return min(moment, not_after - life * _RESERVE)
    part = 1 / 2 if life < _SHORT_LIFE else 2 / 3
    return not_before + life * part + life * _JITTER * luck


def ask_again_at(now: datetime, retry_after: float | None) -> datetime:
    """When to ask the authority for its suggestion again.

    Args:
        now: when it was last asked.
        retry_after: seconds that it named; None if it named none.
    """
    if retry_after is None:
        return now + _RENEWAL_INFO_EVERY
    latest = _RENEWAL_INFO_LATEST.total_seconds()
    wait = timedelta(seconds=min(max(retry_after, 0.0), latest))
    return now + max(wait, _RENEWAL_INFO_SOONEST)


def try_again_at(
    now: datetime,
    failures: int,
    luck: float,
    *,
    not_before: datetime | None = None,
    not_after: datetime | None = None,
    retry_at: datetime | None = None,
) -> datetime:
    """When to try again after a failure: 1, 10, 100 minutes later, then daily.

    A day is too long if a certificate lives for a week or has expired: then the wait is a twentieth
    of the remaining life, but at least an hour.

    Args:
        now: when it failed.
        failures: how often in a row, 1 or more.
        luck: a random number from 0 to 1.
        not_before, not_after: the life of the certificate that is served meanwhile; None for none.
        retry_at: the earliest time at which the authority accepts a further request.
    """
    wait = _BACK_OFF[failures - 1] if failures <= len(_BACK_OFF) else _LONGEST_BACK_OFF
    if not_before is not None and not_after is not None:
        left = max(not_after - now, timedelta(0))
        wait = min(wait, max(left / 20, _SHORTEST_URGENT))
    else:
        wait = min(wait, _SHORTEST_URGENT)
    moment = now + wait * (1 + _BACK_OFF_JITTER * luck)
    return max(moment, retry_at) if retry_at is not None else moment


def kinds_to_try(kinds: tuple[str, ...], failures: int) -> tuple[str, ...]:
    """Which challenges one attempt may use, in order.

    The first attempt goes through all of them. Later ones try one each, in turn: every failed
    validation counts against the authority's limit (five an hour at Let's Encrypt).

    Args:
        kinds: those that can be answered here, best first.
        failures: attempts that have failed in a row.
    """
    if not failures or not kinds:
        return kinds
    return (kinds[failures % len(kinds)],)
