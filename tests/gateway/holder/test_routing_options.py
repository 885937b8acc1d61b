"""The options of `Routing`: what a program that gives none of them gets."""

from __future__ import annotations

from lineman.gateway.holder.routing_options import RoutingOptions


def test_without_options_a_node_is_alone_and_keeps_nothing() -> None:
    options = RoutingOptions()
    assert options.make_broker is options.history is options.make_store is None
    assert not options.is_ending()


def test_a_secret_is_not_shown() -> None:
    assert "geheim" not in repr(RoutingOptions(secret="geheim"))
