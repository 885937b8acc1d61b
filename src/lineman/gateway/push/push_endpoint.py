"""Pushing by HTTP, for programs in other languages: one endpoint, protected by a token.

POST /push
Authorization: Bearer TOKEN
{"uid": "42", "message": "hello"}
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
from typing import Any

from lineman.errors import ConfigError, LinemanError, NotReachedError, RefusedError, UsageError
from lineman.gateway.push import recipients
from lineman.gateway.push.api import Api
from lineman.gateway.push.keeping import keep_all
from lineman.gateway.push.recipients import recipients_of
from lineman.protocols.http.requests import Request
from lineman.protocols.http.responses import Response

PATH = "/push"
MIN_TOKEN = 16
FIELDS = frozenset({"message", "base64", *recipients.FIELDS})


class HttpPush:
    """Answers requests to push.

    Args:
        gateway: takes the orders.
        token: the token that a request must carry, at least 16 characters.

    Raises:
        ConfigError: the token is too short.
    """

    def __init__(self, gateway: Api, token: str) -> None:
        check_token(token)
        self._gateway = gateway
        self._authorization = f"Bearer {token}".encode()

    async def __call__(self, request: Request) -> Response:
        """The answer to one request.

        202 if the message is on its way to all, and kept where it was to be kept. 503 if it was
        sent to nobody, since a gateway process, the broker to the others, or what keeps histories
        is not reached; or to some groups, which the answer counts.
        """
        given = (request.headers.get("Authorization") or "").encode("latin-1", "replace")
        if not hmac.compare_digest(given, self._authorization):
            return _answer(401, "Authorization: Bearer TOKEN is missing or wrong", _CHALLENGE)
        if request.path != PATH:
            return _answer(404, f"there is {PATH} only")
        if request.method != "POST":
            return _answer(405, "POST it", {"Allow": "POST"})
        try:
            await self._push(_parse(request.body))
        except (UsageError, RefusedError) as error:
            return _answer(400, str(error))
        except LinemanError as error:
            return _answer(503, str(error))
        return _answer(202, "")

    async def _push(self, body: dict[str, Any]) -> None:
        found = recipients_of(body, lambda field: f'"{field}"')
        message = _message(body)
        if not await self._gateway.is_broker_connected():
            raise NotReachedError(
                "the broker is not reached, so the message would not reach every gateway process",
                "send it again later",
            )
        if found.kept_groups:
            await keep_all(self._gateway, found.kept_groups, message)
        found.without_kept().send(self._gateway, message)


_CHALLENGE = {"WWW-Authenticate": "Bearer"}


def check_token(token: object) -> None:
    """Checks a token.

    Raises:
        ConfigError: it is too short, or not text that fits a header.
    """
    if not isinstance(token, str) or len(token) < MIN_TOKEN or not token.isascii():
        raise ConfigError(
            f"push_token must be text of at least {MIN_TOKEN} ASCII characters",
            'make one: python -c "import secrets; print(secrets.token_urlsafe(24))"',
        )


def _answer(status: int, error: str, headers: dict[str, str] | None = None) -> Response:
    body = json.dumps({"error": error} if error else {"ok": True}) + "\n"
    return Response(body, status, "application/json", headers)


def _parse(data: bytes) -> dict[str, Any]:
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the body is no JSON: {error}") from None
    if not isinstance(body, dict):
        raise UsageError(f"the body is a JSON {type(body).__name__}; give an object")
    unknown = sorted(body.keys() - FIELDS)
    if unknown:
        raise UsageError(f"there is no field {unknown[0]!r}; there are {', '.join(sorted(FIELDS))}")
    return body


def _message(body: dict[str, Any]) -> str | bytes:
    if ("message" in body) is ("base64" in body):
        raise UsageError('give "message", a text, or "base64", bytes')
    if "message" in body:
        if not isinstance(body["message"], str):
            raise UsageError('"message" is no text; for structured data give its JSON as text')
        return str(body["message"])
    try:
        return base64.b64decode(body["base64"], validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise UsageError('"base64" is no base64') from None
