"""The orders by which a child learns what the plan wants of it. Pure."""

from __future__ import annotations

from typing import Any

from lineman.process.master.model import Drain, Order, StopNow, TellEnded


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
