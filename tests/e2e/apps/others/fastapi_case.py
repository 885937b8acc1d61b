"""The smallest of what FastAPI's documentation shows."""

from typing import Annotated

from fastapi import Depends, FastAPI, Header, HTTPException, WebSocket, WebSocketDisconnect
from pydantic import BaseModel

app = FastAPI()


class Item(BaseModel):
    name: str
    price: float


async def user(authorization: Annotated[str | None, Header()] = None) -> str:
    if authorization != "Bearer me":
        raise HTTPException(401, "who are you?", headers={"WWW-Authenticate": "Bearer"})
    return "me"


@app.get("/")
async def home():
    return {"hello": "world"}


@app.get("/me")
def plain(name: Annotated[str, Depends(user)]):
    return {"user": name}


@app.post("/items")
async def create(item: Item) -> Item:
    return item


@app.get("/items/{number}")
async def item(number: int):
    return number


@app.websocket("/ws")
async def echo(websocket: WebSocket):
    await websocket.accept(subprotocol="chat")
    try:
        await websocket.send_text(f"you said {await websocket.receive_text()}")
        await websocket.send_bytes(await websocket.receive_bytes())
        await websocket.close(4001, "enough")
    except WebSocketDisconnect:
        pass


@app.websocket("/deny")
async def deny(websocket: WebSocket, name: Annotated[str, Depends(user)]):
    await websocket.accept()
