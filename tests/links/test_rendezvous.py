"""Unix sockets at which one process listens and to which others connect."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from kit.waiting import until
from lineman.errors import ConfigError
from lineman.gateway.wire.messages import TO_BUSINESS
from lineman.links.link import Link
from lineman.links.rendezvous import dial, listen


class Ends:
    """All ends of links, and which listener took the last one."""

    def __init__(self) -> None:
        self.arrived: list[str] = []
        self._links: list[Link] = []

    def make(self) -> Link:
        self._links.append(Link(TO_BUSINESS, lambda link, batch: None, lambda link, reason: None))
        return self._links[-1]

    def at(self, name: str) -> Callable[[], Link]:
        def made() -> Link:
            self.arrived.append(name)
            return self.make()

        return made

    async def who_answers(self, path: str) -> str:
        count = len(self.arrived)
        await dial(self.make, path)
        await until(lambda: len(self.arrived) > count)
        return self.arrived[-1]

    async def close(self) -> None:
        for link in self._links:
            link.close()
        await until(lambda: not any(link.is_up for link in self._links))


def with_ends(test: Callable[[Ends], Awaitable[None]]) -> None:
    async def run() -> None:
        ends = Ends()
        try:
            await test(ends)
        finally:
            await ends.close()

    asyncio.run(run())


def test_only_this_user_may_connect_and_a_closed_listener_leaves_nothing(tmp_path: Path) -> None:
    async def test(ends: Ends) -> None:
        path = tmp_path / "a.sock"
        listener = await listen(ends.at("one"), str(path))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert await ends.who_answers(str(path)) == "one"
        listener.close()
        assert not path.exists()
        with pytest.raises(FileNotFoundError):
            await dial(ends.make, str(path))

    with_ends(test)


def test_a_successor_takes_the_path_over_and_the_old_one_keeps_its_alias(tmp_path: Path) -> None:
    path, old_name, new_name = (str(tmp_path / name) for name in ("a.sock", "a.1", "a.2"))

    async def test(ends: Ends) -> None:
        old = await listen(ends.at("old"), path, old_name)
        assert await ends.who_answers(path) == "old"
        new = await listen(ends.at("new"), path, new_name)
        assert await ends.who_answers(path) == "new"
        assert await ends.who_answers(old_name) == "old"
        old.close()
        assert await ends.who_answers(path) == "new", "the path is another's now, and stays"
        assert not os.path.exists(old_name)
        new.close()
        assert os.listdir(tmp_path) == []

    with_ends(test)


@pytest.mark.parametrize("alias", ["", "a.1"])
def test_a_socket_that_was_removed_is_made_anew_and_one_taken_over_is_not(
    tmp_path: Path, alias: str
) -> None:
    path = str(tmp_path / "a.sock")
    name = alias and str(tmp_path / alias)

    async def test(ends: Ends) -> None:
        listener = await listen(ends.at("one"), path, name)
        assert not await listener.restore()
        for gone in filter(None, (path, name)):
            os.unlink(gone)
            assert await listener.restore()
            assert await ends.who_answers(gone) == "one"
        other = await listen(ends.at("other"), path)
        assert not await listener.restore()
        os.unlink(path)
        assert not await listener.restore(), "it was the other's, who makes it anew"
        assert await other.restore()
        listener.close()
        other.close()

    with_ends(test)


def test_where_nobody_may_listen_the_reason_and_the_remedy_are_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    async def test(ends: Ends) -> None:
        with pytest.raises(ConfigError, match=r"cannot listen at .*: no such file.*fix: name a p"):
            await listen(ends.make, str(tmp_path / "missing" / "a.sock"))
        with pytest.raises(ConfigError, match="is already in use"):
            await listen(ends.make, str(tmp_path / "file"))

    with_ends(test)
    assert (tmp_path / "file").exists(), "it is no socket of ours"
