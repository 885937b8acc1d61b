"""What every mode of a load test has in common. No sockets, no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from lineman.cli.load.load_counts import LoadCounts
from lineman.cli.load.load_plan import Plan, new_payload
from lineman.cli.load.rate_schedule import Schedule
from lineman.cli.websocket_client.failures import Failure

SECOND = 1_000_000_000


class LoadClient(Protocol):
    """What a mode sees of a `Link`."""

    number: int
    began: int
    pending: deque[int]
    sent: int
    owed: int
    heard: int
    deadline: int

    @property
    def is_alive(self) -> bool:
        """Whether it is open."""
        ...

    @property
    def is_ready(self) -> bool:
        """Whether it is open and nothing waits to be written."""
        ...

    def send(self, message: str | bytes, count: int, now: int) -> None:
        """Sends a message `count` times."""
        ...

    def say_goodbye(self, now: int, timeout: int) -> None:
        """Closes in order."""
        ...


class Starter(Protocol):
    """Starts clients for a mode that makes new ones while it runs."""

    def start_client(self, now: int, due: int) -> None:
        """Begins one more connection, which was due at that time."""
        ...


class Work:
    """The common part of all modes: counting, and the message that they send.

    Args:
        plan: the test.
        tally: the counts.
        starter: starts further clients.

    Attributes:
        message: what they send.
    """

    extra = 0  # connections beside those that the plan asks for

    def __init__(self, plan: Plan, tally: LoadCounts, starter: Starter) -> None:
        self.plan = plan
        self.tally = tally
        self.starter = starter
        self.is_sending = False
        self.schedule: Schedule | None = None
        self.timeout = round(plan.timeout * SECOND)
        self.clients: Sequence[LoadClient] = ()
        payload = new_payload(plan.size)
        self.message = payload.decode("ascii") if plan.is_text else payload

    def begin(self, clients: Sequence[LoadClient], now: int) -> None:
        """Starts the work on these open connections."""
        self.clients = clients
        for place, client in enumerate(clients):
            client.number = place
        self.is_sending = True
        if self.plan.rate is not None:
            self.schedule = Schedule(self.plan.rate, now)

    def end(self) -> None:
        """Begins nothing new; answers that are on their way still count."""
        self.is_sending = False

    def pump(self, now: int) -> None:
        """Begins what has become due."""

    def on_open(self, client: LoadClient, now: int) -> None:
        """A client has opened its connection."""
        self.tally.opened += 1

    def on_message(self, client: LoadClient, message: str | bytes, now: int) -> None:
        """A client has received a message."""
        self.tally.others += 1

    def after_read(self, client: LoadClient, now: int) -> None:
        """A client has received all that came at once, or can write again."""

    def on_close_code(self, code: int) -> None:
        """A close frame has come from the server, or its end without one (1006)."""
        self.tally.close_codes[code] += 1

    def on_end(self, client: LoadClient, now: int) -> None:
        """The server, too, has ended a connection without close frames."""

    def on_silence(self, client: LoadClient, now: int) -> None:
        """Nothing has come in time over a protocol that may lose messages."""

    def on_failure(self, client: LoadClient, failure: Failure) -> None:
        """Something went wrong with a client; it is gone afterwards."""
        self.tally.fail(failure)

    def on_gone(self, client: LoadClient, now: int) -> None:
        """A client's connection is closed."""

    @property
    def unanswered(self) -> int:
        """How many messages have no answer yet."""
        return 0

    @property
    def awaited(self) -> int:
        """How many of them may still get one."""
        return 0

    @property
    def is_over(self) -> bool:
        """Whether nothing more can happen."""
        return not any(client.is_alive for client in self.clients)

    def _counts(self, message: str | bytes) -> bool:
        return self.plan.any_reply or message == self.message

    def _count(self, message: str | bytes, since: int, now: int) -> None:
        tally = self.tally
        tally.count += 1
        tally.payload += self.plan.size if message == self.message else _size(message)
        tally.latency.add(now - since)


def _size(message: str | bytes) -> int:
    return len(message) if isinstance(message, bytes) else len(message.encode())


def wrong_replies() -> Failure:
    """Messages arrive, but none equals a sent message."""
    return Failure(
        "the replies differ from the sent messages",
        "messages arrive, but none of them equals a sent message",
        "if this service answers something else, count any message as the answer: --any-reply",
    )
