"""A chat that keeps its lines in PostgreSQL, by asyncpg: `pip install lineman asyncpg`."""

import os

import asyncpg

from lineman import Connection, Worker

DATABASE = os.environ.get("DATABASE", "postgresql://chat@127.0.0.1:5432/chat")
TABLE = "CREATE TABLE IF NOT EXISTS lines (id bigserial PRIMARY KEY, text text NOT NULL)"

Worker.broker = "embedded"  # for messages to the clients of the other process
worker = Worker("ws://0.0.0.0:8282", count=2)
pool: asyncpg.Pool


@worker.on_worker_start
async def open_pool() -> None:
    global pool
    pool = await asyncpg.create_pool(DATABASE, min_size=1, max_size=5, command_timeout=10)
    async with pool.acquire() as database, database.transaction():
        await database.execute("SELECT pg_advisory_xact_lock(8282)")  # one process after the other
        await database.execute(TABLE)


@worker.on_worker_stop
async def close_pool() -> None:
    await pool.close()


@worker.on_connect
async def show_history(connection: Connection) -> None:
    rows = await pool.fetch("SELECT text FROM lines ORDER BY id DESC LIMIT 10")
    for row in reversed(rows):
        connection.send(row["text"])


@worker.on_message
async def keep(connection: Connection, message: str | bytes) -> None:
    if isinstance(message, bytes) or "\0" in message:
        connection.close(code=1003, reason="text only, without NUL")
        return
    await pool.execute("INSERT INTO lines (text) VALUES ($1)", message)
    worker.broadcast(message, everywhere=True)


Worker.run_all()
