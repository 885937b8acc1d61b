"""Simulated services and their events, for the tests of the master's decisions."""

from __future__ import annotations

from lineman.process.master.model import (
    Action,
    Event,
    Phase,
    ProgramState,
    Ready,
    Reload,
    Say,
    Seat,
    Stage,
)
from lineman.process.master.plan import decide
from lineman.process.messages.process_rules import Rules

RULES = Rules(drain_seconds=10, stop_timeout=5, start_timeout=60, watchdog_timeout=30)
ADDRESS = "ws://0.0.0.0:80"


def seat(slot: int = 0, *, address: str = ADDRESS, reloadable: bool = True) -> Seat:
    return Seat((address, 0, slot), f"chat #{slot}", RULES, is_reloadable=reloadable)


class Story:
    """A service that receives events, at times in seconds."""

    def __init__(self, *seats: Seat) -> None:
        self.service = ProgramState(list(seats))

    def at(self, now: float, *events: Event) -> list[Action]:
        """The actions at that time, without log messages."""
        before = self.service.copy()
        service, actions = decide(self.service, events, now)
        assert self.service == before, "decide() is pure"
        self.service = service
        self.said = [action.text for action in actions if isinstance(action, Say)]
        self.levels = [action.level for action in actions if isinstance(action, Say)]
        return [action for action in actions if not isinstance(action, Say)]

    def running(self, count: int = 1) -> Story:
        """The same with all processes ready; their numbers are 1 to `count`."""
        self.at(0)
        self.at(1, *(Ready(number) for number in range(1, count + 1)))
        assert self.service.phase is Phase.RUNNING
        return self

    def stages(self) -> dict[int, Stage]:
        return {
            process.number: process.stage
            for each in self.service.seats
            for process in each.processes
        }


def running(count: int = 1) -> Story:
    return Story(*(seat(slot) for slot in range(count))).running(count)


def seats(count: int) -> Reload:
    return Reload(tuple(seat(slot) for slot in range(count)))
