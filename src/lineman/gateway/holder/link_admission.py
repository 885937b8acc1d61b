"""Which processes may open a link to a gateway process, and which version of the wire it uses."""

from __future__ import annotations

import logging
import os

from lineman.base.loglimit import LogLimit, kind_of
from lineman.gateway.wire import versions
from lineman.gateway.wire.messages import Hello, new_hello
from lineman.gateway.wire.versions import TIMERS_SINCE
from lineman.links.framing import Message
from lineman.links.link import Link


class LinkAdmission:
    """The links of one gateway process that have said `Hello`.

    Args:
        node: the name of this process.
        log: for the reasons why a link is refused.

    Attributes:
        versions: the version of the wire that each admitted link uses.
    """

    def __init__(self, node: str, log: LogLimit) -> None:
        self._node = node
        self._log = log
        self.versions: dict[Link, int] = {}

    def admits(self, link: Link, batch: list[Message]) -> bool:
        """Whether a link may go on that has sent its first messages; if not, it is ended."""
        first = batch[0] if batch else None
        if not isinstance(first, Hello):
            link.fail("it did not say Hello")
        elif link.peer_uid() not in (None, 0, os.getuid()):
            link.fail(f"it runs as user {link.peer_uid()}, not as {os.getuid()}")
        elif not (agreed := versions.agreed_with(first.versions)):
            self.greet(link)  # the other side learns the versions of this one, and says them
            link.flush()
            link.fail(versions.refusal(first.versions))
        else:
            self.versions[link] = agreed
        return link in self.versions

    def with_timers(self) -> list[Link]:
        """The links whose other ends understand messages about timers."""
        return [link for link, version in self.versions.items() if version >= TIMERS_SINCE]

    def version_of(self, link: Link) -> int:
        """The version of the wire that a link uses; 0 if it was not admitted."""
        return self.versions.get(link, 0)

    def greet(self, link: Link) -> None:
        """Says `Hello` to a link."""
        link.post(new_hello(os.getpid(), self._node))

    def leave(self, link: Link, reason: str) -> None:
        """Forgets a link that is over; logs the reason if it was never admitted."""
        if self.versions.pop(link, None) is None:
            kind = kind_of("refused links", reason)
            self._log.log(logging.WARNING, kind, "a link was refused: %s", reason)
