"""The smallest ASGI application: uvicorn and granian serve it."""

from collections.abc import Awaitable, Callable
from typing import Any

HEADERS = [(b"content-type", b"text/plain"), (b"content-length", b"11")]


async def app(
    scope: dict[str, Any], receive: Callable[[], Any], send: Callable[[Any], Awaitable[None]]
) -> None:
    """Answers every request alike."""
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": b"hello world"})
