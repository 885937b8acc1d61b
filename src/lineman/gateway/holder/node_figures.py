"""The figures of a gateway process for `status` and the metrics."""

from __future__ import annotations

from lineman.gateway.holder.dispatch import Dispatch
from lineman.gateway.holder.kept_timers import KeptTimers
from lineman.gateway.holder.orders import Orders
from lineman.gateway.holder.routing import Routing


def figures(
    orders: Orders, dispatch: Dispatch, delivered: int, routing: Routing, timers: KeptTimers
) -> dict[str, float]:
    """The figures by name.

    Args:
        orders: of the process.
        dispatch: of the process.
        delivered: messages given to clients.
        routing: to the other nodes.
        timers: that the process keeps.
    """
    found: dict[str, float] = {
        "gateway_clients": len(orders.clients),
        "gateway_uids": len(orders.registry.uids()),
        "gateway_groups": len(orders.registry.groups()),
        "gateway_workers_ready": dispatch.workers,
        "gateway_waiting_clients": dispatch.waiting_clients,
        "gateway_dropped_events": dispatch.dropped,
        "gateway_delivered_messages": delivered,
        "gateway_timers": len(timers),
        "gateway_timers_running": timers.running,
        "gateway_refused_timers": timers.refused,
        "gateway_dropped_timer_calls": timers.dropped,
    }
    if routing.history_gaps is not None:
        found["gateway_history_gaps"] = routing.history_gaps
    if routing.lost_publications is not None:
        found["gateway_lost_publications"] = routing.lost_publications
    cluster = routing.cluster
    if cluster is not None:
        found["gateway_nodes"] = len(cluster.nodes)
        found["gateway_lost_nodes"] = cluster.reports.lost_nodes
        found["gateway_broker_connected"] = cluster.broker.is_connected
        found["gateway_broker_dropped_messages"] = cluster.broker.dropped
        found["gateway_presence_partial"] = routing.is_presence_partial
        found["gateway_partial_answers"] = routing.partial_answers
        found["gateway_broker_refused_messages"] = cluster.channel.refused
        found["gateway_broker_replayed_messages"] = cluster.channel.replayed
        found["gateway_broker_late_messages"] = cluster.channel.late
        found["gateway_missed_messages"] = cluster.reports.missed
        found["gateway_unreached_messages"] = cluster.reports.unreached
        found["gateway_unconfirmed_messages"] = cluster.reports.unconfirmed
    return found
