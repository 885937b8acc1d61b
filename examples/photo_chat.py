"""A chat with photos: they come by HTTP at the chat's port, and its clients get their addresses.

curl -F photo=@cat.png http://127.0.0.1:8282/photos
"""

import asyncio
from pathlib import Path
from uuid import uuid4

from lineman import Connection, HttpError, Request, Response, Worker

FOLDER = Path("photos")
TYPES = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpg", b"GIF8": "gif"}

worker = Worker(
    "ws://0.0.0.0:8282",
    max_message_size=64 * 1024,  # messages, and bodies that are no form with files
    max_upload_size=20 * 1024 * 1024,  # forms with files, which go to disk as they come
)


@worker.on_worker_start
def make_folder() -> None:
    FOLDER.mkdir(exist_ok=True)


@worker.on_request
async def answer(request: Request) -> Response:
    if (request.method, request.path) == ("POST", "/photos"):
        return await take(request)
    if request.path.startswith("/photos/"):
        return Response(file=request.path.removeprefix("/photos"), root=FOLDER)
    raise HttpError(404, "there is no such page")


async def take(request: Request) -> Response:
    photo = request.files.get("photo")
    if photo is None:
        raise HttpError(400, "the form has no file with the name photo")
    begin = photo.read(8)  # what the client says about name and type may be wrong
    types = [name for mark, name in TYPES.items() if begin.startswith(mark)]
    if not types:
        raise HttpError(415, "send a PNG, a JPEG or a GIF")
    path = f"/photos/{uuid4().hex}.{types[0]}"
    await asyncio.to_thread(photo.save, FOLDER / Path(path).name)
    worker.broadcast(path)
    return Response(path + "\n", 201)


@worker.on_message
def talk(connection: Connection, message: str | bytes) -> None:
    worker.broadcast(message)


Worker.run_all()
