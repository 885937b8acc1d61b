"""A chat of Starlette: a websocket endpoint that keeps its clients in a set."""

from typing import ClassVar

from counting_page import page
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint, WebSocketEndpoint
from starlette.responses import HTMLResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket


class Homepage(HTTPEndpoint):
    async def get(self, request):
        return HTMLResponse(page("/chat"))


class Chat(WebSocketEndpoint):
    encoding = "text"
    clients: ClassVar[set[WebSocket]] = set()

    async def on_connect(self, websocket):
        await websocket.accept()
        self.clients.add(websocket)

    async def on_receive(self, websocket, data):
        for client in list(self.clients):
            await client.send_text(data)

    async def on_disconnect(self, websocket, close_code):
        self.clients.discard(websocket)


app = Starlette(routes=[Route("/", Homepage), WebSocketRoute("/chat", Chat)])
