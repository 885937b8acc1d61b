from __future__ import annotations

import pytest

from lineman.protocols.websocket.heartbeat import Step, decide

INTERVAL, TIMEOUT = 25.0, 20.0


@pytest.mark.parametrize(
    ("now", "last_received", "pinged_at", "step", "again"),
    [
        pytest.param(10, 0, -1, Step.WAIT, 25, id="silent for less than the interval"),
        pytest.param(25, 0, -1, Step.PING, 45, id="silent for the interval"),
        pytest.param(30, 0, 25, Step.WAIT, 45, id="pinged, not answered yet"),
        pytest.param(44.9, 0, 25, Step.WAIT, 45, id="pinged, a moment is left"),
        pytest.param(45, 0, 25, Step.GIVE_UP, 45, id="pinged, never answered"),
        pytest.param(30, 26, 25, Step.WAIT, 51, id="answered"),
        pytest.param(30, 25, 25, Step.WAIT, 50, id="answered in the same tick"),
        pytest.param(51, 26, 25, Step.PING, 71, id="answered, then silent again"),
        pytest.param(99, 26, 25, Step.PING, 119, id="looked at late: a ping before giving up"),
        pytest.param(0, 0, 0, Step.WAIT, 25, id="a ping at time zero counts"),
    ],
)
def test_what_is_done_about_a_silent_peer(
    now: float, last_received: float, pinged_at: float, step: Step, again: float
) -> None:
    assert decide(now, last_received, pinged_at, INTERVAL, TIMEOUT) == (step, again)
