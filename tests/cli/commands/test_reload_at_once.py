"""Reloads, starts and stops at the same time: each command is answered."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from kit.app import App, echo
from kit.waiting import DEADLINE, wait_until
from lineman.process.master.control_socket import MAX_CLIENTS
from lineman.process.messages.lines import encode
from lineman.process.rundir.control_request import ask
from lineman.process.rundir.rundir import control_path, default_pid_file, name_of

MakeApp = Callable[[str], App]


def begin(app: App, *words: str) -> subprocess.Popen[str]:
    """Gives a command and does not wait for its end."""
    command = [sys.executable, "-m", "lineman", *words, str(app.script)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def said(commands: list[subprocess.Popen[str]]) -> list[tuple[int, str]]:
    """The output of each at its end; fails if one does not end."""
    found = []
    for each in commands:
        try:
            text, _ = each.communicate(timeout=DEADLINE)
        except subprocess.TimeoutExpired:
            each.kill()
            text = f"no answer: {each.communicate()[0]}"
        found.append((each.returncode, text))
    return found


def pid_file(app: App) -> Path:
    return default_pid_file(name_of(str(app.script)))


def count(app: App, words: str) -> int:
    return app.output.count(words)


def test_a_signal_right_behind_the_command_takes_no_answer_away(make_app: MakeApp) -> None:
    app = make_app(echo(count=2))
    program = app.start()
    for turn in range(1, 4):
        command = begin(app, "reload")
        # A reload must not be lost between the description and its plan.
        wait_until(
            lambda turn=turn: count(app, "reloading: reading the program again") >= 2 * turn - 1,  # type: ignore[misc]
            "the reload begins",
        )
        for _ in range(3):
            program.process.send_signal(signal.SIGHUP)
        ((status, text),) = said([command])
        assert status == 0, text
        assert "2 processes run the new code" in text
        wait_until(lambda turn=turn: count(app, "reloaded: ") >= 2 * turn, "the other ends too")  # type: ignore[misc]
    assert app.status()["master"]["state"] == "running"


def test_many_deploy_hooks_at_once_are_all_answered(make_app: MakeApp) -> None:
    app = make_app(echo())
    app.start()
    answers = said([begin(app, "reload", *(["-g"] if number % 2 else [])) for number in range(6)])
    assert [status for status, _ in answers] == [0] * 6, answers
    assert all("1 process runs the new code" in text for _, text in answers)
    # Those that came while one was under way share the next one.
    assert count(app, "reloaded: ") <= 6


def test_a_failing_reload_and_the_one_behind_it_are_both_answered(make_app: MakeApp) -> None:
    app = make_app(echo())
    app.start()
    app.write("import time; time.sleep(0.3); raise SystemExit('broken')")
    answers = said([begin(app, "reload") for _ in range(3)])
    assert [status for status, _ in answers] == [1, 1, 1]
    assert all("the reload failed: " in text and "broken" in text for _, text in answers)
    assert app.run("status", by_script=False).returncode == 0


def test_a_stop_during_reloads_answers_all(make_app: MakeApp) -> None:
    app = make_app(echo())
    program = app.start()
    app.write("import time; time.sleep(60)")
    first = begin(app, "reload")
    program.wait_for_line("reading the program again")
    waiting = [first, begin(app, "reload")]
    stopped = app.run("stop", by_script=False)
    assert "is stopped" in stopped.stdout, stopped.stderr
    for status, text in said(waiting):
        assert status == 1
        assert "stopped meanwhile" in text or "is stopping" in text or "does not run" in text


def test_a_reload_during_a_stop_is_refused_in_words(make_app: MakeApp) -> None:
    slow = """
    import asyncio

    @worker.on_worker_stop
    async def bye(worker):
        await asyncio.sleep(1.5)

    Worker.run_all()
"""
    app = make_app(echo().replace("    Worker.run_all()\n", slow))
    program = app.start()
    stop = begin(app, "stop")
    program.wait_for_line(" stopping")
    ((status, text),) = said([begin(app, "reload")])
    assert status == 1
    assert "the service is stopping" in text
    ((status, text),) = said([stop])
    assert status == 0, text


def test_a_caller_that_hangs_up_takes_nobody_along(make_app: MakeApp) -> None:
    app = make_app(echo())
    app.start()
    for _ in range(3):
        with socket.socket(socket.AF_UNIX) as end:
            end.connect(str(control_path(pid_file(app))))
            end.sendall(encode({"command": "reload"}))
    ((status, text),) = said([begin(app, "reload")])
    assert status == 0, text


def test_too_many_that_wait_are_told_so(make_app: MakeApp) -> None:
    app = make_app(echo())
    app.start()
    app.write("import time; time.sleep(60)")
    path = str(control_path(pid_file(app)))
    waiting = [socket.socket(socket.AF_UNIX) for _ in range(MAX_CLIENTS)]
    try:
        for end in waiting:
            end.connect(path)
            end.sendall(encode({"command": "reload"}))
        done = app.run("status", by_script=False)
        assert done.returncode == 1
        assert f"{MAX_CLIENTS} commands already wait" in done.stderr
    finally:
        for end in waiting:
            end.close()
    wait_until(lambda: ask(pid_file(app), {"command": "status"}, 10.0), "it answers again")
