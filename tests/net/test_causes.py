from __future__ import annotations

import pytest

from lineman.net import causes
from lineman.net.causes import CLOSE_CAUSES, FAILURE_CAUSES, Ending, close_cause, failure_cause


@pytest.mark.parametrize(
    ("ending", "cause"),
    [
        (Ending(1000, "bye", True), "client"),
        (Ending(1005, "closed without a status", True), "client"),
        (Ending(1009, "too much for me", True), "client"),
        (Ending(1000, "normal closure", True, is_ours=True), "program"),
        (Ending(4001, "kicked", True, is_ours=True), "program"),
        (Ending(1001, "the service is stopping", True, is_ours=True), "service_stopping"),
        (Ending(1012, "restart", True, is_ours=True), "service_restart"),
        (Ending(1011, "internal error", True, is_ours=True), "callback_failed"),
        (Ending(1013, "reads too slowly", True, is_ours=True), "slow_reader"),
        (Ending(1002, "no mask", True, is_broken_rule=True), "protocol_error"),
        (Ending(1007, "no UTF-8", True, is_broken_rule=True), "invalid_data"),
        (Ending(1009, "too big", True, is_broken_rule=True), "message_too_big"),
        (Ending(1006, f"{causes.NO_PONG} within 20 s", True), "ping_timeout"),
        (Ending(1006, causes.DESTROYED, True, is_ours=True), "destroyed"),
        (Ending(1006, causes.DROPPED, True), "dropped"),
        (Ending(1006, "connection reset by peer", True), "lost"),
    ],
)
def test_an_open_connection_ends_for_one_of_a_few_causes(ending: Ending, cause: str) -> None:
    assert close_cause(ending) == cause
    assert cause in CLOSE_CAUSES


@pytest.mark.parametrize(
    ("ending", "cause"),
    [
        (Ending(1006, "TLS: unknown ca", False), "tls"),
        (Ending(1006, "TLS: unknown ca", False, was_answered=True), "tls"),
        (Ending(1006, causes.TOO_LATE, False), "timeout"),
        (Ending(1001, causes.STOPPING, False), "stopping"),
        (Ending(1006, "the peer ended the connection", False), "lost"),
        (Ending(1006, "the peer ended the connection", False, was_answered=True), None),
        (Ending(0, "", False, was_answered=True), None),
    ],
)
def test_a_handshake_fails_for_one_of_a_few_causes(ending: Ending, cause: str | None) -> None:
    assert failure_cause(ending) == cause
    assert cause is None or cause in FAILURE_CAUSES
