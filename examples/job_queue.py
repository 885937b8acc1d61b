"""Jobs in a queue of Redis, which the business workers do: `pip install lineman redis`.

A client sends a text; a job counts its words, and the client gets the result. If a process dies
with a job, another one does it again: so each job is done once, or rarely twice.
"""

import asyncio
import logging
import os
import socket
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from lineman import Client, Gateway, NotReachedError, Worker

SERVER = os.environ.get("REDIS", "redis://127.0.0.1:6379/0")
LOST_AFTER = int(os.environ.get("LOST_AFTER", "60"))  # seconds; longer than any job takes
MAX_JOBS = 10_000

gateway = Gateway("ws://0.0.0.0:8282", workers=2, stop_timeout=30)
redis: Redis


@gateway.on_worker_start
async def start() -> None:
    global redis
    redis = Redis.from_url(SERVER, decode_responses=True)
    try:
        await redis.xgroup_create("jobs", "workers", id="0", mkstream=True)
    except ResponseError as error:
        if "BUSYGROUP" not in str(error):  # another process has made it
            raise
    gateway.spawn(work())


@gateway.on_worker_stop
async def close_redis() -> None:
    await redis.aclose()


@gateway.on_message
async def order(client: Client, text: str | bytes) -> None:
    if isinstance(text, bytes):
        client.close(code=1003, reason="text only")
    elif await redis.xlen("jobs") >= MAX_JOBS:
        client.send("too much to do; try again later")
    else:
        await redis.xadd("jobs", {"client": client.id, "text": text})


async def work() -> None:
    """Ends at a stop or reload, but not in the middle of a job: that is a task of its own."""
    while True:
        try:
            await gateway.is_broker_connected()  # begins no job whose result cannot be sent
            for number, job in await next_jobs():
                await asyncio.wait([gateway.spawn(do(number, job), finish=True)])
        except NotReachedError:  # the service starts
            await asyncio.sleep(0.1)
        except RedisError as error:
            logging.warning("the queue: %s", error)
            await asyncio.sleep(1)


async def next_jobs() -> list[tuple[str, dict[str, str]]]:
    """One job that a process has not finished, or one new job, or none for a second."""
    me = f"{socket.gethostname()} {os.getpid()}"
    _, lost, *_ = await redis.xautoclaim("jobs", "workers", me, LOST_AFTER * 1000, count=1)
    if lost:
        return list(lost)
    streams: Any = await redis.xreadgroup("workers", me, {"jobs": ">"}, count=1, block=1000)
    return [job for _, new in streams for job in new]


async def do(number: str, job: dict[str, str]) -> None:
    words = len(job["text"].split())
    await asyncio.sleep(0.1)  # a real job takes longer
    with suppress(NotReachedError):  # the service stops, and the client has gone
        gateway.send_to_client(job["client"], f"{words} words")
    await redis.xack("jobs", "workers", number)
    await redis.xdel("jobs", number)


@gateway.cron("0 3 * * *", process=0)
async def report() -> None:
    logging.warning("%s jobs wait", await redis.xlen("jobs"))


Worker.run_all()
