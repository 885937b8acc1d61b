"""python-socketio with its Redis manager, on uvicorn: `python socketio_server.py PORT REDIS`."""

import sys

import socketio
import uvicorn
from common import HOST, port

manager = socketio.AsyncRedisManager(sys.argv[2])
server = socketio.AsyncServer(async_mode="asgi", client_manager=manager)


@server.event
async def connect(sid: str, environ: object) -> None:
    """Puts the client into the one room."""
    await server.enter_room(sid, "listeners")


@server.event
async def say(sid: str, message: str) -> None:
    """Sends the message to all clients in the room."""
    await server.emit("said", message, room="listeners")


uvicorn.run(
    socketio.ASGIApp(server), host=HOST, port=port(), loop="uvloop", ws="websockets",
    log_level="warning", access_log=False, ws_per_message_deflate=False,
)  # fmt: skip
