"""The gateway processes that keep a named timer: the two homes of its key."""

from __future__ import annotations

import math
import secrets

from lineman.base.option_kinds import MAX_SECONDS
from lineman.errors import UsageError
from lineman.gateway.cluster.cluster import Cluster
from lineman.gateway.cluster.presence import homes_of
from lineman.gateway.wire import names
from lineman.gateway.wire.node_messages import DropTimer, KeepTimer
from lineman.gateway.wire.timer_args import MAX_ARGS
from lineman.gateway.wire.timer_messages import CancelTimer, SetTimer, TimerOrder
from lineman.gateway.wire.versions import TIMERS_SINCE

# Seconds between two calls of a repeated timer, at least: a call crosses two processes.
LEAST = 0.1


def timer_homes(cluster: Cluster, key: str, node: str = "") -> tuple[str, ...]:
    """The nodes that keep a timer, the first of which has it called; none if there are none.

    Args:
        cluster: all nodes.
        key: the timer's key.
        node: this node; empty for a program that only pushes.
    """
    able = [
        each for each in cluster.nodes
        if each == node or cluster.versions.of(each) >= TIMERS_SINCE
    ]  # fmt: skip
    return homes_of(key, able)


def for_homes(node: str, order: TimerOrder, now: int) -> KeepTimer | DropTimer:
    """What the homes of a timer are told, after an order about it.

    Args:
        node: this node.
        order: of a program.
        now: the time that the nodes share; 0 if there is one node.

    Raises:
        UsageError: the order cannot have come from a program that was checked.
    """
    if isinstance(order, CancelTimer):
        return DropTimer(node, order.key)
    interval = order.seconds if order.is_repeated else 0.0
    setting = secrets.token_hex(8)
    told = KeepTimer(
        node, order.key, setting, order.name, order.args, order.seconds, interval, now, True
    )
    check_timer(told)
    return told


def set_timer(order: SetTimer | CancelTimer, cluster: Cluster, node: str) -> bool:
    """Tells the homes of a timer by the broker; False if there are none."""
    homes = timer_homes(cluster, order.key)
    told = for_homes(node, order, cluster.channel.clock.now())
    for home in homes:
        cluster.tell(home, told)
    return bool(homes)


def check_timer(told: KeepTimer) -> None:
    """Checks a timer that another process has sent.

    Raises:
        UsageError: no timer can be like this.
    """
    names.check_name("key", told.key)
    names.check_name("timer", told.name)
    if not math.isfinite(told.seconds) or abs(told.seconds) > MAX_SECONDS:
        raise UsageError(f"a timer is due in {told.seconds!r} s")
    if told.interval and not LEAST <= told.interval <= MAX_SECONDS:
        raise UsageError(f"a timer is repeated every {told.interval!r} s")
    if len(told.args) > MAX_ARGS:
        raise UsageError(f"the arguments of a timer have {len(told.args)} bytes")
