"""Lineman's `Dialer`, with callbacks."""

import asyncio

from client_work import Work, run

from lineman import Dialer


async def echo(work: Work) -> None:
    """Does the work of one connection."""
    done, opened = asyncio.Event(), asyncio.Event()
    left = work.each
    dialer = Dialer(work.url, compression=False)

    @dialer.on_connect
    def enter(connection):
        opened.set()

    @dialer.on_message
    def take(connection, message):
        nonlocal left
        left -= 1
        if left >= work.depth:
            connection.send(work.message)
        elif not left:
            done.set()

    dialer.connect()
    await opened.wait()
    await work.begin()
    for _ in range(work.depth):
        dialer.send(work.message)
    await done.wait()
    dialer.close()


run(echo)
