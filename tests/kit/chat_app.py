"""A chat of FastAPI in the memory of its process, as FastAPI's documentation has it."""

CHAT = '''
import os
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request, WebSocket, WebSocketDisconnect
from fastapi.responses import HTMLResponse, StreamingResponse

@asynccontextmanager
async def lifespan(app):
    yield {"version": VERSION}

VERSION = "one"
app = FastAPI(lifespan=lifespan)
clients = []

PAGE = """<!doctype html><title>0 0 0 true 0</title><script>
let sent = 0, got = [], closed = 0, versions = new Set();
const socket = new WebSocket("ws://" + location.host + "/ws/page");
socket.onclose = () => closed++;
socket.onmessage = (event) => {
    const [version, name, number] = event.data.split(" ");
    versions.add(version);
    got.push(Number(number));
    const isInOrder = got.every((n, i) => n === i);
    document.title = [closed, sent, got.length, isInOrder, versions.size].join(" ");
};
socket.onopen = () => setInterval(() => socket.send(String(sent++)), 5);
</script>"""

@app.get("/")
async def page():
    return HTMLResponse(PAGE)

@app.get("/version")
async def version(request: Request):
    return {"version": request.state.version, "host": request.client.host}

@app.post("/size")
async def size(request: Request):
    return sum([len(piece) async for piece in request.stream()])

@app.get("/pieces")
async def pieces():
    async def made():
        for _ in range(100):
            yield b"x" * 20_000
    return StreamingResponse(made())

@app.websocket("/ws/{name}")
async def talk(websocket: WebSocket, name: str):
    await websocket.accept()
    clients.append(websocket)
    try:
        while True:
            text = await websocket.receive_text()
            for other in clients:
                await other.send_text(f"{websocket.state.version} {name} {text}")
    except WebSocketDisconnect:
        clients.remove(websocket)
'''
