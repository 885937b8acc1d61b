"""The end of a business worker's service: gateway processes give it no more events."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable

from lineman.gateway.wire.messages import Retire
from lineman.links.link import Link


class WorkerRetirement:
    """The gateway processes that have not answered yet.

    Attributes:
        unretired: the links to them.
    """

    def __init__(self) -> None:
        self.unretired: set[Link] = set()
        self._retired: asyncio.Future[None] | None = None

    async def ask(self, links: Iterable[Link], timeout: float) -> None:
        """Asks them to give no more events; returns when all have answered, or are gone.

        Args:
            links: to all of them.
            timeout: seconds.
        """
        for link in links:
            link.post(Retire())
            self.unretired.add(link)
        if self.unretired:
            self._retired = asyncio.get_running_loop().create_future()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._retired, timeout)

    def note(self, link: Link) -> None:
        """One has answered, or is gone."""
        self.unretired.discard(link)
        if not self.unretired and self._retired is not None and not self._retired.done():
            self._retired.set_result(None)
