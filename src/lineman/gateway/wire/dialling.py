"""Links to all gateway processes of a machine, also to those that are being replaced.

Each gateway process listens at its slot's path, and has its own name beside it. A process that
replaces another gets the path; the old one keeps its name until its clients are gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import glob
import logging
import math
import os
import socket
from collections.abc import Callable, Iterator

from lineman.base.cancellation import is_cancelled_itself
from lineman.base.loglimit import LogLimit
from lineman.base.unixpath import short_path
from lineman.errors import ConfigError
from lineman.gateway.wire.link_refusals import LinkRefusals
from lineman.links.link import UNKNOWN, Link
from lineman.links.rendezvous import dial

logger = logging.getLogger("lineman")

RETRY = 0.2
# A worker that has not reached every gateway process within this time logs it.
PATIENCE = 5.0

Identity = tuple[int, int]
OnEnd = Callable[[Link, str], None]


def alias_of(path: str, node: str) -> str:
    """The own name of a gateway process, beside its slot's path."""
    return f"{path.removesuffix('.sock')}.{node}.sock"


def identity_of(path: str) -> Identity | None:
    """The identity of the socket at a path; None if there is none."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def candidates(path: str) -> Iterator[str]:
    """The paths at which the gateway processes of one slot may listen, the newest process first."""
    yield path
    yield from glob.iglob(alias_of(glob.escape(path), "*"))


def take_dead(path: str) -> list[str]:
    """The own names of the processes of a slot that were killed; they are forgotten.

    To be called by the process that takes their place, before it listens.
    """
    dead = []
    for alias in list(candidates(path))[1:]:
        with socket.socket(socket.AF_UNIX) as trial, contextlib.suppress(OSError):
            try:
                trial.setblocking(False)
                with short_path(alias) as short:
                    trial.connect(short)
            except ConnectionRefusedError:
                os.unlink(alias)
                dead.append(alias.removesuffix(".sock").rpartition(".")[2])
    return dead


class Dialler:
    """Dials every gateway process of this machine, until `stop`.

    Args:
        paths: the slots' paths.
        make: makes one end of a link; gets a function to call when the link is over.
        on_link: called with each link that is up.
        on_end: called with each link that is over.

    Attributes:
        refusals: of processes that end each link before they have said their name.
    """

    def __init__(
        self,
        paths: tuple[str, ...],
        make: Callable[[OnEnd], Link],
        on_link: Callable[[Link], None],
        on_end: Callable[[Link], None],
    ) -> None:
        self._paths = paths
        self._make = make
        self._on_link = on_link
        self._on_end = on_end
        self._linked: set[Identity | str] = set()
        self._refused: set[Link] = set()
        self._paths_of: dict[Link, str] = {}  # each process' own path
        self.refusals = LinkRefusals()
        self._log = LogLimit(logger)
        self._expected: set[Link] = set()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins to dial; returns when each slot has been reached once."""
        loop = asyncio.get_running_loop()
        reached = {path: loop.create_future() for path in self._paths}
        self._task = loop.create_task(self._keep(reached))
        await asyncio.gather(*reached.values())

    def stop(self) -> None:
        """Ends dialling; links that are up stay."""
        if self._task is not None:
            self._task.cancel()

    def admit(self, link: Link) -> None:
        """The process at the other end of a link has said its name."""
        self.refusals.forget(self._paths_of.get(link, ""))

    def refuse(self, link: Link, reason: str) -> None:
        """Ends a link whose other end speaks no version that this worker understands."""
        self._refused.add(link)
        link.fail(reason)

    def expect_end(self, link: Link) -> None:
        """Does not log the end of this link: the process at its other end announced its stop."""
        self._expected.add(link)

    async def _keep(self, reached: dict[str, asyncio.Future[None]]) -> None:
        loop = asyncio.get_running_loop()
        late_at = loop.time() + PATIENCE
        while True:
            try:
                await self._try_all(reached)
            except (
                Exception,
                asyncio.CancelledError,
            ) as error:  # a worker must not go without links
                if is_cancelled_itself():
                    raise
                self._log.exception(error, "the gateway processes of this machine were not dialled")
            missing = [path for path, is_there in reached.items() if not is_there.done()]
            if missing and loop.time() >= late_at:
                late_at = math.inf
                logger.warning("no gateway process is found at %s yet", ", ".join(missing))
            self.refusals.sweep(os.path.exists)
            await asyncio.sleep(RETRY)

    async def _try_all(self, reached: dict[str, asyncio.Future[None]]) -> None:
        for path in self._paths:
            for found in list(candidates(path)):
                is_up = await self._try(path, found)
                if is_up and not reached[path].done():
                    reached[path].set_result(None)

    @staticmethod
    def _alias_at(path: str, identity: Identity | None) -> str:
        """The own name of the process whose socket is at a path; empty where it has none."""
        aliases = (each for each in candidates(path) if each != path)
        return next((each for each in aliases if identity_of(each) == identity), "")

    async def _try(self, path: str, found: str) -> bool:
        identity = identity_of(found)
        # The own name shows whether a process with a new socket is linked already.
        name = found if found != path else self._alias_at(path, identity)
        keys: set[Identity | str] = {name} if name else set()
        if identity is None or identity in self._linked or keys & self._linked:
            return False
        if not self.refusals.is_time(name or found, asyncio.get_running_loop().time()):
            return False
        keys.add(identity)

        def on_end(link: Link, reason: str) -> None:
            self._linked.difference_update(keys)
            self._paths_of.pop(link, None)
            if link.peer == UNKNOWN and link not in self._expected:
                self._note_refusal(link, name or found, reason)
            self._on_end(link)
            if link in self._expected:
                self._expected.discard(link)
            elif link.peer != UNKNOWN and self._is_dialling:
                logger.warning("the gateway process at %s is gone: %s", path, reason)

        try:
            link = await dial(lambda: self._make(on_end), found)
        except (OSError, ConfigError):  # a killed process has left it behind, see `take_dead`
            return False
        self._linked.update(keys)
        self._paths_of[link] = name or found
        try:
            self._on_link(link)
        except Exception:
            link.fail("this worker could not take it")  # it is dialled again
            raise
        return True

    @property
    def _is_dialling(self) -> bool:
        return self._task is not None and not self._task.cancelled() and not self._task.done()

    def _note_refusal(self, link: Link, path: str, reason: str) -> None:
        is_final = link in self._refused
        self._refused.discard(link)
        if not is_final:
            reason = f"it has not said which versions of Lineman's wire it speaks ({reason})"
        now = asyncio.get_running_loop().time()
        self.refusals.note(path, reason, now, is_final=is_final)
        if self._is_dialling:
            text = "the gateway process at %s has ended a link: %s"
            self._log.log(logging.WARNING, f"a refusal of {path}", text, path, reason, lines=1)
