"""The measurements and their ratios, pure."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

# Servers within this ratio count as equal: the machine itself causes larger differences.
TIE = 0.10


@dataclass(frozen=True, slots=True)
class Sample:
    """One server at one work, once.

    Attributes:
        cost: microseconds of the server's CPU for each message or connection, or KiB of its memory
            for each connection.
        per_second: messages or connections per second; 0 for memory.
        p50_us: median latency in microseconds; 0 for memory.
        p99_us: the 99th percentile of the latency in microseconds; 0 for memory.
    """

    cost: float
    per_second: float = 0.0
    p50_us: float = 0.0
    p99_us: float = 0.0


@dataclass(slots=True)
class Samples:
    """Everything that was measured.

    Attributes:
        base: the server to which the ratios are taken.
        rounds: for each round, the sample of each row and server.
        failures: what went wrong, in words, by row and server.
    """

    base: str
    rounds: list[dict[tuple[str, str], Sample]] = field(default_factory=list)
    failures: dict[tuple[str, str], str] = field(default_factory=dict)

    def all_of(self, row: str, server: str) -> list[Sample]:
        """The samples of one server at one work, round by round."""
        return [found[row, server] for found in self.rounds if (row, server) in found]

    def ratio(self, row: str, server: str, base: str | None = None) -> float | None:
        """The cost against the base's in the same round: the median of all rounds.

        Args:
            row: the work.
            server: whose cost.
            base: the server to compare with; None for the usual one.

        Returns:
            None where one of the two is missing in every round.
        """
        base = base or self.base
        ratios = [
            found[row, server].cost / found[row, base].cost
            for found in self.rounds
            if (row, server) in found and (row, base) in found
            if found[row, base].cost > 0
        ]
        return statistics.median(ratios) if ratios else None

    def cost(self, row: str, server: str) -> float | None:
        """The median cost; None where there is no sample."""
        found = [sample.cost for sample in self.all_of(row, server)]
        return statistics.median(found) if found else None

    def latency(self, row: str, server: str) -> tuple[float, float] | None:
        """The median of p50 and p99, in microseconds; None where there is no sample."""
        found = self.all_of(row, server)
        if not found:
            return None
        return (
            statistics.median(sample.p50_us for sample in found),
            statistics.median(sample.p99_us for sample in found),
        )

    def winners(self, row: str, server: str, others: list[str]) -> list[tuple[str, float]]:
        """The servers that do this work clearly cheaper than `server`, cheapest first.

        Args:
            row: the work.
            server: the server that the others are compared with.
            others: the other servers.

        Returns:
            Their names, and how much of its cost they need: 0.8 for four fifths.
        """
        found = []
        for other in others:
            shares = [
                one[row, other].cost / one[row, server].cost
                for one in self.rounds
                if (row, other) in one and (row, server) in one and one[row, server].cost > 0
            ]
            if shares and statistics.median(shares) < 1 - TIE:
                found.append((other, statistics.median(shares)))
        return sorted(found, key=lambda pair: pair[1])
