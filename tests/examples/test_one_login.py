"""The example with one line for each user: the older line is told and closed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from kit.program import Program, free_ports
from kit.waiting import DEADLINE

EXAMPLE = Path(__file__).parents[2] / "examples" / "one_login.py"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("one_login")
    port = free_ports(1)[0]
    text = EXAMPLE.read_text(encoding="utf-8")
    assert text.count("0.0.0.0:8282") == 1
    copy = directory / "app.py"
    copy.write_text(text.replace("0.0.0.0:8282", f"127.0.0.1:{port}"), encoding="utf-8")
    program = Program("app.py", [sys.executable, copy, "start"], cwd=directory)
    program.wait_for_line("ready: ")
    yield f"ws://127.0.0.1:{port}/?user="
    assert program.stop() == 0
    assert "Traceback" not in program.output


async def serves(line: ClientConnection, user: str) -> None:
    """Returns when a line that stays has got its answer."""
    await line.send("hello")
    assert await line.recv() == f"{user}: hello"


async def told(line: ClientConnection) -> None:
    """Returns when a line was told, and closed."""
    assert await line.recv() == "You have signed in elsewhere."
    with pytest.raises(ConnectionClosed) as closed:
        await line.recv()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4409, "signed in elsewhere")


def test_the_older_line_is_told_and_closed_and_other_users_are_not(url: str) -> None:
    async def main() -> None:
        async with asyncio.timeout(DEADLINE):
            async with connect(f"{url}tom") as tom, connect(f"{url}ada") as older:
                await older.send("first")
                assert await older.recv() == "ada: first"
                async with connect(f"{url}ada") as newer:
                    await told(older)
                    await serves(newer, "ada")
                    await serves(tom, "tom")

    asyncio.run(main())


def test_of_many_that_come_at_the_same_moment_one_stays(url: str) -> None:
    async def main() -> None:
        async with asyncio.timeout(DEADLINE):
            lines = await asyncio.gather(*(connect(f"{url}eve") for _ in range(12)))
            left = list(lines)
            while len(left) > 1:
                done = await asyncio.gather(*(settled(line) for line in left))
                left = [line for line, stays in zip(left, done, strict=True) if stays]
            await serves(left[0], "eve")
            for line in lines:
                await line.close()

    asyncio.run(main())


async def settled(line: ClientConnection) -> bool:
    """Whether a line is still open a moment later."""
    try:
        async with asyncio.timeout(0.2):
            while True:
                await line.recv()
    except TimeoutError:
        return True
    except ConnectionClosed:
        return False


def test_somebody_without_a_name_is_refused(url: str) -> None:
    async def main() -> None:
        with pytest.raises(InvalidStatus) as refused:
            await connect(url)
        assert refused.value.response.status_code == 403

    asyncio.run(main())
