"""Lineman with plain requests: a text, files of a folder, and events for all who asked for them.

python lineman_http_server.py PORT FOLDER
"""

import asyncio
import sys

from common import HOST, port, run

from lineman import EventStream, Request, Response, Worker

worker = Worker(f"ws://{HOST}:{port()}")


@worker.on_request
async def tell(request: Request) -> str:
    """Tells everybody something, as often as the query says."""
    for _ in range(int(request.query["times"])):
        worker.broadcast("x" * 128)
        await asyncio.sleep(0.002)
    return "told"


def answer(request: Request) -> object:
    """Answers at once what needs no waiting."""
    if request.path == "/":
        return "hello world"
    if request.path == "/events":
        return EventStream()
    if request.path == "/tell":
        return tell(request)
    return Response(file=request.path, root=sys.argv[2])


worker.on_request = answer


async def main() -> None:
    """Serves until it is ended."""
    await worker.start()
    await asyncio.Event().wait()


run(main())
