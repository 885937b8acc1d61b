"""When to ping a silent peer and when to give it up: pure."""

from __future__ import annotations

from enum import Enum

NO_PONG = "no answer to a ping"


class Step(Enum):
    """What to do about a peer now."""

    WAIT = "wait"
    PING = "ping"
    GIVE_UP = "give up"


def decide(
    now: float, last_received: float, pinged_at: float, interval: float, timeout: float
) -> tuple[Step, float]:
    """What to do now, and when to ask again.

    Whatever is received counts as a sign of life, not the pong alone: a peer in the middle of a
    long upload is not dead.

    Args:
        now: seconds on the same clock as all the others.
        last_received: when bytes last came.
        pinged_at: when the last ping left; negative for none since.
        interval: silence after which to ping.
        timeout: silence after a ping after which to give up.
    """
    if pinged_at >= 0 and last_received < pinged_at:
        if now - pinged_at >= timeout:
            return Step.GIVE_UP, now
        return Step.WAIT, min(pinged_at + timeout, now + interval)
    due = last_received + interval
    if now < due:
        return Step.WAIT, due
    return Step.PING, now + min(interval, timeout)
