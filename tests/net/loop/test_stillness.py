"""A process that was stopped is told from a callback that blocks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from kit.app import App
from lineman.net.loop.stillness import explain


@pytest.mark.parametrize(
    ("busy", "is_stop", "words"),
    [
        (5.0, False, "the event loop stood still for 5.0 s: a callback blocks; use async def"),
        (0.01, False, "a callback blocks without computing, or the process was frozen; use async"),
        (0.01, True, "the process was stopped for 5.0 s, and goes on"),
    ],
)
def test_the_log_names_what_is_known_of_the_cause(busy: float, is_stop: bool, words: str) -> None:
    assert words in explain(5.0, busy, is_stop)


def test_a_process_that_was_stopped_blames_no_callback() -> None:
    program = (
        "import signal, sys, time\n"
        "from lineman.net.loop import stillness\n"
        "stillness.watch()\n"
        "began = time.monotonic()\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "print(stillness.was_stopped(began), stillness.was_stopped(time.monotonic()), flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        os.kill(child.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WNOWAIT)
        os.kill(child.pid, signal.SIGCONT)
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.readline() == "True False\n"


APP = """
    from lineman import Worker

    worker = Worker("ws://127.0.0.1:0")
    worker.on_message = lambda connection, message: None

    Worker.run_all()
"""


def test_a_worker_that_was_stopped_says_so_in_its_log(make_app: Callable[[str], App]) -> None:
    app = make_app(APP)
    program = app.start()
    (child,) = app.pids
    os.kill(child, signal.SIGSTOP)
    time.sleep(1.6)  # longer than a loop may stand still without a word
    os.kill(child, signal.SIGCONT)
    program.wait_for_line("the process was stopped for ")
    assert "a callback blocks" not in program.output
