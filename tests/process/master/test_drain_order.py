"""The order to drain, as a command sends it and a process gets it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.stories import seat
from lineman.errors import UsageError
from lineman.process.master.children import Children, Program
from lineman.process.master.commands import Commands
from lineman.process.master.drain_order import DrainOrder, words
from lineman.process.master.model import Phase, Process, ProgramState, Stage
from lineman.process.master.reactor import Reactor
from lineman.process.rundir.rundir import PidFile


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({"seconds": 5}, {"seconds": 5.0, "share": 1.0, "refuses": True}),
        ({"seconds": 5, "share": None}, {"seconds": 5.0, "share": 1.0, "refuses": True}),
        ({"seconds": 0.5, "share": 0.25}, {"seconds": 0.5, "share": 0.25, "refuses": False}),
        ({"seconds": 0, "share": 1}, {"seconds": 0.0, "share": 1.0, "refuses": False}),
    ],
)
def test_an_order_is_read(request_: dict[str, Any], told: dict[str, Any]) -> None:
    assert DrainOrder.read(request_, 10.0).arguments(10.0) == told


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"seconds": None},
        {"seconds": True},
        {"seconds": -1},
        {"seconds": "5"},
        {"seconds": 7 * 86400 + 1},
        {"seconds": 5, "share": 0},
        {"seconds": 5, "share": 1.01},
        {"seconds": 5, "share": "25%"},
        {"seconds": 5, "share": [1]},
    ],
)
def test_what_no_command_sends_is_refused(request_: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="; give"):
        DrainOrder.read(request_, 0.0)


def test_a_process_that_starts_later_has_the_rest_of_the_time() -> None:
    order = DrainOrder.read({"seconds": 60}, 100.0)
    assert order.arguments(130.0)["seconds"] == 30.0
    assert order.arguments(500.0)["seconds"] == 0.0
    assert not order.is_over(500.0)  # until it is cancelled
    assert DrainOrder.read({"seconds": 60, "share": 0.5}, 100.0).is_over(160.0)
    assert "new ones are refused" in words(order)


class Staff(Children):
    """Children that only note their orders."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.orders: list[tuple[int, str, dict[str, Any]]] = []

    def order(self, number: int, what: str, **arguments: Any) -> None:
        self.orders.append((number, what, arguments))


class Boss:
    """A program with one process that takes clients, and the orders that it gets."""

    def __init__(self, reactor: Reactor) -> None:
        chat = seat()
        chat.processes.append(Process(7, 0.0, 0.0, Stage.READY))
        self.service = ProgramState([chat], Phase.RUNNING)
        self.staff = Staff(reactor, lambda *event: None, lambda *answer: None)
        self.program = Program(("python", "app.py"), "/srv", "app.py")
        self.whose: dict[str, Any] = {}

    @property
    def orders(self) -> list[tuple[int, str, dict[str, Any]]]:
        return self.staff.orders


class Asked:
    """A command to the master, and the reply."""

    def __init__(self, reactor: Reactor, path: Path) -> None:
        self.boss = Boss(reactor)
        self.pid_file = PidFile.take(path, "chat")
        self.commands = Commands(reactor, self.pid_file, self.boss)  # type: ignore[arg-type]

    def __call__(self, command: str, **arguments: Any) -> dict[str, Any]:
        found: list[dict[str, Any]] = []

        class Caller:
            def reply(self, message: dict[str, Any]) -> None:
                found.append(message)

        self.commands._on_request(Caller(), {"command": command, **arguments})  # type: ignore[arg-type]
        (reply,) = found
        return reply

    @property
    def about(self) -> dict[str, Any]:
        (first, *_) = self.commands._compose({})
        told: dict[str, Any] = json.loads(first)["master"]
        return told


@pytest.fixture
def ask(tmp_path: Path) -> Iterator[Asked]:
    reactor = Reactor(())
    made = Asked(reactor, tmp_path / "app.pid")
    yield made
    made.commands.server.close()
    for claim in made.pid_file.claims:
        claim.close()
    made.pid_file.release()
    reactor.close()


def test_every_process_that_serves_clients_is_told_once_and_again_on_a_second_order(
    ask: Asked,
) -> None:
    assert ask("drain", seconds=60) == {"ok": True, "was_draining": False}
    assert ask("drain", seconds=0) == {"ok": True, "was_draining": True}
    assert [(number, what) for number, what, _ in ask.boss.orders] == [(7, "drain-clients")] * 2
    assert ask.about["state"] == "draining"
    assert ask.about["drain_share"] == 1.0
    ask.boss.service.phase = Phase.STOPPING
    assert ask.about["state"] == "stopping"
    assert ask("drain", seconds=1) == {"ok": False, "text": "the service is stopping"}


def test_a_cancelled_drain_is_over_and_a_second_time_nothing_happens(ask: Asked) -> None:
    ask("drain", seconds=60)
    assert ask("keep") == {"ok": True, "was_draining": True}
    assert ask("keep") == {"ok": True, "was_draining": False}
    assert ask.boss.orders[-1] == (7, "keep-clients", {})
    assert ask.about["state"] == "running"
    assert "drain_share" not in ask.about


def test_a_share_is_no_state_and_ends_by_itself(ask: Asked) -> None:
    assert ask("drain", seconds=60, share=0.5)["ok"]
    assert (ask.about["state"], ask.about["drain_share"]) == ("running", 0.5)
    assert ask("drain", seconds=0, share=0.25)["was_draining"]
    assert "drain_share" not in ask.about  # its time is over


def test_a_share_of_clients_that_are_all_drained_is_refused(ask: Asked) -> None:
    ask("drain", seconds=60)
    assert "already" in ask("drain", seconds=60, share=0.5)["text"]
    assert len(ask.boss.orders) == 1


def test_a_process_that_begins_to_serve_during_a_drain_is_told(ask: Asked) -> None:
    class Child:
        number, key = 9, ask.boss.service.seats[0].key

    greeted: Any = Child()
    ask.commands.greet(greeted)
    ask("drain", seconds=60, share=0.5)
    ask.commands.greet(greeted)
    ask("drain", seconds=60)
    ask.commands.greet(greeted)
    assert [number for number, *_ in ask.boss.orders] == [7, 7, 9]
    greeted.key = ("ws://0.0.0.0:99", 0, 0)  # one that has no clients
    ask.commands.greet(greeted)
    assert len(ask.boss.orders) == 3


def test_a_program_without_clients_is_not_drained(ask: Asked) -> None:
    ask.boss.service.seats[0].takes_clients = False
    assert ask("drain", seconds=1) == {
        "ok": False,
        "text": "no worker of the program takes clients",
    }
