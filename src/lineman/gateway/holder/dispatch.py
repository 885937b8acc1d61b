"""Which business worker gets a client's events, and what waits meanwhile.

A client's events go to one worker at a time, in order. The number and the size of the events that a
worker has not acknowledged are bounded. Further events wait here, and meanwhile the client's socket
is not read. A worker that retires gets no new events: each of its clients goes to another worker
when the retiring one has handled the client's events.
"""

from __future__ import annotations

import logging
import zlib
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence

from lineman.base.loglimit import LogLimit
from lineman.gateway.holder.held_client import HeldClient
from lineman.gateway.wire.messages import Event, Forget, Opened, Resumed, Retired
from lineman.links.link import Link
from lineman.net.connection.connection import Connection
from lineman.protocols.websocket import close as closing

# The most events of one client that a worker may have unacknowledged.
MAX_EVENTS = 64
MAX_SIZE = 256 * 1024
# An event is dropped after this number of workers in a row have died with it.
MAX_DEATHS = 3


# (connection, ids of the workers that take clients) -> id of a worker.
Router = Callable[[Connection, list[int]], int]


def size_of(event: Event) -> int:
    """The size of an event, as `MAX_SIZE` counts it."""
    return len(event) if isinstance(event, (str, bytes)) else 0


def has_opened(events: list[Event]) -> bool:
    """Whether one of these events tells a worker of a new client."""
    return any(isinstance(event, Opened) for event in events)


class Dispatch:
    """Gives clients' events to business workers.

    Args:
        clock: seconds that only go forward; `loop.time`.
        log: the logger of warnings that clients can cause.
        on_settled: called once with a client whose connection is over and that has no more
            waiting events.
        on_lost: called with a client and the events that were lost with a dead worker.
        redeliver: whether events that a worker had when it died go to another worker (at least
            once); if not, they are dropped and counted (at most once).
        wait_timeout: seconds that a client's event waits for a worker before the client is closed.
        router: chooses the worker of each client by its id; None for the one with the fewest
            clients. A client waits for a worker that is not ready.
        resumes: whether a retiring worker keeps its clients until it lets them go, and their next
            worker is told at once that it has them.

    Attributes:
        dropped: events that no worker has handled, or perhaps not.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        log: LogLimit,
        on_settled: Callable[[HeldClient], None],
        on_lost: Callable[[HeldClient, list[Event]], None],
        *,
        redeliver: bool = False,
        wait_timeout: float = 30.0,
        router: Router | None = None,
        resumes: bool = False,
    ) -> None:
        self._router = router
        self._resumes = resumes
        self._ids: dict[Link, int] = {}
        self._clock = clock
        self._log = log
        self._on_settled = on_settled
        self._on_lost = on_lost
        self._redeliver = redeliver
        self._wait_timeout = wait_timeout
        # The clients of each worker; a retiring worker is included.
        self._clients: dict[Link, set[HeldClient]] = {}
        self._retiring: set[Link] = set()
        self._stalled: dict[HeldClient, None] = {}  # clients without a worker
        # Clients that wait for their worker to read.
        self._clogged: dict[Link, dict[HeldClient, None]] = {}
        self.dropped = 0

    @property
    def links(self) -> Collection[Link]:
        """The links to all business workers, retiring ones included."""
        return self._clients.keys()

    @property
    def workers(self) -> int:
        """How many business workers take clients."""
        return len(self._clients) - len(self._retiring)

    @property
    def waiting_clients(self) -> int:
        """How many clients have waiting events, but no worker."""
        return len(self._stalled)

    # Workers come and go.

    def add_worker(self, link: Link, worker_id: int = 0) -> None:
        """Adds a worker that is ready; it gets the waiting events."""
        self._clients[link] = set()
        self._ids[link] = worker_id
        self._settle_stalled()

    def retire_worker(self, link: Link) -> None:
        """Gives no new events to a worker from now on."""
        if link not in self._clients:
            return
        self._retiring.add(link)
        clients = list(self._clients[link])
        if self._resumes:
            link.post(Retired())  # `let_go` follows
            return
        for client in clients:
            if not client.unacknowledged:
                self._part(client)
                self._pump(client)
        if not clients:
            link.post(Retired())

    def let_go(self, link: Link, clients: Iterable[HeldClient]) -> None:
        """A retiring worker has finished with clients: others get what it has not acknowledged."""
        moving = [client for client in clients if client.link is link]
        for client in moving:
            unhandled = client.unacknowledged
            self._part(client)
            self._have_resumed(client, unhandled or ())
        for client in moving:  # all are introduced before the messages of one of them
            self._pump(client)

    def _have_resumed(self, client: HeldClient, unhandled: Sequence[Event]) -> None:
        """Puts events before those that wait, and the news that the client is back before all."""
        if client.waiting is None:
            client.waiting = deque()
            client.waits_since = self._clock()
        client.waiting.extendleft(reversed(unhandled))
        if not client.connection.is_open:  # it is about to open, or closing
            return
        resumed = Resumed(client.number)
        if self._may_post(client):
            self._post(client, resumed)
        else:
            client.waiting.appendleft(resumed)

    def _check_retired(self, link: Link) -> None:
        if link in self._retiring and not self._clients[link]:
            link.post(Retired())

    def remove_worker(self, link: Link) -> None:
        """Removes a worker that is gone, with the events that it had."""
        clients = self._clients.pop(link, None)
        self._ids.pop(link, None)
        self._clogged.pop(link, None)
        self._retiring.discard(link)
        for client in clients or ():
            client.link = None
            self._take_back(client)
            if self._resumes:
                self._have_resumed(client, ())
            self._pump(client)
            self._settle(client)

    def _take_back(self, client: HeldClient) -> None:
        lost, client.unacknowledged = client.unacknowledged, None
        client.unacknowledged_size = 0
        if not lost:
            return
        client.deaths += 1
        if not self._redeliver or client.deaths >= MAX_DEATHS:
            self.dropped += len(lost)
            self._on_lost(client, lost)
            return
        if client.waiting is None:
            client.waiting = deque()
            client.waits_since = self._clock()
        client.waiting.extendleft(reversed(lost))

    def able(self) -> list[Link]:
        """The links to the workers that take clients."""
        return [link for link in self._clients if link not in self._retiring]

    def worker_for(self, name: str) -> Link | None:
        """A worker for an event without a client: the same for a name while the workers stay."""
        able = self.able()
        return able[zlib.crc32(name.encode()) % len(able)] if able else None

    # Events.

    def offer(self, client: HeldClient, event: Event) -> None:
        """Gives an event to the client's worker, now or when one can take it."""
        if client.waiting is None:
            if self._may_post(client):
                self._post(client, event)
                return
            client.waiting = deque()
            client.waits_since = self._clock()
        client.waiting.append(event)
        self._pump(client)

    def open(self, client: HeldClient) -> None:
        """A client is connected: the worker that has let it in learns it, also if it retires."""
        event = Opened(client.number)
        if self._resumes and client.link is not None and client.waiting is None:
            self._post(client, event)
        else:
            self.offer(client, event)

    def acknowledge(self, link: Link, client: HeldClient, count: int = 1) -> None:
        """A worker has handled the oldest events of a client."""
        has = client.unacknowledged
        if client.link is not link or has is None:
            return  # the client has another worker now
        client.deaths = 0
        if count >= len(has):
            has.clear()
            client.unacknowledged_size = 0
        else:
            for event in has[:count]:
                client.unacknowledged_size -= size_of(event)
            del has[:count]
        if self._retiring and not has and link in self._retiring and not self._resumes:
            self._part(client)
        if client.waiting is not None:
            self._pump(client)
        elif client.is_gone:
            self._settle(client)

    def _settle(self, client: HeldClient) -> None:
        if client.is_gone and not client.unacknowledged and client.waiting is None:
            self.forget(client)

    def forget(self, client: HeldClient) -> None:
        """Forgets a client that has nothing left to handle."""
        if client.link is not None:
            client.link.post(Forget(client.number))
            self._part(client)
        self._stalled.pop(client, None)
        client.waiting = None
        self._on_settled(client)

    def _may_post(self, client: HeldClient) -> bool:
        link = client.link
        if link is None:
            link = self._choose(client)
            if link is None:
                return False
            self._assign(client, link)
        if link.is_clogged or (self._retiring and link in self._retiring):
            return False
        has = client.unacknowledged
        return not has or (len(has) < MAX_EVENTS and client.unacknowledged_size < MAX_SIZE)

    def _choose(self, client: HeldClient) -> Link | None:
        able = self.able()
        if self._router is not None and able:
            by_id = {self._ids[link]: link for link in able}  # of two in a reload the new one
            try:
                chosen = by_id.get(self._router(client.connection, sorted(by_id)))
                able = [] if chosen is None else [chosen]
            except Exception as error:
                text = "router failed for %s, which gets the worker with the fewest clients"
                self._log.exception(error, text, client.connection)
        able = [link for link in able if not link.is_clogged]
        return min(able, key=lambda link: len(self._clients[link]), default=None)

    def _assign(self, client: HeldClient, link: Link) -> None:
        client.link = link
        self._clients[link].add(client)
        link.post(client.introduction(is_for_app=self._resumes))

    def _part(self, client: HeldClient) -> None:
        link = client.link
        if link is not None:
            self._clients[link].discard(client)
            client.link = None
            self._check_retired(link)
        client.unacknowledged = None
        client.unacknowledged_size = 0

    def _post(self, client: HeldClient, event: Event) -> None:
        link = client.link
        assert link is not None
        if client.unacknowledged is None:
            client.unacknowledged = []
        client.unacknowledged.append(event)
        if isinstance(event, (str, bytes)):
            client.unacknowledged_size += len(event)
            link.send(client.number, event)
        else:
            link.post(event)

    # Waiting events.

    def _pump(self, client: HeldClient) -> None:
        waiting = client.waiting
        if waiting is None:
            return
        while waiting and self._may_post(client):
            self._post(client, waiting.popleft())
        if waiting:
            self._hold(client)
            return
        client.waiting = None
        self._stalled.pop(client, None)
        if client.is_paused:
            client.is_paused = False
            client.connection.resume_recv()

    def _hold(self, client: HeldClient) -> None:
        if not client.is_paused and not client.is_gone:
            client.is_paused = True
            client.connection.pause_recv()
        if client.link is None:
            self._stalled[client] = None
            for link in self._clients:
                if link.is_clogged:
                    self._await(link)  # once drained, it takes clients without a worker
        elif client.link.is_clogged:
            self._await(client.link)[client] = None

    def _await(self, link: Link) -> dict[HeldClient, None]:
        clogged = self._clogged.get(link)
        if clogged is None:
            clogged = self._clogged[link] = {}
            link.when_drained(lambda: self._on_drained(link))
        return clogged

    def _on_drained(self, link: Link) -> None:
        for client in self._clogged.pop(link, ()):
            self._pump(client)
        self._settle_stalled()

    def _settle_stalled(self) -> None:
        stalled, self._stalled = self._stalled, {}
        for client in stalled:
            self._pump(client)

    def check_waits(self) -> None:
        """Closes the clients that have waited too long for a worker; called every second."""
        now = self._clock()
        for client in list(self._stalled):
            if now - client.waits_since < self._wait_timeout:
                continue
            del self._stalled[client]
            self.dropped += len(client.waiting or ())
            client.waiting = None
            self._log.log(
                logging.ERROR,
                "clients without a worker",
                "%s: no business worker took its messages for %g s; it is closed with 1013",
                client.connection,
                self._wait_timeout,
            )
            client.connection.close(code=closing.TRY_AGAIN_LATER, reason="no worker is ready")
            self._settle(client)
