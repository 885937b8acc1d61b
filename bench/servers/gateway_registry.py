"""Measures how many changes a second a gateway process records, and its memory, as a line of JSON.

python gateway_registry.py speed | memory | presence | home

The orders come as frames of a link and are decoded and dispatched as usual. The clients have no
connections here.
"""

import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import Iterator
from types import SimpleNamespace

from lineman.gateway.cluster.presence import Presence
from lineman.gateway.holder.held_client import HeldClient
from lineman.gateway.holder.routing import Routing
from lineman.gateway.holder.routing_options import RoutingOptions
from lineman.gateway.wire import names
from lineman.gateway.wire.messages import TO_GATEWAY, Bind, Join, Leave, Order
from lineman.gateway.wire.node_messages import BETWEEN_NODES, Hold
from lineman.links.framing import LENGTH, encode, encode_frames

CLIENTS = 20_000
UIDS = 1_000_000
AT_ONCE = 100
NOWHERE = SimpleNamespace(id=0)  # in place of a connection


def routing(clients: int, tells_users: bool = False) -> Routing:
    """A gateway process' routing, with clients."""
    node = names.new_node()
    options = RoutingOptions(tells_users=tells_users)
    made = Routing(node, options, lambda client: None, lambda uid, is_online: None)
    for _ in range(clients):
        client = HeldClient(names.new_client_id(node), NOWHERE)  # type: ignore[arg-type]
        made.orders.clients[client.id] = client
    return made


def frames(orders: Iterator[Order]) -> Iterator[bytes]:
    """The orders as frames of a link."""
    batch: list[Order] = []
    for order in orders:
        batch.append(order)
        if len(batch) == AT_ONCE:
            yield encode_frames(batch)[0][0][LENGTH:]
            batch = []


async def obey(to: Routing, given: Iterator[bytes]) -> None:
    """Carries out the frames' orders, one frame in each turn of the event loop."""
    for frame in given:
        for order in TO_GATEWAY.decode_batch(frame):
            to.carry_out(order)
        await asyncio.sleep(0)


async def speed() -> dict[str, float]:
    """The number of orders of each kind in a second of CPU time."""
    to = routing(CLIENTS)
    clients = list(to.orders.clients)
    found = {}
    for name, make in (
        ("bind", lambda number, client: Bind(client, f"user {number}")),
        ("join", lambda number, client: Join(client, f"room {number % 100}")),
        ("leave", lambda number, client: Leave(client, f"room {number % 100}")),
    ):
        given = list(frames(make(*pair) for pair in enumerate(clients)))
        begun = time.process_time()
        await obey(to, iter(given))
        found[name] = CLIENTS / (time.process_time() - begun)
    assert len(to.orders.registry.uids()) == CLIENTS
    assert not to.orders.registry.groups()
    return found


def resident() -> int:
    """Bytes of this process."""
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def memory(tells_users: bool) -> dict[str, float]:
    """Bytes for each registered uid, and for each client's record before it has one."""
    before = resident()
    to = routing(UIDS, tells_users)
    clients = iter(list(to.orders.clients))
    empty = resident()
    await obey(to, frames(Bind(client, f"user {number}") for number, client in enumerate(clients)))
    full = resident()
    assert len(to.orders.registry.uids()) == UIDS
    return {"record": (empty - before) / UIDS, "uid": (full - empty) / UIDS}


async def home() -> dict[str, float]:
    """Bytes for each uid that another node holds, and whose home this node is."""
    here, there = names.new_node(), names.new_node()
    presence = Presence(here)
    presence.nodes = tuple(sorted((here, there)))
    before = resident()
    for start in range(0, UIDS, AT_ONCE):
        told = tuple(f"user {number}" for number in range(start, start + AT_ONCE))
        hold = BETWEEN_NODES.decode(encode(Hold(there, told, True)))
        assert isinstance(hold, Hold)
        for uid in hold.names:
            presence.hold(uid, there)
    assert len(presence.held_by(there)) == UIDS
    return {"home": (resident() - before) / UIDS}


MODES = {
    "speed": speed,
    "memory": lambda: memory(tells_users=False),
    "presence": lambda: memory(tells_users=True),
    "home": home,
}
print(json.dumps(asyncio.run(MODES[sys.argv[1]]())))
