"""What is counted during a load test, and its result: values, no sockets."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from lineman.cli.load.histogram import Histogram
from lineman.cli.load.load_plan import Mode, Plan
from lineman.cli.websocket_client.failures import Failure


class LoadCounts:
    """Counts while the test runs.

    Attributes:
        count: answers, copies of a broadcast, or connections, by the mode.
        payload: their bytes of payload.
        latency: nanoseconds each took.
        others: messages that are no answer, such as a greeting or news of other clients.
        opened: connections that have opened.
        lost: datagrams that nothing answered in time.
        failures: how often each kind of failure was seen.
        examples: the first failure of each kind, in full.
        close_codes: how often each close code came; 1006 for an end without one.
    """

    def __init__(self) -> None:
        self.count = 0
        self._is_warm = False
        self.payload = 0
        self.latency = Histogram()
        self.others = 0
        self.opened = 0
        self.lost = 0
        self.failures: Counter[str] = Counter()
        self.examples: dict[str, Failure] = {}
        self.close_codes: Counter[int] = Counter()

    def fail(self, failure: Failure) -> None:
        """Counts a failure."""
        self.failures[failure.kind] += 1
        self.examples.setdefault(failure.kind, failure)

    @property
    def has_counted(self) -> bool:
        """Whether anything was counted since the test began."""
        return self._is_warm or self.count > 0

    def start_again(self) -> None:
        """Forgets the measurements of the warm-up, but not its failures."""
        self._is_warm = self.has_counted
        self.count = 0
        self.payload = 0
        self.latency = Histogram()


@dataclass(frozen=True, slots=True)
class ServerCpu:
    """What the server used while it was measured.

    Attributes:
        seconds: CPU time, user and system, of all its processes.
        user_share: 0 to 1, how much of it was spent outside of the kernel; None if not known.
    """

    seconds: float
    user_share: float | None


@dataclass(frozen=True, slots=True)
class Result:
    """What a load test found.

    Attributes:
        plan: what was done.
        seconds: how long it was measured.
        count, payload, latency, others, failures, examples, close_codes: see `LoadCounts`.
        opened: connections that have opened.
        opening_seconds: how long that took.
        unanswered: messages that had no answer at the end.
        tls: version and cipher, None without TLS.
        subprotocol: what the server chose.
        server: its CPU time, None where it was not asked for.
        is_interrupted: it was ended early, by the user or because nothing went on.
    """

    plan: Plan
    seconds: float
    count: int
    payload: int
    latency: Histogram
    opened: int
    opening_seconds: float
    unanswered: int = 0
    others: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    examples: dict[str, Failure] = field(default_factory=dict)
    close_codes: dict[int, int] = field(default_factory=dict)
    tls: str | None = None
    subprotocol: str | None = None
    server: ServerCpu | None = None
    is_interrupted: bool = False

    @property
    def is_good(self) -> bool:
        """Whether nothing failed, nothing was left unanswered, and something was done at all."""
        is_idle = self.plan.mode is Mode.IDLE
        is_done = self.opened > 0 if is_idle else self.latency.count > 0
        return is_done and not self.failures and not self.unanswered

    @property
    def per_second(self) -> float:
        """`count` per second."""
        return self.count / self.seconds if self.seconds > 0 else 0.0

    @property
    def cpu_per_count(self) -> float | None:
        """Seconds of the server's CPU for each of `count`; None where it was not measured."""
        return self.server.seconds / self.count if self.server and self.count else None
