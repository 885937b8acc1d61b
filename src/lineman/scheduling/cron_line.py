"""A line of cron and its time zone: when it is due, pure. `cronsim` knows the grammar and DST."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim
from cronsim.cronsim import CronSimError

from lineman.errors import UsageError

CALL = "cron(…)"
# The fields, with what each may hold.
FIELDS = {
    "second": "0 to 59",
    "minute": "0 to 59",
    "hour": "0 to 23",
    "day-of-month": "1 to 31, L for the last day, LW for the last weekday",
    "month": "1 to 12, or JAN to DEC",
    "day-of-week": "0 to 7 (0 and 7 are Sunday), SUN to SAT, 5L for the last Friday, 1#2",
}
GRAMMAR = "a field holds *, a number, a range 1-5, a step */5, or several of them with commas"
MAX_LINE = 200
# Missed moments that are counted one by one; more of them are only "many".
MAX_COUNTED = 1000
LOCAL_ZONE = Path("/etc/localtime")


class CronLine:
    """A cron line in a time zone.

    Args:
        line: five fields (minute, hour, day of month, month, day of week), or six with the second
            first.
        tz: a name such as `Asia/Shanghai`, a `tzinfo`, or None for this machine's own zone.

    Raises:
        UsageError: a mistake in the line, which the error names; a line that is never due; an
            unknown zone.
    """

    is_of_wall: ClassVar[bool] = True

    def __init__(self, line: object, tz: object = None) -> None:
        if not isinstance(line, str):
            raise UsageError(
                f'{CALL} takes a line of cron, and got a {type(line).__name__}: "*/5 * * * *"'
            )
        self.line = " ".join(line.split())
        _check(self.line)
        self._zone = _zone(tz)
        # The library leaves the changes of summer time alone in lines with six fields.
        fields = self.line.split()
        self._is_ours = len(fields) == 6 and not any(each.startswith("*") for each in fields[1:3])
        self.first(datetime(2024, 1, 1, tzinfo=UTC).timestamp())

    def __repr__(self) -> str:
        return f'cron("{self.line}")'

    def first(self, now: float) -> float:
        """The first moment after this one, both as `time.time()` tells them."""
        begin = datetime.fromtimestamp(now, self._zone)
        if self._is_ours:
            begin = begin.replace(tzinfo=None)
        for each in CronSim(self.line, begin):
            moment = _existing(each, self._zone) if self._is_ours else each
            # Where an hour comes twice, the library may begin with its first time, which is over.
            found: float = moment.timestamp()
            if found > now:
                return found
        raise UsageError(f'{CALL}: "{self.line}" is never due: there is no such day in 50 years')

    def following(self, due: float, now: float) -> tuple[float, int]:
        """The first moment after now, and how many were missed between `due` and now."""
        coming, missed = self.first(due), 0
        while coming <= now:
            missed += 1
            coming = self.first(now if missed >= MAX_COUNTED else coming)
        return coming, missed


def _existing(moment: datetime, zone: tzinfo) -> datetime:
    """This time of the wall, the first one if it comes twice; right after a gap if it is in one."""
    while True:
        found = moment.replace(tzinfo=zone, fold=0)
        if found.astimezone(UTC).astimezone(zone).replace(tzinfo=None) == moment:
            return found
        moment += timedelta(minutes=1)


def _check(line: str) -> None:
    fields = line.split()
    if len(line) > MAX_LINE or len(fields) not in (5, 6):
        seen = f"{len(fields)} fields" if len(line) <= MAX_LINE else f"{len(line)} characters"
        raise UsageError(
            f'{CALL}: "{line[:MAX_LINE]}" has {seen}; write five fields (minute, hour, '
            "day of month, month, day of week), such as */5 * * * *, or six with the second first"
        )
    names = list(FIELDS)[-len(fields) :]
    for place, name in enumerate(names):
        alone = ["*"] * len(fields)
        alone[place] = fields[place]
        try:
            _read(" ".join(alone))
        except CronSimError:
            raise UsageError(
                f'{CALL}: the {name} of "{line}" is {fields[place]!r}; it may be {FIELDS[name]}; '
                f"{GRAMMAR}"
            ) from None
    try:
        _read(line)
    except CronSimError:
        raise UsageError(f'{CALL}: "{line}" is never due: no such month has this day') from None


def _read(line: str) -> None:
    """Has the library read a line.

    Raises:
        CronSimError: it cannot be read.
    """
    try:
        CronSim(line, datetime(2024, 1, 1))
    except CronSimError:
        raise
    except (ValueError, AssertionError, TypeError, KeyError, RecursionError):
        raise CronSimError("it cannot be read") from None  # such as "L/2,5/2" or 5000 digits


def _zone(tz: object) -> tzinfo:
    if isinstance(tz, tzinfo):
        return tz
    if tz is None:
        return _local()
    try:
        if not isinstance(tz, str):
            raise ValueError
        return ZoneInfo(tz)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        raise UsageError(
            f"{CALL}: tz={tz!r:.80} is no time zone that this machine knows; give a name such as "
            '"Asia/Ho_Chi_Minh" or "UTC" (the names are below /usr/share/zoneinfo; in a small '
            "container: apt-get install tzdata, or pip install tzdata)"
        ) from None


def _local() -> tzinfo:
    """This machine's own zone, with its changes of summer time."""
    name = os.environ.get("TZ", "").removeprefix(":")
    if name and not name.startswith("/"):
        try:
            return ZoneInfo(name)
        except (ValueError, OSError, ZoneInfoNotFoundError):
            return datetime.now().astimezone().tzinfo or UTC  # rules of POSIX, such as CET-1CEST
    try:
        with open(name or LOCAL_ZONE, "rb") as file:
            return ZoneInfo.from_file(file)
    except (ValueError, OSError):
        return UTC
