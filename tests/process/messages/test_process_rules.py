"""The times of a worker's processes, and which of them cannot work."""

from __future__ import annotations

import pytest

from lineman.base import option_kinds
from lineman.errors import ConfigError
from lineman.process.messages.process_rules import LEAST_WATCHDOG, RuleFields, Rules


@pytest.mark.parametrize("seconds", [0, LEAST_WATCHDOG, 60.0])
def test_a_watchdog_may_be_off_or_longer_than_a_beat(seconds: float) -> None:
    option_kinds.check(RuleFields, Rules(watchdog_timeout=seconds))


@pytest.mark.parametrize(
    ("seconds", "says"),
    [
        (1.9, "watchdog_timeout is 1.9, and a process reports only once a second; fix: give 2 sec"),
        (-1, "watchdog_timeout is -1"),
        (float("nan"), "watchdog_timeout is nan"),
        ("60", "watchdog_timeout is '60'"),
    ],
)
def test_a_watchdog_that_would_kill_healthy_processes_is_refused(seconds: float, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        option_kinds.check(RuleFields, Rules(watchdog_timeout=seconds))


def test_a_start_must_be_given_time_and_a_drain_need_not() -> None:
    option_kinds.check(RuleFields, Rules(drain_seconds=0))
    with pytest.raises(ConfigError, match="start_timeout is 0"):
        option_kinds.check(RuleFields, Rules(start_timeout=0))
