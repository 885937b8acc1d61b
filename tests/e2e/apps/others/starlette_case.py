"""The smallest of what Starlette's documentation shows."""

from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute


async def home(request):
    return PlainTextResponse("home", headers={"x-path": request.url.path})


async def item(request):
    return JSONResponse({"n": request.path_params["n"], "q": request.query_params.get("q")})


async def body(request):
    return PlainTextResponse((await request.body())[::-1])


async def stream(request):
    async def parts():
        for number in range(3):
            yield f"{number}\n"

    return StreamingResponse(parts(), media_type="text/plain")


async def echo(websocket):
    await websocket.accept(subprotocol="chat")
    await websocket.send_text(await websocket.receive_text())
    await websocket.send_bytes(await websocket.receive_bytes())
    await websocket.close(4001, "enough")


async def deny(websocket):
    await websocket.close()


app = Starlette(
    routes=[
        Route("/", home),
        Route("/items/{n:int}", item),
        Route("/body", body, methods=["POST"]),
        Route("/stream", stream),
        WebSocketRoute("/ws", echo),
        WebSocketRoute("/deny", deny),
    ]
)
