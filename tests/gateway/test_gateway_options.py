"""What a `Gateway` may be given besides the options of a `Worker`."""

from __future__ import annotations

from typing import Any

import pytest

from lineman import ConfigError, Gateway
from lineman.base import option_kinds
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
