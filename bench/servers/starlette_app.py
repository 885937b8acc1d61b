"""A Starlette application: a text for every request, and an echo for websockets."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect


async def text(request: Request) -> PlainTextResponse:
    """Answers alike."""
    return PlainTextResponse("hello world")


async def echo(websocket: WebSocket) -> None:
    """Sends each message back."""
    await websocket.accept()
    try:
        while True:
            await websocket.send_text(await websocket.receive_text())
    except WebSocketDisconnect:
        pass


app = Starlette(routes=[Route("/", text), WebSocketRoute("/ws", echo)])
