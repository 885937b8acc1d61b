"""The kernel's figures about this process, compared with figures from another source."""

from __future__ import annotations

import os
import resource
import time

from lineman.process.child import usage

MIB = 1024 * 1024


def test_memory_that_is_taken_is_counted() -> None:
    before = usage.rss()
    taken = bytearray(64 * MIB)
    taken[:: usage.PAGE] = b"x" * len(taken[:: usage.PAGE])
    assert 60 * MIB < usage.rss() - before < 80 * MIB


def test_a_fair_share_is_no_more_than_all_memory_in_use() -> None:
    share = usage.pss()
    assert share is not None
    assert 0 < share <= usage.rss() + 8 * MIB


def test_a_process_that_works_spends_cpu_time() -> None:
    before = usage.cpu_seconds()
    while usage.cpu_seconds() - before < 0.02:
        sum(range(1000))
    assert usage.cpu_seconds() - before < 10


def test_an_open_file_is_one_more_descriptor_of_those_that_may_be() -> None:
    used, most = usage.descriptors()
    end = os.open(os.devnull, os.O_RDONLY)
    try:
        assert usage.descriptors() == (used + 1, most)
    finally:
        os.close(end)
    assert most == resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_a_process_was_started_before_now_and_after_the_machine() -> None:
    booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    assert booted - 1 <= usage.started() <= time.time() + 1
