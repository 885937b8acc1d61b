"""websockets, its asyncio client."""

from client_work import Work, run
from websockets.asyncio.client import connect


async def echo(work: Work) -> None:
    """Does the work of one connection."""
    async with connect(work.url, compression=None) as line:
        await work.begin()
        left = work.each
        for _ in range(work.depth):
            await line.send(work.message)
        async for _ in line:
            left -= 1
            if left >= work.depth:
                await line.send(work.message)
            elif not left:
                break


run(echo)
