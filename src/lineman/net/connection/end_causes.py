"""Why connections end, as a short list of names, for counting; the reasons are free text. Pure."""

from __future__ import annotations

import errno
import os

from lineman.protocols.codecs.byte_stream import CUT, SILENT
from lineman.protocols.http.http_session import TOO_LATE
from lineman.protocols.websocket import close as closing
from lineman.protocols.websocket.heartbeat import NO_PONG

# Reasons that are told in words and counted by name.
DESTROYED = "destroyed by the program"
DROPPED = "dropped by the service"
STOPPING = "the service is stopping"
TLS = "TLS: "
NO_HANDSHAKE = "no TLS handshake after start_tls()"
TIMED_OUT = os.strerror(errno.ETIMEDOUT).lower()  # what TCP itself says of a dead peer
UNREACHED = "the peer acknowledges nothing"
GAVE_WAY = "let go for others: it said nothing"

_BROKEN_RULES = {
    closing.MESSAGE_TOO_BIG: "message_too_big",
    closing.INVALID_DATA: "invalid_data",
    closing.POLICY_VIOLATION: "policy_violation",
    closing.TRY_AGAIN_LATER: "overload",
}
_OURS = {
    closing.GOING_AWAY: "service_stopping",
    closing.SERVICE_RESTART: "service_restart",
    closing.INTERNAL_ERROR: "callback_failed",
    closing.TRY_AGAIN_LATER: "slow_reader",
}
_LOST = (
    (NO_PONG, "ping_timeout"),
    (UNREACHED, "ping_timeout"),
    (TIMED_OUT, "ping_timeout"),
    (SILENT, "idle_timeout"),
    (CUT, "cut_message"),
    (NO_HANDSHAKE, "tls"),
    (DESTROYED, "destroyed"),
    (DROPPED, "dropped"),
)

CLOSE_CAUSES = (
    "client",
    "program",
    *_OURS.values(),
    "protocol_error",
    *_BROKEN_RULES.values(),
    *dict.fromkeys(cause for _, cause in _LOST),
    "lost",
)
FAILURE_CAUSES = ("tls", "timeout", "stopping", "overload", "lost")


def close_cause(code: int, reason: str, is_ours: bool, is_broken_rule: bool) -> str:
    """The name of the cause for which an open connection ended, one of `CLOSE_CAUSES`.

    Args:
        code: the close code.
        reason: the same in words.
        is_ours: whether this side began to close.
        is_broken_rule: whether the peer broke the protocol.
    """
    if code == closing.ABNORMAL:
        for words, cause in _LOST:
            if reason.startswith(words):
                return cause
        return "lost"
    if is_ours or (is_broken_rule and code == closing.INTERNAL_ERROR):  # a protocol of the program
        return _OURS.get(code, "program")
    if is_broken_rule:
        return _BROKEN_RULES.get(code, "protocol_error")
    return "client"


def failure_cause(reason: str, was_answered: bool) -> str | None:
    """Why a connection never became a websocket, one of `FAILURE_CAUSES`.

    Args:
        reason: why it ended, in words.
        was_answered: whether the peer had its HTTP answer before.

    Returns:
        None where it had its answer: a plain request, or a refusal that is counted by its status.
    """
    if reason.startswith(TLS):
        return "tls"
    if was_answered:
        return None
    if reason == GAVE_WAY:
        return "overload"
    if reason == TOO_LATE:
        return "timeout"
    return "stopping" if reason == STOPPING else "lost"
