"""Small ASGI applications, and what they have seen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from kit.waiting import wait_until

Steps = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


class Told:
    """An application of one function, which notes scopes, what it receives, and how it ends."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self.scopes: list[dict[str, Any]] = []
        self.received: list[dict[str, Any]] = []
        self.ends: list[BaseException | None] = []

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            raise RuntimeError("no lifespan")
        self.scopes.append(scope)

        async def noting() -> Any:
            message = await receive()
            self.received.append(message)
            return message

        try:
            await self._steps(scope, noting, send)
        except BaseException as error:
            self.ends.append(error)
            raise
        self.ends.append(None)

    def wait_for_end(self) -> BaseException | None:
        """How the first call has ended."""
        wait_until(lambda: self.ends, "the application has ended")
        return self.ends[0]

    @property
    def types(self) -> list[str]:
        """The types of what it has received."""
        return [each["type"] for each in self.received]


def start(status: int = 200, *headers: tuple[bytes, bytes], **more: Any) -> dict[str, Any]:
    """The message that begins an answer."""
    return {"type": "http.response.start", "status": status, "headers": list(headers), **more}


def body(data: bytes = b"", more: bool = False) -> dict[str, Any]:
    """A piece of an answer."""
    return {"type": "http.response.body", "body": data, "more_body": more}


def text(data: str) -> dict[str, Any]:
    """A message of a websocket."""
    return {"type": "websocket.send", "text": data}


ACCEPT = {"type": "websocket.accept"}
CLOSE = {"type": "websocket.close"}


async def hello(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answers every request."""
    await send(start(200, (b"content-type", b"text/plain")))
    await send(body(b"hello"))


async def echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Accepts a websocket and sends back what comes."""
    if scope["type"] != "websocket":
        await hello(scope, receive, send)
        return
    await receive()
    await send(ACCEPT)
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})
