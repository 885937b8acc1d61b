"""Several applications, each at a path."""

from __future__ import annotations

from typing import Any

from kit.asgi_apps import Told, body, start
from kit.site import Serve


async def where(scope: Any, receive: Any, send: Any) -> None:
    await send(start())
    await send(body(f"{scope['root_path']} {scope['path']}".encode()))


def test_each_path_has_its_application(serve_app: Serve) -> None:
    root, api, deep = Told(where), Told(where), Told(where)
    site = serve_app({"/": root, "/api": api, "/api/v2": deep})
    client = site.connect()
    assert client.request("/apix").text == " /apix"
    assert client.request("/api").text == "/api /api"
    assert client.request("/api/v2/a").text == "/api/v2 /api/v2/a"
    assert (len(root.scopes), len(api.scopes), len(deep.scopes)) == (1, 1, 1)


def test_a_path_that_nobody_has_is_404(serve_app: Serve) -> None:
    site = serve_app({"/api": Told(where)}, root_path="/v1")
    client = site.connect()
    assert client.request("/").status == 404
    assert client.request("/api/x").text == "/v1/api /v1/api/x"
    assert site.connect().handshake("/").status == 403


def test_each_application_has_the_state_of_its_own_lifespan(serve_app: Serve) -> None:
    def make(name: str) -> Any:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                await receive()
                scope["state"]["name"] = name
                await send({"type": "lifespan.startup.complete"})
                await receive()
                await send({"type": "lifespan.shutdown.complete"})
                return
            await send(start())
            await send(body(scope["state"]["name"].encode()))

        return app

    client = serve_app({"/": make("root"), "/api": make("api")}).connect()
    assert client.request("/").text == "root"
    assert client.request("/api").text == "api"
