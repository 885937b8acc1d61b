"""Which process of a seat owns the time: the one with the lock, and after it the next one."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from kit.waiting import until
from lineman.scheduling.seat_duty import RECORD, SeatDuty, key_of, open_sheet

KEY = key_of("worker", "job", 0)

# Another process of the seat: it does what it reads, and prints what came of it.
OTHER = f"""
import asyncio, sys
from lineman.scheduling.seat_duty import SeatDuty
KEY = {KEY!r}

async def main():
    duty = SeatDuty(int(sys.argv[1]))
    duty.when_on(lambda: print("on", flush=True))
    duty.ask()
    while line := await asyncio.to_thread(sys.stdin.readline):
        print(eval(line), flush=True)

asyncio.run(main())
"""


class Other:
    """Another process that has the same sheet."""

    def __init__(self, sheet: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", OTHER, str(sheet)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=[sheet],
        )

    def read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def say(self, words: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{words}\n")
        self.process.stdin.flush()
        return self.read()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def sheet() -> Iterator[int]:
    descriptor = os.memfd_create("time sheet")
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def other(sheet: int) -> Iterator[Other]:
    """Another process, which owns the time."""
    other = Other(sheet)
    assert other.read() == "on"
    yield other
    other.kill()


class Member:
    def __init__(self) -> None:
        self.is_retired = False

    def retire(self) -> None:
        self.is_retired = True


def run(sheet: int, act: Callable[[SeatDuty, list[str]], object]) -> SeatDuty:
    """Waits for the time in this process, and then does something that lets it come."""

    async def main() -> SeatDuty:
        duty, told = SeatDuty(sheet), list[str]()
        duty.when_on(lambda: told.append("on"))
        duty.ask()
        await asyncio.sleep(0.1)
        assert told == []
        act(duty, told)
        await until(lambda: told)
        duty.leave()
        return duty

    return asyncio.run(main())


def test_the_next_process_waits_until_the_one_before_leaves(sheet: int, other: Other) -> None:
    run(sheet, lambda duty, told: other.say("duty.leave()"))


def test_a_process_that_dies_leaves_the_time_too(sheet: int, other: Other) -> None:
    run(sheet, lambda duty, told: other.kill())


def test_the_due_times_of_the_one_before_are_read(sheet: int, other: Other) -> None:
    other.say("duty.note(KEY, 4711.5)")
    other.say("duty.note(b'2' * 16, 1.0)")
    other.say("duty.note(KEY, 4712.5)")
    duty = run(sheet, lambda duty, told: other.say("duty.leave()"))
    assert duty.inherited == {KEY: 4712.5, b"2" * 16: 1.0}
    assert os.fstat(sheet).st_size == 0


@pytest.mark.parametrize("garbage", [b"x", b"\xff" * 1000, os.urandom(4096), b"\0" * 23])
def test_garbage_in_the_sheet_harms_nobody(sheet: int, garbage: bytes) -> None:
    os.pwrite(sheet, garbage, 0)

    async def main() -> SeatDuty:
        duty, told = SeatDuty(sheet), list[str]()
        duty.when_on(lambda: told.append("on"))
        duty.ask()
        await until(lambda: told)
        duty.note(KEY, 2.5)
        duty.leave()
        return duty

    duty = asyncio.run(main())
    assert len(duty.inherited) <= len(garbage) // RECORD.size
    assert os.pread(sheet, 100, 0) == RECORD.pack(KEY, 2.5)


def test_who_has_left_writes_nothing_more_and_does_not_come_back(sheet: int) -> None:
    async def main() -> None:
        duty, told = SeatDuty(sheet), list[str]()
        duty.ask()
        member = Member()
        duty.members.append(member)
        duty.leave()
        duty.leave()
        assert member.is_retired
        duty.when_on(lambda: told.append("on"))
        await asyncio.sleep(0.1)
        duty.note(KEY, 1.0)
        assert told == []

    asyncio.run(main())
    assert os.fstat(sheet).st_size == 0
    other = Other(sheet)
    assert other.read() == "on"
    other.kill()


def test_a_run_that_goes_on_is_known_to_the_next_process(sheet: int, other: Other) -> None:
    other.say("duty.hold(KEY)")
    other.say("duty.leave()")
    duty = SeatDuty(sheet)
    assert duty.is_held(KEY)
    assert not duty.is_held(key_of("worker", "job", 1))
    other.say("duty.let_go(KEY)")
    assert not duty.is_held(KEY)
    other.say("duty.hold(KEY)")
    other.kill()
    assert not duty.is_held(KEY)


def test_a_forked_child_has_neither_the_time_nor_the_sheet(sheet: int) -> None:
    duty = SeatDuty(sheet)
    duty.hold(KEY)
    pid = os.fork()
    if not pid:
        os._exit(os.fstat(sheet).st_size + len(os.read(sheet, 1)))
    assert os.waitpid(pid, 0)[1] == 0
    other = Other(sheet)
    assert other.read() == "on"
    assert other.say("duty.is_held(KEY)") == "True"
    other.kill()


def test_keys_are_the_same_in_every_process_and_differ() -> None:
    assert key_of("a", "b", 0) == key_of("a", "b", 0)
    assert len({key_of("a", "b", 0), key_of("a", "b", 1), key_of("ab", "", 0)}) == 3


def test_without_a_master_there_is_no_sheet() -> None:
    from lineman.scheduling import seat_duty

    open_sheet(-1)
    assert seat_duty.of_process is None


def test_only_the_newest_process_that_listens_may_shut_the_socket_down(
    sheet: int, other: Other
) -> None:
    duty = SeatDuty(sheet)
    assert not duty.has_successor()
    duty.note_listening()
    assert not duty.has_successor()
    other.say("duty.note_listening()")
    assert duty.has_successor()
    assert other.say("duty.has_successor()") == "False"
    duty.note_listening()  # a second worker of the process makes it no newer
    assert duty.has_successor()
    other.kill()
    assert not duty.has_successor()


def test_nobody_begins_to_listen_while_another_ends(sheet: int, other: Other) -> None:
    duty = SeatDuty(sheet)
    with duty.socket_held():
        assert other.say("duty._lock(1 << 40)") == "False"
    assert other.say("duty._lock(1 << 40)") == "True"
