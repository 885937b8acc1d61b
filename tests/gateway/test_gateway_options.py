"""What a `Gateway` may be given besides the options of a `Worker`."""

from __future__ import annotations

from typing import Any

import pytest

from lineman import ConfigError, Gateway, HistoryOptions
from lineman.base import option_kinds
from lineman.config import checked_options
from lineman.gateway.gateway_options import OF_HOLDERS, OPTIONS, SHARED, GatewayOptions


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("gateways", 0, "gateways is 0"),
        ("workers", "2", "workers is '2'"),
        ("secret", "short", "secret"),
        ("history", 100, "history is the int 100"),
        ("history_frame", "json", "give a function of group, epoch, offset and message"),
        ("redeliver", 1, "redeliver is 1"),
        ("router", "least", "router is 'least'; fix: give a function of the connection"),
        ("wait_timeout", 0, "wait_timeout is 0"),
        ("push_token", "short", "push_token"),
        ("push_socket", 5, "push_socket is the int 5"),
    ],
)
def test_a_value_that_cannot_work_is_refused(name: str, value: Any, says: str) -> None:
    options = GatewayOptions("ws://127.0.0.1:0")
    option_kinds.check(GatewayOptions, options)
    setattr(options, name, value)
    with pytest.raises(ConfigError, match=says):
        option_kinds.check(GatewayOptions, options)


@pytest.mark.usefixtures("no_traces")
def test_what_was_misspelt_or_cannot_work_is_refused_when_a_gateway_is_made() -> None:
    with pytest.raises(ConfigError, match="gateways is 0"):
        Gateway("ws://127.0.0.1:0", gateways=0)


def test_the_times_and_the_user_are_of_all_processes_and_the_rest_of_some() -> None:
    assert set(SHARED) <= set(OF_HOLDERS) <= set(OPTIONS)
    assert {"gateways", "workers", "broker", "history"} <= set(OPTIONS) - set(OF_HOLDERS)


@pytest.mark.usefixtures("no_traces")
@pytest.mark.parametrize(
    ("address", "ping_data", "says"),
    [
        ("text://127.0.0.1:0", "a\nb", "text://127.0.0.1:0 cannot carry it; fix: a message of te"),
        ("tcp://127.0.0.1:0", "", "ping_data is empty, and tcp://127.0.0.1:0 sends nothing"),
    ],
)
def test_ping_data_that_a_client_cannot_be_sent_is_refused(
    address: str, ping_data: str, says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        Gateway(address, ping_interval=25, ping_data=ping_data)


@pytest.mark.usefixtures("no_traces")
@pytest.mark.parametrize("name", ["on_websocket_connect", "on_request"])
def test_a_callback_for_http_is_refused_where_no_client_speaks_it(name: str) -> None:
    gateway = Gateway("text://127.0.0.1:0")
    checked_options.read(gateway._holding)
    setattr(gateway, name, lambda client: None)
    with pytest.raises(ConfigError, match=f"{name} is set, and text://127.0.0.1:0 has no HTTP"):
        checked_options.read(gateway._holding)


def test_a_durable_history_needs_a_broker_that_keeps_it() -> None:
    durable = HistoryOptions(durable=True)
    with pytest.raises(ConfigError, match="no broker that could keep it"):
        Gateway("ws://127.0.0.1:0", name="durable without", history=durable)
    with pytest.raises(ConfigError, match="no broker that could keep it"):
        Gateway("ws://127.0.0.1:0", name="durable hub", gateways=2, history=durable)
    for number, url in enumerate(("redis://h", "redis+cluster://h", "nats://h")):
        gateway = Gateway("ws://127.0.0.1:0", name=f"d{number}", broker=url, history=durable)
        assert gateway._make_store() is not None
    kept_here = Gateway("ws://127.0.0.1:0", name="d", broker="redis://h", history=HistoryOptions())
    assert kept_here._make_store() is None
