"""Several applications of one worker, each at a path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lineman.asgi.lifespan import Lifespan


@dataclass(frozen=True, slots=True)
class Mounted:
    """One of them.

    Attributes:
        path: where it is; empty for everything that no other one has.
        app: the application.
        lifespan: its own.
    """

    path: str
    app: Any
    lifespan: Lifespan

    def has(self, path: str) -> bool:
        """Whether a path is its own."""
        return not self.path or path == self.path or path.startswith(f"{self.path}/")


def by_path(mounted: Sequence[Mounted]) -> tuple[Any, Lifespan]:
    """One application that calls the right one of several, and whose state requests get.

    The path of a request stays whole, and `root_path` grows by where the application is, as ASGI
    has it. A path that no application has gets 404; a websocket there is refused.
    """
    if len(mounted) == 1 and not mounted[0].path:
        return mounted[0].app, mounted[0].lifespan
    ordered = sorted(mounted, key=lambda each: len(each.path), reverse=True)

    async def call(scope: dict[str, Any], receive: Any, send: Any) -> None:
        path = scope["path"].removeprefix(scope["root_path"])
        for each in ordered:
            if each.has(path):
                scope["root_path"] += each.path
                state = each.lifespan.state
                if state is None:
                    scope.pop("state", None)
                else:
                    scope["state"] = dict(state)
                await each.app(scope, receive, send)
                return
        await _not_found(scope, send)

    return call, ordered[0].lifespan


async def _not_found(scope: dict[str, Any], send: Any) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close"})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": b"Not Found\n"})
