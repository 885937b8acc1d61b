"""Lines for a descriptor that is not read: they are dropped and counted, and nothing waits."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest

from lineman.process.log import outlet
from lineman.process.log.outlet import LIMIT, Outlet, PrivatePipe

LINE = b"x" * 999 + b"\n"


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def read_all(end: int, size: int) -> bytes:
    """So many bytes."""
    data = b""
    while len(data) < size:
        data += os.read(end, size - len(data))
    return data


def test_lines_come_out_whole_and_in_order(pipe: tuple[int, int]) -> None:
    out = Outlet(pipe[1])
    lines = [b"line %d\n" % number for number in range(100)]
    for line in lines:
        out.write(line)
    assert read_all(pipe[0], sum(map(len, lines))) == b"".join(lines)
    out.flush()


def test_who_writes_never_waits_and_what_is_dropped_is_counted(pipe: tuple[int, int]) -> None:
    out = Outlet(pipe[1])
    count = 3 * LIMIT // len(LINE)
    for _ in range(count):
        out.write(LINE)  # the pipe takes 64 KiB of them
    data, kept, missing = b"", 0, 0
    while kept + missing < count:
        data += os.read(pipe[0], 65536)
        kept = data.count(LINE)
        told = re.findall(rb"lineman: ([\d,]+) lines are missing here: nobody has read them", data)
        missing = sum(int(each.replace(b",", b"")) for each in told)
    assert kept + missing == count
    assert kept >= LIMIT // len(LINE) - 1
    assert missing > 0


@pytest.mark.parametrize("tries", [1, 3])
def test_a_disk_that_is_full_is_told_where_it_has_room_again(tries: int) -> None:
    full, (reader, writer) = os.open("/dev/full", os.O_WRONLY), os.pipe()
    try:
        out = Outlet(full)
        for _ in range(tries):
            out.write(b"one\ntwo\n")
            out.flush()
        os.dup2(writer, full)
        out.write(b"three\n")
        out.flush()
        said = b"lineman: %d lines are missing here: no space left on device\nthree\n" % (2 * tries)
        assert read_all(reader, len(said)) == said
    finally:
        for end in (full, reader, writer):
            os.close(end)


def test_a_master_that_was_stopped_costs_lines_and_no_time(pipe: tuple[int, int]) -> None:
    out = PrivatePipe(pipe[1])
    for _ in range(200):
        out.write(LINE)
    kept = os.read(pipe[0], 1 << 20).count(LINE)
    assert 0 < kept < 200
    out.write(b"last\n")
    said = b"lineman: %d lines are missing here: %s\nlast\n" % (200 - kept, outlet.SLOW.encode())
    assert read_all(pipe[0], len(said)) == said
