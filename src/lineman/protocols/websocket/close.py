"""Close codes and the payload of a close frame.

Source: RFC 6455, sections 5.5.1, 7.1.5 and 7.4; the IANA registry of websocket close codes.
"""

from __future__ import annotations

from typing import cast

from lineman.errors import ProtocolError, UsageError

NORMAL = 1000
GOING_AWAY = 1001
PROTOCOL_ERROR = 1002
UNSUPPORTED_DATA = 1003
NO_STATUS = 1005
ABNORMAL = 1006
INVALID_DATA = 1007
POLICY_VIOLATION = 1008
MESSAGE_TOO_BIG = 1009
INTERNAL_ERROR = 1011
SERVICE_RESTART = 1012
TRY_AGAIN_LATER = 1013

MAX_REASON = 123

_WORDS = {
    NORMAL: "normal closure",
    GOING_AWAY: "going away",
    PROTOCOL_ERROR: "protocol error",
    UNSUPPORTED_DATA: "unsupported data",
    NO_STATUS: "closed without a status",
    ABNORMAL: "lost without a close frame",
    INVALID_DATA: "invalid data",
    POLICY_VIOLATION: "policy violation",
    MESSAGE_TOO_BIG: "message too big",
    1010: "mandatory extension missing",
    INTERNAL_ERROR: "internal error",
    SERVICE_RESTART: "service restart",
    TRY_AGAIN_LATER: "try again later",
    1014: "bad gateway",
    1015: "TLS handshake failed",
}

# 1004 is reserved; 1005, 1006 and 1015 stand for what happened and are never sent.
_SENDABLE_BELOW_3000 = frozenset(
    {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014}
)


def words(code: int) -> str:
    """The meaning of a close code in a few words, `code 4001` for one that has none."""
    return _WORDS.get(code) or f"code {code}"


def is_sendable(code: int) -> bool:
    """Whether an endpoint may put this code into a close frame (RFC 6455, section 7.4)."""
    return code in _SENDABLE_BELOW_3000 or 3000 <= code <= 4999


def check(code: object, reason: object) -> None:
    """Looks at the code and the words that a server's program closes with.

    Raises:
        UsageError: the code is no number, stands for what happened and is never sent (1004, 1005,
            1006, 1015), is one of clients (1010), or of nobody; or the reason is no text.
    """
    if not isinstance(reason, str):
        raise UsageError(f"the reason {reason!r} is no text; give a str")
    is_number = isinstance(code, int) and not isinstance(code, bool)
    if not is_number or code == 1010 or not is_sendable(cast(int, code)):
        raise UsageError(
            f"close code {code!r} must not be sent; use 1000, a code of your own from 4000 to "
            "4999, or 1001, 1008, 1011, 1012, 1013 for what they stand for"
        )


def encode(code: int, reason: str) -> bytes:
    """The payload of a close frame.

    Args:
        code: a code that may be sent; 1005 gives the empty payload.
        reason: words for the peer; cut at a character boundary to 123 bytes of UTF-8.

    Raises:
        UsageError: for a code that must not be sent; choose 1000 or one of 3000 to 4999.
    """
    if code == NO_STATUS:
        return b""
    if not is_sendable(code):
        raise UsageError(
            f"close code {code} must not be sent; use 1000, or a code of your own from 4000 to 4999"
        )
    if not reason:
        return code.to_bytes(2, "big")
    cut = reason.encode("utf-8", "replace")[:MAX_REASON].decode("utf-8", "ignore")
    return code.to_bytes(2, "big") + cut.encode()


def decode(payload: bytes) -> tuple[int, str]:
    """Code and reason of a received close frame; `(1005, "")` for an empty payload.

    Raises:
        ProtocolError: 1002 for a one-byte payload or a code that must not be sent,
            1007 for a reason that is not UTF-8.
    """
    if not payload:
        return NO_STATUS, ""
    if len(payload) == 1:
        raise ProtocolError(PROTOCOL_ERROR, "close frame with a payload of one byte")
    code = int.from_bytes(payload[:2], "big")
    if not is_sendable(code):
        raise ProtocolError(PROTOCOL_ERROR, f"close frame with code {code}, which must not be sent")
    if len(payload) == 2:
        return code, ""
    try:
        return code, payload[2:].decode("utf-8")
    except UnicodeDecodeError:
        raise ProtocolError(INVALID_DATA, "the reason of the close frame is not UTF-8") from None
