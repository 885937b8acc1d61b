"""Why connections end, as a short list of names, for counting; the reasons are free text. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from lineman.protocols.websocket import close as closing

# Reasons that are told in words and counted by name.
NO_PONG = "no answer to a ping"
DESTROYED = "destroyed by the program"
DROPPED = "dropped by the service"
STOPPING = "the service is stopping"
TOO_LATE = "no handshake in time"
TLS = "TLS: "

_BROKEN_RULES = {
    closing.MESSAGE_TOO_BIG: "message_too_big",
    closing.INVALID_DATA: "invalid_data",
}
_OURS = {
    closing.GOING_AWAY: "service_stopping",
    closing.SERVICE_RESTART: "service_restart",
    closing.INTERNAL_ERROR: "callback_failed",
    closing.TRY_AGAIN_LATER: "slow_reader",
}
_LOST = ((NO_PONG, "ping_timeout"), (DESTROYED, "destroyed"), (DROPPED, "dropped"))

CLOSE_CAUSES = (
    "client",
    "program",
    *_OURS.values(),
    "protocol_error",
    *_BROKEN_RULES.values(),
    *(cause for _, cause in _LOST),
    "lost",
)
FAILURE_CAUSES = ("tls", "timeout", "stopping", "lost")


@dataclass(frozen=True, slots=True)
class Ending:
    """How a connection ends.

    Attributes:
        code: the close code; 0 where none was set, as after a plain request.
        reason: the same in words.
        was_open: whether it had become a websocket.
        is_ours: whether this side began to close.
        is_broken_rule: whether the peer broke the protocol.
        was_answered: whether the peer had its HTTP answer before.
    """

    code: int
    reason: str
    was_open: bool
    is_ours: bool = False
    is_broken_rule: bool = False
    was_answered: bool = False


def close_cause(ending: Ending) -> str:
    """The name of the cause for which an open connection ended, one of `CLOSE_CAUSES`."""
    if ending.code == closing.ABNORMAL:
        for reason, cause in _LOST:
            if ending.reason.startswith(reason):
                return cause
        return "lost"
    if ending.is_ours:
        return _OURS.get(ending.code, "program")
    if ending.is_broken_rule:
        return _BROKEN_RULES.get(ending.code, "protocol_error")
    return "client"


def failure_cause(ending: Ending) -> str | None:
    """Why a connection never became a websocket, one of `FAILURE_CAUSES`.

    Returns:
        None where it had its answer: a plain request, or a refusal that is counted by its status.
    """
    if ending.reason.startswith(TLS):
        return "tls"
    if ending.was_answered:
        return None
    if ending.reason == TOO_LATE:
        return "timeout"
    return "stopping" if ending.reason == STOPPING else "lost"
