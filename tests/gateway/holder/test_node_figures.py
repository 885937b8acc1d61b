"""The figures of a gateway process."""

from __future__ import annotations

from kit.gateway import System
from lineman import Client


def test_the_figures_count_what_a_gateway_process_holds_and_has_delivered(system: System) -> None:
    def on_message(client: Client, message: str) -> None:
        client.bind(message)
        client.join("room")
        client.send("in")

    node = system.add_node("on_message", address="text://127.0.0.1:0")
    business = system.add_business({"timers": {"note": print}}, on_message=on_message)
    system.call(business.after, 1000, "note")
    system.wait_until(lambda: len(node.timers) == 1, "it is kept")
    devices = [system.attach() for _ in range(2)]
    for device in devices:
        device.send("ada")
        assert device.receive() == b"in"
    assert system.call(node.facts) == {
        "gateway_clients": 2,
        "gateway_uids": 1,
        "gateway_groups": 1,
        "gateway_workers_ready": 1,
        "gateway_waiting_clients": 0,
        "gateway_dropped_events": 0,
        "gateway_delivered_messages": 2,
        "gateway_timers": 1,
        "gateway_timers_running": 0,
        "gateway_refused_timers": 0,
        "gateway_dropped_timer_calls": 0,
    }
