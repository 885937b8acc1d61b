"""The smallest of what Litestar's documentation shows."""

from litestar import Litestar, WebSocket, get, post, websocket
from litestar.exceptions import NotAuthorizedException, WebSocketDisconnect


@get("/")
async def home() -> str:
    return "home"


@get("/items/{number:int}")
async def item(number: int) -> dict[str, int]:
    return {"number": number}


@post("/items")
async def create(data: dict[str, str]) -> dict[str, str]:
    return data


@get("/closed")
async def closed() -> None:
    raise NotAuthorizedException("who are you?")


@websocket("/ws")
async def echo(socket: WebSocket) -> None:
    await socket.accept(subprotocols="chat")
    try:
        await socket.send_text(await socket.receive_text())
        await socket.send_bytes(await socket.receive_bytes())
        await socket.close(4001, "enough")
    except WebSocketDisconnect:
        pass


@websocket("/deny")
async def deny(socket: WebSocket) -> None:
    await socket.close()


app = Litestar([home, item, create, closed, echo, deny], openapi_config=None)
