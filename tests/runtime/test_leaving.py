"""What a process waits for that has served and does not end."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from lineman.runtime.leaving import held_by


@contextmanager
def held(*, daemon: bool) -> Iterator[int]:
    """A thread that waits for the end of the block; its line here."""
    is_over = threading.Event()

    def work() -> None:
        is_over.wait(60)

    thread = threading.Thread(target=work, name="crunching", daemon=daemon)
    thread.start()
    try:
        yield work.__code__.co_firstlineno + 1
    finally:
        is_over.set()
        thread.join()


def test_a_thread_is_named_with_the_programs_line_and_not_with_pythons_own() -> None:
    with held(daemon=False) as line:
        (told,) = [each for each in held_by() if "crunching" in each]
    assert told.startswith("the thread crunching, at ")
    assert told.endswith(f"{__file__}:{line}") or "threading" not in told


def test_a_daemon_thread_holds_nobody() -> None:
    with held(daemon=True):
        assert not [each for each in held_by() if "crunching" in each]


def test_a_pool_of_processes_is_told_once_with_its_processes() -> None:
    text = """
from concurrent.futures import ProcessPoolExecutor
import os
from lineman.runtime.leaving import held_by
with ProcessPoolExecutor(1) as pool:
    pid = pool.submit(os.getpid).result()
    print(list(held_by()) == [f"a busy ProcessPoolExecutor (processes {pid})"] or list(held_by()))
"""
    command = [sys.executable, "-c", text]
    done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=60)
    assert done.stdout == "True\n"
