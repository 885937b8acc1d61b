"""The signals of a master, and Workerman's meanings of them."""

from __future__ import annotations

import re
import signal

import pytest

from kit.app import App, MakeApp
from kit.waiting import wait_until
from lineman.errors import ConfigError
from lineman.process.master.signal_meanings import ASKING, REMEDIES, TABLES, Meaning
from lineman.process.messages.role import BLOCKED
from lineman.runtime.run import ProgramOptions
from lineman.testing.client import RawClient


def test_every_signal_has_a_meaning_and_what_does_nothing_a_remedy() -> None:
    assert set(TABLES["lineman"]) == set(BLOCKED)
    assert set(TABLES["workerman"]) == {*BLOCKED, *ASKING}
    for table in TABLES.values():
        assert {each for each in table if table[each] is Meaning.NOTHING} <= set(REMEDIES)


def test_another_table_is_refused() -> None:
    options = ProgramOptions(None, None, "text", "INFO", None, signals="php")
    with pytest.raises(ConfigError, match='give "lineman" or "workerman"'):
        options.settings()


WORKERMAN = """
    import os
    from lineman import Worker

    Worker.signals = "workerman"
    worker = Worker("ws://127.0.0.1:0", drain_seconds=0.5, stop_timeout=2)

    @worker.on_message
    def reply(connection, message):
        connection.send(str(os.getpid()))

    Worker.run_all()
"""


def pid_of(app: App) -> str:
    with RawClient(app.port) as client:
        client.open().send("?")
        return str(client.receive())


def test_workermans_signals_do_what_its_users_expect(make_app: MakeApp) -> None:
    app = make_app(WORKERMAN)
    started = app.start()
    pid = pid_of(app)
    for number, words in ((signal.SIGABRT, "lineman status"), (signal.SIGIO, "connections")):
        started.signal(number)
        started.wait_for_line(words)
    for count, number in enumerate((signal.SIGUSR1, signal.SIGUSR2), 1):
        started.signal(number)
        started.wait_for_line("reloaded: 1 process", count=count)
        assert pid_of(app) != pid
        pid = pid_of(app)
    started.signal(signal.SIGQUIT)
    started.signal(signal.SIGQUIT)
    assert started.process.wait(20) == 0
    assert "is killed" not in app.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_others_stop(make_app: MakeApp, number: signal.Signals) -> None:
    app = make_app(WORKERMAN)
    started = app.start()
    started.signal(number)
    assert started.process.wait(20) == 0
    assert "reloading" not in app.output


def test_without_the_option_they_mean_what_they_did(make_app: MakeApp) -> None:
    app = make_app(re.sub(r"Worker\.signals.*", "", WORKERMAN))
    started = app.start()
    pid = pid_of(app)
    started.signal(signal.SIGUSR2)
    started.wait_for_line("SIGUSR2 does nothing here; SIGHUP reloads")
    started.signal(signal.SIGUSR1)
    wait_until(lambda: pid_of(app) == pid, "the same process serves")
    started.signal(signal.SIGQUIT)
    assert started.process.wait(20) == 1
    assert "reloading" not in app.output
