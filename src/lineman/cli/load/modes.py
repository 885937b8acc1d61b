"""What the clients do: one class for each mode of `lineman bench`. No sockets, no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from lineman.cli.load.load_counts import LoadCounts
from lineman.cli.load.load_plan import Mode, Plan
from lineman.cli.load.work import LoadClient, Starter, Work
from lineman.cli.websocket_client.failures import Failure


class Echo(Work):
    """Each client sends, and waits for an answer to each message."""

    def begin(self, clients: Sequence[LoadClient], now: int) -> None:
        """Fills every connection up to the depth, unless a rate says when."""
        super().begin(clients, now)
        for client in clients:
            self.after_read(client, now)

    def pump(self, now: int) -> None:
        """Distributes the due messages over the connections in turn."""
        if self.schedule is None or not self.is_sending:
            return
        due, count = self.schedule.due(now), len(self.clients)
        for number in due[:count]:
            client = self.clients[number % count]
            # Counted at once, since a high rate makes many messages due.
            client.owed += len(range(number, due.stop, count))
            self.after_read(client, now)

    def on_message(self, client: LoadClient, message: str | bytes, now: int) -> None:
        """Counts a message as the answer to the oldest unanswered one."""
        if client.pending and self._counts(message):
            self._count(message, client.pending.popleft(), now)
        else:
            self.tally.others += 1

    def after_read(self, client: LoadClient, now: int) -> None:
        """Sends as many as the depth, and the rate, leave room for."""
        pending = client.pending
        if not client.is_ready:
            return
        if self.is_sending:
            room = self.plan.depth - len(pending)
            if self.schedule is not None:
                room = min(room, client.owed)
            elif self.plan.batch and pending:
                room = 0
            if room > 0:
                self._send(client, room, now)
        # The time counts from the last sign of life, not from when the message was due, which is
        # long ago if the rate is too high.
        client.deadline = now + self.timeout if pending else 0

    def on_silence(self, client: LoadClient, now: int) -> None:
        """Counts what was not answered as lost, and goes on."""
        self.tally.lost += len(client.pending)
        client.pending.clear()
        self.after_read(client, now)

    def _send(self, client: LoadClient, count: int, now: int) -> None:
        if self.schedule is None:
            client.pending.extend([now] * count)
        else:
            client.owed -= count
            for number in range(client.sent, client.sent + count):
                turn = client.number + number * len(self.clients)
                client.pending.append(self.schedule.intended(turn))
        client.sent += count
        client.send(self.message, count, now)

    @property
    def unanswered(self) -> int:
        """The messages that were sent and not answered, or were due and not sent."""
        waiting = sum(len(client.pending) + client.owed for client in self.clients)
        return self.tally.lost + waiting

    @property
    def awaited(self) -> int:
        """The unanswered messages on connections that are still open."""
        return sum(len(client.pending) for client in self.clients if client.is_alive)


class Idle(Work):
    """Clients only hold their connections, and answer pings."""


class Connect(Work):
    """Clients connect, close, and begin anew.

    A websocket counts when it is open; a connection of another protocol, which the kernel opens
    alone, when the server has ended it after its client.
    """

    GIVE_UP = 100

    def __init__(self, plan: Plan, tally: LoadCounts, starter: Starter) -> None:
        super().__init__(plan, tally, starter)
        self._running = 0
        self._failed_in_turn = 0
        self._due = range(0)  # numbers of those that are due and could not be started yet

    def begin(self, clients: Sequence[LoadClient], now: int) -> None:
        """Starts as many as may run at a time, unless a rate says when."""
        super().begin(clients, now)
        self._running = len(clients)
        if self.schedule is None:
            for _ in range(self.plan.connections - len(clients)):
                self._start(now, now)
        for client in clients:
            client.say_goodbye(now, self.timeout)

    def _start(self, now: int, due: int) -> None:
        self._running += 1
        self.starter.start_client(now, due)

    def pump(self, now: int) -> None:
        """Starts those that are due, as far as earlier ones have ended."""
        if self.schedule is None or not self.is_sending:
            return
        self._due = range(self._due.start, self.schedule.due(now).stop)
        room = max(0, self.plan.connections - self._running)
        starting, self._due = self._due[:room], self._due[room:]
        for number in starting:
            self._start(now, self.schedule.intended(number))

    def on_open(self, client: LoadClient, now: int) -> None:
        """Counts it and closes the connection."""
        super().on_open(client, now)
        if self._running:  # not the one before all others
            if self.plan.protocol == "ws":
                self._count_one(client, now)
            client.say_goodbye(now, self.timeout)

    def on_end(self, client: LoadClient, now: int) -> None:
        """Counts it: the server has served it."""
        self._count_one(client, now)

    def _count_one(self, client: LoadClient, now: int) -> None:
        self._failed_in_turn = 0
        self.tally.count += 1
        self.tally.latency.add(now - client.began)

    def on_gone(self, client: LoadClient, now: int) -> None:
        """Starts the next in its place."""
        if self._running:
            self._running -= 1
            if self.is_sending and self.schedule is None:
                self._start(now, now)

    def on_failure(self, client: LoadClient, failure: Failure) -> None:
        """Counts those that fail without one that succeeds between them."""
        super().on_failure(client, failure)
        self._failed_in_turn += 1

    @property
    def unanswered(self) -> int:
        """Those that were due and could not be started."""
        return len(self._due)

    @property
    def awaited(self) -> int:
        """Those that are under way."""
        return self._running

    @property
    def is_over(self) -> bool:
        """Whether so many have failed, one after the other, that the service must be gone."""
        return self._failed_in_turn >= self.GIVE_UP


class Broadcast(Work):
    """One more client sends; the service gives a copy of each message to all the others."""

    extra = 1

    def __init__(self, plan: Plan, tally: LoadCounts, starter: Starter) -> None:
        super().__init__(plan, tally, starter)
        self._first = 0  # the number of the oldest message with copies on their way
        self._times: deque[int] = deque()  # when each of them was due
        self._missing: deque[int] = deque()  # how many copies of it are still to come
        self._listeners: set[int] = set()

    @property
    def _sender(self) -> LoadClient:
        return self.clients[0]

    def begin(self, clients: Sequence[LoadClient], now: int) -> None:
        """Makes the first client the sender and the others listeners."""
        self._listeners = {client.number for client in clients if client is not clients[0]}
        super().begin(clients, now)
        self.pump(now)

    def pump(self, now: int) -> None:
        """Sends as many as the depth, and the rate, leave room for."""
        if not self.is_sending or not self._listeners:
            return
        sender = self._sender
        if self.schedule is not None:
            sender.owed += len(self.schedule.due(now))
        room = self.plan.depth - len(self._times)
        if self.schedule is not None:
            room = min(room, sender.owed)
        if room > 0 and sender.is_ready:
            sender.deadline = now + self.timeout
            for number in range(sender.sent, sender.sent + room):
                due = now if self.schedule is None else self.schedule.intended(number)
                self._times.append(due)
                self._missing.append(len(self._listeners))
            sender.owed -= room if self.schedule is not None else 0
            sender.sent += room
            sender.send(self.message, room, now)

    def after_read(self, client: LoadClient, now: int) -> None:
        """Lets the sender go on when it can write again."""
        if self.clients and client is self._sender:
            self.pump(now)

    def on_message(self, client: LoadClient, message: str | bytes, now: int) -> None:
        """Counts a message as the copy of the oldest one that this client has not received."""
        place = client.heard - self._first
        if (
            client.number not in self._listeners
            or place >= len(self._times)
            or not self._counts(message)
        ):
            if not self.clients or client is not self._sender:
                self.tally.others += 1
            return
        self._count(message, self._times[place], now)
        client.heard += 1
        self._missing[place] -= 1
        self._finish(now)

    def on_gone(self, client: LoadClient, now: int) -> None:
        """Stops waiting for the copies of a lost listener."""
        if client.number in self._listeners:
            self._listeners.remove(client.number)
            for place in range(max(0, client.heard - self._first), len(self._missing)):
                self._missing[place] -= 1
            self._finish(now)

    def _finish(self, now: int) -> None:
        while self._missing and not self._missing[0]:
            self._missing.popleft()
            self._times.popleft()
            self._first += 1
        if self._sender.is_ready:
            self._sender.deadline = now + self.timeout if self._times else 0
        if len(self._times) < self.plan.depth:
            self.pump(now)

    @property
    def is_over(self) -> bool:
        """Whether no sender or no listener is left."""
        return not self.clients or not self._sender.is_alive or not self._listeners

    @property
    def unanswered(self) -> int:
        """Copies that have not come."""
        owed = self._sender.owed if self.clients else 0
        return sum(self._missing) + owed * len(self._listeners)

    @property
    def awaited(self) -> int:
        """Copies of what was sent."""
        return sum(self._missing)


WORKS: dict[Mode, type[Work]] = {
    Mode.ECHO: Echo,
    Mode.IDLE: Idle,
    Mode.CONNECT: Connect,
    Mode.BROADCAST: Broadcast,
}
