"""How one gateway process reaches the others: the options of `Routing`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from lineman.brokers.base import MakeBroker
from lineman.brokers.signing import Secret
from lineman.gateway.cluster.cluster import DEFAULT_TIMES, ClusterTimes
from lineman.gateway.cluster.presence_sync import AT_ONCE
from lineman.gateway.holder.durable_histories import MakeStore
from lineman.gateway.holder.group_histories import Frame, frame_as_json
from lineman.gateway.holder.history import HistoryOptions


@dataclass(frozen=True, slots=True)
class RoutingOptions:
    """How one gateway process reaches the others.

    Attributes:
        make_broker: makes the broker that leads to the other nodes; None if there are none.
        secret: the secret that the nodes share, or several; None for none.
        history: how much is kept of each group; None for nothing.
        frame: makes what members get of a kept message.
        tells_users: whether the program has a callback for users that come online or go offline.
        is_ending: whether this process is stopping; then the state of the broker is not logged.
        times: of the cluster.
        uids_at_once: the largest number of uids in one message between nodes.
        service: its name, which a signature is for.
        make_store: makes what keeps the histories; None to keep them in this process.
    """

    make_broker: MakeBroker | None = None
    secret: Secret = field(default=None, repr=False)
    history: HistoryOptions | None = None
    frame: Frame = frame_as_json
    tells_users: bool = False
    is_ending: Callable[[], bool] = lambda: False
    times: ClusterTimes = DEFAULT_TIMES
    uids_at_once: int = AT_ONCE
    service: str = ""
    make_store: MakeStore | None = None
