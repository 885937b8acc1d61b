"""Messages about timers on a link: their directions."""

from __future__ import annotations

import pytest

from lineman.gateway.wire.messages import TO_BUSINESS, TO_GATEWAY
from lineman.gateway.wire.timer_messages import (
    CancelTimer,
    SetTimer,
    TimerDone,
    TimerDue,
    TimersFull,
)
from lineman.links.framing import BadMessageError, Message, encode


@pytest.mark.parametrize(
    "message",
    [SetTimer("key", "name", b"\x90", 1.5, True), CancelTimer("key"), TimerDone("id", True)],
)
def test_orders_and_reports_go_to_a_gateway_process(message: Message) -> None:
    assert TO_GATEWAY.decode(encode(message)) == message
    with pytest.raises(BadMessageError):
        TO_BUSINESS.decode(encode(message))


@pytest.mark.parametrize("message", [TimerDue("id", "name", b"\x90"), TimersFull(True)])
def test_calls_go_to_a_business_worker(message: Message) -> None:
    assert TO_BUSINESS.decode(encode(message)) == message
    with pytest.raises(BadMessageError):
        TO_GATEWAY.decode(encode(message))
