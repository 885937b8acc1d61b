from __future__ import annotations

from typing import Any

import pytest

from lineman.errors import ConfigError
from lineman.net.connection.limits import Limits


def test_the_defaults_are_those_of_the_manual() -> None:
    limits = Limits()
    assert limits.max_message_size == 10 * 1024 * 1024
    assert limits.max_send_buffer_size == 1024 * 1024
    assert (limits.ping_interval, limits.ping_timeout) == (25, 20)
    assert limits.handshake_timeout == 10


def test_seconds_may_be_whole_or_broken_and_no_pings_are_zero() -> None:
    assert Limits(handshake_timeout=3, close_timeout=0.5, ping_interval=0).ping_interval == 0


@pytest.mark.parametrize(
    ("name", "value", "seen", "fix"),
    [
        ("max_message_size", 0, "max_message_size is 0", "give more than 0"),
        ("max_message_size", -1, "max_message_size is -1", "give more than 0"),
        ("max_message_size", 1.5, "max_message_size is 1.5", "give a whole number of bytes"),
        ("max_message_size", "10M", "max_message_size is '10M'", "give a whole number of bytes"),
        ("max_head_size", None, "max_head_size is None", "give a whole number of bytes"),
        ("max_send_buffer_size", True, "is True", "give a whole number of bytes"),
        ("backlog", 0, "backlog is 0", "give more than 0"),
        ("handshake_timeout", 0, "handshake_timeout is 0", "give more than 0"),
        ("handshake_timeout", "10", "handshake_timeout is '10'", "give a number of seconds"),
        ("close_timeout", -0.1, "close_timeout is -0.1", "give more than 0"),
        ("ping_timeout", float("nan"), "ping_timeout is nan", "give more than 0"),
        ("ping_interval", -1, "ping_interval is -1", "give 0 or more"),
        ("ping_interval", None, "ping_interval is None", "give a number of seconds"),
    ],
)
def test_a_limit_that_cannot_work_is_refused_with_what_to_give(
    name: str, value: Any, seen: str, fix: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        Limits(**{name: value})
    assert name in caught.value.seen
    assert seen in caught.value.seen
    assert fix in caught.value.fix
