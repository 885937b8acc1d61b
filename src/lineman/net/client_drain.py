"""Asks the clients of a service to connect again, one after the other, evenly over a time.

The service goes on: it may have the new clients refused meanwhile, or take them.
"""

from __future__ import annotations

import asyncio
import math
import random

from lineman.errors import HttpError
from lineman.net.connection.admission import RETRY_AFTER
from lineman.net.service import Service
from lineman.protocols.websocket.close import SERVICE_RESTART

STEP = 0.05
# The longest time in seconds that counts between two steps; more is a standstill.
LONGEST = 1.0
# Seconds between looks for clients that were in their handshake when the drain began.
LOOK = 0.5
REASON = "please connect again"
REFUSAL = HttpError(
    503,
    "This node is draining; connect again, and another one answers.",
    (("Retry-After", str(RETRY_AFTER)),),
)


class Pace:
    """How many clients have been asked by now. Pure.

    After a standstill it goes on as before and ends later: if all those that are late were asked
    together, they would come to the other nodes together.

    Args:
        count: all that are to be asked; the first one at once.
        seconds: the time over which they are asked.
        now: the time, on a clock that only goes forward.
    """

    def __init__(self, count: int, seconds: float, now: float) -> None:
        self._count = count
        self._rate = count / seconds if seconds > 0 else 0.0
        self._allowed = 1.0 if seconds > 0 else float(count)
        self._looked_at = now

    def reached(self, now: float) -> int:
        """How many it are; to be called every `STEP`."""
        self._allowed += self._rate * min(now - self._looked_at, LONGEST)
        self._looked_at = now
        return min(self._count, math.floor(self._allowed))


class ClientDrain:
    """One drain of a service.

    Args:
        service: it runs.
        seconds: the time over which its clients are asked.
        share: the share of the present clients that is asked, more than 0 and at most 1; they are
            chosen by chance.
        refuses: whether new clients get 503 from now on, until `end`; then clients that open a
            connection all the same are asked too.

    Attributes:
        total: how many clients are asked.
        asked: how many were asked so far, those included that had gone by themselves.
    """

    def __init__(self, service: Service, seconds: float, share: float, *, refuses: bool) -> None:
        self._service = service
        self._seconds = seconds
        self._refuses = refuses
        numbers = list(service.connections)
        random.shuffle(numbers)
        self._numbers = numbers[: math.ceil(len(numbers) * share)]
        self.total = len(self._numbers)
        self.asked = 0
        if refuses:
            service.turn_away(REFUSAL)

    async def run(self) -> None:
        """Asks them; returns when all were asked, or with `refuses` at the service's end."""
        service = self._service
        pace = Pace(self.total, self._seconds, service.loop.time())
        while not self._is_over():
            reached = pace.reached(service.loop.time())
            for number in self._numbers[self.asked : reached]:
                connection = service.connections.get(number)
                if connection is not None:
                    connection.say_goodbye(SERVICE_RESTART, REASON)
            self.asked = reached
            if reached == self.total:
                break
            await asyncio.sleep(STEP)
        while self._refuses and not self._is_over():
            for connection in service.open_connections.values():
                connection.say_goodbye(SERVICE_RESTART, REASON)
            await asyncio.sleep(LOOK)

    def _is_over(self) -> bool:
        return self._service.is_stopping or self._service.is_draining

    def end(self) -> None:
        """Takes new clients again."""
        if self._refuses:
            self._service.turn_away(None)
