"""Lineman: `connect`, as a user writes it."""

from client_work import Work, run

from lineman import connect


async def echo(work: Work) -> None:
    """Does the work of one connection."""
    async with connect(work.url, compression=False) as line:
        await work.begin()
        left = work.each
        for _ in range(work.depth):
            line.send(work.message)
        async for _ in line:
            left -= 1
            if left >= work.depth:
                line.send(work.message)
            elif not left:
                break


run(echo)
