"""Clients of a gateway leave nothing behind, in its process and in the business worker's."""

from __future__ import annotations

from collections import Counter

from kit.gateway import System
from kit.leaks import Held, assert_nothing_is_left, bench, growth, held, visit
from lineman import Client


def is_all_confirmed(system: System) -> bool:
    """Whether no business worker keeps bytes that its gateway processes may not have handled."""
    links = [link for business in system.businesses for link in business.links]
    return all(link.kept is None or link.kept.is_empty for link in links)


def test_clients_leave_nothing(system: System) -> None:
    seen: Counter[str] = Counter()

    def enter(client: Client) -> None:
        client.bind(f"user {client.id}")
        client.join("everybody")
        client.join(f"room of {client.id}")
        client.session["since"] = "now"
        seen["entered"] += 1

    def leave(client: Client, code: int, reason: str) -> None:
        seen["left"] += 1

    def look() -> Held:
        system.wait_until(lambda: not system.workers[0].connections, "everybody has gone")
        system.wait_until(lambda: seen["left"] == seen["entered"], "and was told of")
        system.wait_until(lambda: is_all_confirmed(system), "what was sent is confirmed")
        return system.call(held)

    system.add_node("on_connect", "on_message", "on_close")
    system.add_business(
        on_connect=enter,
        on_message=lambda client, message: client.send(message),
        on_close=leave,
    )
    port = system.workers[0].port
    left, count = growth(lambda count: visit(port, False, "rude", count), look, 1000)
    assert seen["left"] == 2000
    assert_nothing_is_left(left, count)


def test_messages_leave_nothing(system: System) -> None:
    def look() -> Held:
        system.wait_until(lambda: not system.workers[0].connections, "everybody has gone")
        system.wait_until(lambda: is_all_confirmed(system), "what was sent is confirmed")
        return system.call(held)

    system.add_node("on_message")
    system.add_business(on_message=lambda client, message: client.send(message))
    url = system.workers[0].url
    left, count = growth(lambda count: bench(url, "echo", count, "--connections", "10"), look, 5000)
    assert_nothing_is_left(left, count // 10)
