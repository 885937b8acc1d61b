"""Commands to a master: each waits for the reload that includes its own new code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.stories import seat
from lineman.base.version import VERSION
from lineman.process.master.children import Children, Program
from lineman.process.master.commands import Commands
from lineman.process.master.description import Place, PlaceAddress
from lineman.process.master.model import Phase, Process, ProgramState, Stage, Stop
from lineman.process.master.reactor import Reactor
from lineman.process.rundir.rundir import PidFile

HERE = PlaceAddress("ws://0.0.0.0:80", "ws", "0.0.0.0", 80)
PLACE = Place("ws://0.0.0.0:80", 0, "chat", (HERE,), 2, 100)


class Boss:
    """A program without processes."""

    def __init__(self, reactor: Reactor) -> None:
        self.service = ProgramState([seat()], Phase.RUNNING)
        self.staff = Children(reactor, lambda *event: None, lambda *answer: None)
        self.program = Program(("python", "app.py"), "/srv", "app.py")
        self.whose: dict[str, Any] = {"user": "chat"}
        self.may_reload = True
        self.reloads = 0
        self.stopped: list[Stop] = []

    def begin_reload(self) -> bool:
        self.reloads += self.may_reload
        return self.may_reload

    def stop(self, event: Stop) -> None:
        self.stopped.append(event)

    def reopen_logs(self) -> None: ...

    def order_all(self, what: str, arguments: Any) -> None: ...


class Caller:
    """A command that waits, and its replies."""

    def __init__(self) -> None:
        self.replies: list[dict[str, Any]] = []

    def reply(self, message: dict[str, Any]) -> None:
        self.replies.append(message)


class Desk:
    """Commands and the boss that they speak to."""

    def __init__(self, reactor: Reactor, path: Path) -> None:
        self.boss = Boss(reactor)
        self.pid_file = PidFile.take(path, "chat")
        self.commands = Commands(reactor, self.pid_file, self.boss)

    def reload(self, *, waits: bool = False) -> Caller:
        caller: Any = Caller()
        self.commands.want_reload(caller, waits)
        return caller

    def close(self) -> None:
        self.commands.server.close()
        for claim in self.pid_file.claims:
            claim.close()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    reactor = Reactor(())
    made = Desk(reactor, tmp_path / "app.pid")
    yield made
    made.close()
    reactor.close()


def test_who_asks_during_a_reload_waits_for_the_next_one_which_reads_the_newer_code(
    desk: Desk,
) -> None:
    first = desk.reload()
    desk.boss.may_reload = False
    late, later = desk.reload(), desk.reload()
    desk.commands.reload_is_over(True, "reloaded")
    assert first.replies == [{"ok": True, "text": "reloaded"}]
    assert late.replies == later.replies == []
    desk.boss.may_reload = True
    desk.commands.expire(0.0)
    assert desk.boss.reloads == 2
    desk.commands.reload_is_over(False, "no port")
    assert late.replies == later.replies == [{"ok": False, "text": "no port"}]
    desk.commands.expire(1.0)
    assert desk.boss.reloads == 2


def test_who_waits_for_the_old_processes_is_told_when_they_are_gone(desk: Desk) -> None:
    waits = desk.reload(waits=True)
    old = Process(1, 0.0, 0.0, Stage.RETIRING, deadline=50.0)
    desk.boss.service.seats[0].processes.append(old)
    desk.commands.reload_is_over(True, "reloaded")
    desk.commands.expire(1.0)
    assert waits.replies == []
    assert desk.commands.next_deadline() is not None
    desk.boss.service.seats[0].processes.clear()
    desk.commands.expire(2.0)
    assert waits.replies == [{"ok": True, "text": "reloaded"}]
    assert desk.commands.next_deadline() is None


def test_a_service_that_stops_begins_no_reload_and_answers_all_who_wait(desk: Desk) -> None:
    first = desk.reload()
    desk.boss.may_reload = False
    second = desk.reload()
    desk.boss.service.phase = Phase.STOPPING
    assert desk.reload().replies == [{"ok": False, "text": "the service is stopping"}]
    desk.commands.close()
    assert first.replies == second.replies
    assert first.replies == [{"ok": False, "text": "the service was stopped meanwhile"}]


def test_the_master_reports_the_version_that_it_runs(desk: Desk) -> None:
    (about, *_) = desk.commands._compose({})
    assert json.loads(about)["master"]["version"] == VERSION


def test_a_split_room_is_told_once_for_a_worker_and_not_for_a_single_process(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    for place in (PLACE, PLACE):
        desk.commands.tell_split(place)
    assert caplog.text.count("chat runs in 2 processes") == 1
    caplog.clear()
    alone = Place("ws://0.0.0.0:81", 0, "jobs", (HERE,), 1, 100)
    desk.commands.tell_split(alone)
    assert caplog.text == ""
