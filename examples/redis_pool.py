"""Visits of pages, counted in Redis for all processes and machines: `pip install lineman redis`.

A client sends the name of a page, and gets the number of its visits.
"""

import os

from redis.asyncio import BlockingConnectionPool, Redis

from lineman import Connection, Worker

SERVER = os.environ.get("REDIS", "redis://127.0.0.1:6379/0")

worker = Worker("ws://0.0.0.0:8282", count=2, max_message_size=1000)
redis: Redis


@worker.on_worker_start
async def open_pool() -> None:
    global redis
    redis = Redis.from_pool(BlockingConnectionPool.from_url(SERVER, max_connections=20, timeout=5))
    await redis.ping()  # without Redis the service does not start


@worker.on_worker_stop
async def close_pool() -> None:
    await redis.aclose()


@worker.on_message
async def count(connection: Connection, page: str | bytes) -> None:
    connection.send(str(await redis.hincrby("visits", page, 1)))


Worker.run_all()
