"""Scores of players in PostgreSQL: `pip install lineman 'sqlalchemy[asyncio]' asyncpg`.

A client sends `ada 10`, and gets the total of Ada.
"""

import os
import re

from sqlalchemy import BigInteger, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from lineman import Connection, Worker

DATABASE = os.environ.get("DATABASE", "postgresql+asyncpg://chat@127.0.0.1:5432/chat")

worker = Worker("ws://0.0.0.0:8282", count=2)
engine: AsyncEngine


class Base(DeclarativeBase):
    pass


class Player(Base):
    __tablename__ = "players"
    name: Mapped[str] = mapped_column(primary_key=True)
    score: Mapped[int] = mapped_column(BigInteger)


@worker.on_worker_start
async def open_engine() -> None:
    global engine
    engine = create_async_engine(DATABASE, pool_size=5, max_overflow=0, pool_pre_ping=True)
    async with engine.begin() as database:
        await database.execute(text("SELECT pg_advisory_xact_lock(8282)"))  # one process at a time
        await database.run_sync(Base.metadata.create_all)


@worker.on_worker_stop
async def close_engine() -> None:
    await engine.dispose()


@worker.on_message
async def add(connection: Connection, message: str | bytes) -> None:
    said = re.fullmatch(r"(\w{1,30}) (\d{1,6})", str(message))
    if said is None:
        connection.send("send a name and a number: ada 10")
    else:
        connection.send(f"{said[1]} has {await total(said[1], int(said[2]))}")


async def total(name: str, points: int) -> int:
    more = {"score": Player.score + points}
    change = insert(Player).values(name=name, score=points)
    change = change.on_conflict_do_update(index_elements=["name"], set_=more)
    async with engine.begin() as database:
        return (await database.execute(change.returning(Player.score))).scalar_one()


Worker.run_all()
