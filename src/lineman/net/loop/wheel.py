"""One timing wheel for all connections: no timer and no task for each.

An item is filed once, under the tick at which it must be looked at next. Work that only moves a
deadline further away costs nothing: the item is looked at when its old tick comes, and files
itself anew.
"""

from __future__ import annotations

GRANULARITY = 0.25
_STEP = GRANULARITY  # as a C number
# Items that are looked at in one turn of the event loop: thousands may have come in one moment.
LOOKS = 256
_LOOKS = LOOKS


class Timed:
    """What can be filed in the wheel.

    Attributes:
        filed_tick: the tick under which it is filed; 0 while it is not.
    """

    __slots__ = ("filed_tick",)

    def __init__(self) -> None:
        self.filed_tick = 0

    def on_deadline(self, now: float) -> float:
        """Looks at the item; returns the time at which to look again, 0 for never."""
        raise NotImplementedError


class Wheel:
    """Files items by time; `advance` looks at those whose time has come.

    Attributes:
        now: seconds on the wheel's own clock, which stands still while the process does: a
            callback that blocks for a minute must not make every peer look a minute silent.
    """

    __slots__ = ("_buckets", "_due", "_tick", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self._tick = 0
        self._buckets: dict[int, set[Timed]] = {}
        self._due: set[Timed] | None = None  # the bucket of `_tick`, as far as it is left

    def file(self, item: Timed, when: float) -> None:
        """Has `item.on_deadline` called at `when` or up to a quarter of a second later.

        An item that is filed for an earlier time stays there: it is looked at then.
        """
        tick = max(int(when / _STEP) + 1, self._tick + 1)
        if item.filed_tick:
            if item.filed_tick <= tick:
                return
            self.remove(item)
        item.filed_tick = tick
        bucket = self._buckets.get(tick)
        if bucket is None:
            bucket = self._buckets[tick] = set()
        bucket.add(item)

    def remove(self, item: Timed) -> None:
        """Forgets the item, filed or not."""
        if item.filed_tick:
            bucket = self._buckets.get(item.filed_tick)
            if bucket is not None:
                bucket.discard(item)
            item.filed_tick = 0

    def advance(self, elapsed: float) -> bool:
        """Moves the clock and looks at the items whose tick has come; as `look`.

        Args:
            elapsed: seconds since the last call; the clock moves by at most two ticks of it.
        """
        self.now += min(elapsed, 2 * _STEP)
        return self.look()

    def look(self) -> bool:
        """Looks at items whose tick has come, `LOOKS` at most; whether others are left."""
        last = int(self.now / _STEP)
        left = _LOOKS
        while True:
            due = self._due
            while due:
                if not left:
                    return True
                left -= 1
                item = due.pop()
                if item.filed_tick != self._tick:
                    continue  # removed or filed anew by an item before it
                item.filed_tick = 0
                again = item.on_deadline(self.now)
                if again:
                    self.file(item, again)
            if self._tick >= last:
                return False
            self._tick += 1
            self._due = self._buckets.pop(self._tick, None)
