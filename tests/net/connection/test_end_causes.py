from __future__ import annotations

import pytest

from lineman.net.connection import end_causes as causes
from lineman.net.connection.end_causes import (
    CLOSE_CAUSES,
    FAILURE_CAUSES,
    close_cause,
    failure_cause,
)


@pytest.mark.parametrize(
    ("code", "reason", "is_ours", "is_broken_rule", "cause"),
    [
        (1000, "bye", False, False, "client"),
        (1005, "closed without a status", False, False, "client"),
        (1009, "too much for me", False, False, "client"),
        (1000, "normal closure", True, False, "program"),
        (4001, "kicked", True, False, "program"),
        (1001, "the service is stopping", True, False, "service_stopping"),
        (1012, "restart", True, False, "service_restart"),
        (1011, "internal error", True, False, "callback_failed"),
        (1013, "reads too slowly", True, False, "slow_reader"),
        (1002, "no mask", False, True, "protocol_error"),
        (1007, "no UTF-8", False, True, "invalid_data"),
        (1009, "too big", False, True, "message_too_big"),
        (1006, f"{causes.NO_PONG} within 20 s", False, False, "ping_timeout"),
        (1006, f"{causes.UNREACHED} for 45 s", False, False, "ping_timeout"),
        (1006, f"{causes.SILENT} 60 s", False, False, "idle_timeout"),
        (1006, f"{causes.CUT}: 2 bytes of it had come", False, False, "cut_message"),
        (1006, causes.DESTROYED, True, False, "destroyed"),
        (1006, causes.DROPPED, False, False, "dropped"),
        (1006, "connection reset by peer", False, False, "lost"),
    ],
)
def test_an_open_connection_ends_for_one_of_a_few_causes(
    code: int, reason: str, is_ours: bool, is_broken_rule: bool, cause: str
) -> None:
    assert close_cause(code, reason, is_ours, is_broken_rule) == cause
    assert cause in CLOSE_CAUSES


@pytest.mark.parametrize(
    ("reason", "was_answered", "cause"),
    [
        ("TLS: unknown ca", False, "tls"),
        ("TLS: unknown ca", True, "tls"),
        (causes.TOO_LATE, False, "timeout"),
        (causes.STOPPING, False, "stopping"),
        ("the peer ended the connection", False, "lost"),
        ("the peer ended the connection", True, None),
        ("", True, None),
    ],
)
def test_a_handshake_fails_for_one_of_a_few_causes(
    reason: str, was_answered: bool, cause: str | None
) -> None:
    assert failure_cause(reason, was_answered) == cause
    assert cause is None or cause in FAILURE_CAUSES
