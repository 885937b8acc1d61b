"""The plan's actions as orders to a child, and a child's messages as events for the plan. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lineman.process.master.model import (
    Beat,
    Doing,
    Drain,
    Event,
    Failed,
    Grown,
    Order,
    Ready,
    Renew,
    StopNow,
    StoppedAccepting,
    TellEnded,
)

# The messages of children that go to the plan: without details, and with a text.
_PLAIN: dict[str, type[Beat | Ready | StoppedAccepting]] = {
    "beat": Beat,
    "ready": Ready,
    "deaf": StoppedAccepting,
}
_IN_WORDS: dict[str, type[Failed | Renew | Doing]]
_IN_WORDS = {"failed": Failed, "renew": Renew, "grown": Grown, "doing": Doing}


def event_of(number: int, name: str, details: Mapping[str, Any]) -> Event | None:
    """The plan's event for a message of a child; None if the plan has none for it."""
    if name in _PLAIN:
        return _PLAIN[name](number)
    return _IN_WORDS[name](number, details["why"]) if name in _IN_WORDS else None


def order_of(action: Order) -> tuple[str, dict[str, Any]]:
    """The name of the order that carries out an action, and its arguments."""
    if isinstance(action, Drain):
        return "drain", {
            "code": action.code,
            "seconds": action.seconds,
            "timeout": action.timeout,
            "is_reload": action.is_reload,
        }
    if isinstance(action, StopNow):
        return "stop", {"timeout": action.timeout}
    if isinstance(action, TellEnded):
        return "ended", {"processes": [(each.pid, each.status) for each in action.ended]}
    return "reloaded", {}
