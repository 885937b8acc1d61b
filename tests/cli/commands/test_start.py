"""`start -d`, `stop`, `restart`, `reload` and their output, on real programs."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.app import App, echo, port_in
from kit.processes import is_alive
from kit.program import Program, free_ports
from kit.waiting import DEADLINE, wait_until
from lineman.errors import RefusedError
from lineman.process.master.terminal_signals import ECHO
from lineman.process.rundir.control_request import ask
from lineman.process.rundir.rundir import default_pid_file, name_of
from lineman.testing.certificates import TestCA
from lineman.testing.client import RawClient

MakeApp = Callable[[str], App]


def log_of(said: str) -> Path:
    """The log that `start -d` names."""
    line = next(line for line in said.splitlines() if line.startswith("log: "))
    return Path(line.removeprefix("log: "))


def test_a_daemon_from_its_start_to_its_end(app: App) -> None:
    done = app.run("start", "-d")
    assert done.returncode == 0, done.stderr
    assert "app.py runs: ready: 1 process" in done.stdout
    assert "to stop it: python app.py stop" in done.stdout
    port = port_in(log_of(done.stdout).read_text())  # it listens before start says so
    (child,) = app.status()["children"]
    with RawClient(port) as client:
        client.open().send("who?")
        assert client.receive() == str(child["pid"])

    before = log_of(done.stdout).read_text()
    for words in (("start",), ("start", "-d")):
        second = app.run(*words)
        assert second.returncode == 1
        assert "it runs already: process" in second.stderr
    assert log_of(done.stdout).read_text() == before

    old = app.status()["master"]["pid"]
    restarted = app.run("restart", "-d", by_script=False)
    assert restarted.returncode == 0, restarted.stderr
    new = app.status()["master"]["pid"]
    assert new != old
    assert not is_alive(old)
    assert not is_alive(child["pid"])

    text = app.script.read_text()
    app.write("this is no Python")
    broken = app.run("restart", "-d", by_script=False)
    assert broken.returncode == 1
    assert "SyntaxError" in broken.stderr
    assert app.status()["master"]["pid"] == new  # and it is not even stopped
    app.write(text)

    stopped = app.run("stop", by_script=False)
    assert stopped.returncode == 0
    assert f"is stopped (process {new})" in stopped.stdout
    assert not is_alive(new)

    again = app.run("stop")
    assert (again.returncode, again.stdout) == (0, "app.py does not run\n")
    reloaded = app.run("reload")
    assert reloaded.returncode == 1
    assert "does not run" in reloaded.stderr
    assert "fix: python app.py start" in reloaded.stderr


def test_a_second_one_that_differs_by_its_environment_needs_a_pid_file_of_its_own(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = app.start()
    monkeypatch.setenv("ROOM", "second")
    refused = app.run("start")
    assert refused.returncode == 1
    assert f"it runs already: process {first.process.pid} (" in refused.stderr
    assert "--pid-file FILE" in refused.stderr
    here = ["--pid-file", str(tmp_path / "second.pid")]
    second = Program("app.py", [sys.executable, app.script, "start", *here])
    try:
        second.wait_for_line("ready: ")
        assert f"(process {second.process.pid})" in app.run("stop", *here).stdout
    finally:
        second.stop()
    assert app.status()["master"]["pid"] == first.process.pid


@pytest.mark.parametrize("by_script", [True, False])
def test_the_command_that_start_prints_stops_what_it_has_started(
    app: App, tmp_path: Path, by_script: bool
) -> None:
    place = tmp_path / "a place"
    place.mkdir()
    done = app.run("start", "-d", "--pid-file", str(place / "x.pid"), by_script=by_script)
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("to stop it: "))
    words = shlex.split(line.removeprefix("to stop it: "))
    assert words[0] in ("python", "lineman")
    command = [sys.executable, *(() if words[0] == "python" else ("-m", "lineman")), *words[1:]]
    stopped = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert "app.py is stopped (process" in stopped.stdout, stopped.stderr


def test_a_port_that_a_program_holds_comes_with_the_command_that_stops_that(
    make_app: MakeApp, tmp_path: Path
) -> None:
    app = make_app(echo())
    program = app.start("--pid-file", str(tmp_path / "x.pid"))
    other = tmp_path / "other.py"
    text = f"""
from lineman import Worker
from lineman.testing.certificates import TestCA
import pathlib
made = TestCA(pathlib.Path({str(tmp_path)!r})).issue("localhost")
worker = Worker("websocket://127.0.0.1:{app.port}", cert=made.cert, key=made.key)
worker.transport = "ssl"
Worker.run_all()
"""
    other.write_text(text)
    words = [sys.executable, str(other), "start"]
    refused = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert refused.returncode == 1
    assert f"cannot listen on wss://127.0.0.1:{app.port}: address already in use" in refused.stderr
    found = re.search("fix: stop it: (.*); or listen on another port", refused.stderr)
    assert found is not None, refused.stderr
    command = shlex.split(found[1])
    assert command[:2] == ["lineman", "stop"]
    words = [sys.executable, "-m", *command]
    stopped = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert f"app.py is stopped (process {program.process.pid})" in stopped.stdout, stopped.stderr


def test_a_daemon_that_cannot_start_says_why_where_it_was_started(make_app: MakeApp) -> None:
    app = make_app(echo().replace("Worker.run_all()", "worker.on_worker_start = lambda: 1 / 0\n"))
    app.write(app.script.read_text() + "\nWorker.run_all()\n")
    done = app.run("start", "-d")
    assert done.returncode == 1
    assert "does not start: ZeroDivisionError: division by zero" in done.stderr
    assert "Traceback" in log_of(done.stderr).read_text()
    app.write("import no_such_module")
    done = app.run("start", "-d", by_script=False)
    assert done.returncode == 1
    assert "No module named 'no_such_module'" in done.stderr
    last = log_of(done.stderr).read_text().splitlines()[-1]
    assert last.startswith("lineman: the program does not come to Worker.run_all()")  # no traceback


def test_of_many_starts_at_once_one_succeeds(app: App) -> None:
    words = [sys.executable, "-m", "lineman", "start", "-d", str(app.script)]
    starts = [
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = [start.communicate(timeout=60) for start in starts]
    assert sorted(start.returncode for start in starts) == [0, 1, 1, 1]
    assert sum("it runs already" in error for _, error in said) == 3


def test_what_a_killed_master_has_left_is_no_hindrance(app: App) -> None:
    program = app.start()
    master = program.process.pid
    os.kill(master, signal.SIGKILL)
    program.process.wait()
    stopped = app.run("stop")
    assert (stopped.returncode, stopped.stdout) == (0, "app.py does not run\n")
    assert app.run("start", "-d").returncode == 0
    program.stop()
    app.program = None


def test_a_port_that_is_taken_names_who_has_it(make_app: MakeApp) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        app = make_app(echo().replace(":0", f":{port}"))
        done = app.run("start")
    assert done.returncode == 1
    name = Path("/proc/self/comm").read_text().strip()
    assert f"address already in use by {name} (process {os.getpid()})" in done.stderr
    assert f"kill {os.getpid()}" in done.stderr


TWO = """
    from lineman import Worker
    Worker("{first}", name="a")
    {second}
    Worker.run_all()
"""


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("ws://127.0.0.1:{port}", "ws://127.0.0.1:{port}"),
        ("ws://127.0.0.1:{port}", "ws://0.0.0.0:{port}"),
        ("ws://localhost:{port}", "ws://127.0.0.1:{port}"),
        ("ws+unix://{folder}/s", "ws+unix://{folder}/s"),
    ],
)
@pytest.mark.parametrize("by_script", [True, False])
def test_two_workers_with_one_address_are_told_so_and_not_to_stop_the_program(
    make_app: MakeApp, tmp_path: Path, first: str, second: str, by_script: bool
) -> None:
    (port,) = free_ports(1)
    first, second = (each.format(port=port, folder=tmp_path) for each in (first, second))
    app = make_app(TWO.format(first=first, second=f'Worker("{second}", name="b")'))
    done = app.run("start", by_script=by_script)
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "a and b, which are of this program, have the same p" in said
    assert "fix: give each Worker a different address" in said
    assert "stop" not in said.partition("lineman: ")[2]


@pytest.mark.parametrize(
    ("old", "new"),
    [("ws://127.0.0.1:{port}", "ws://0.0.0.0:{port}"), ("ws+unix://{s}", "wss+unix://{s}")],
)
def test_a_reload_to_another_host_with_the_same_port_wants_a_restart(
    make_app: MakeApp, tmp_path: Path, old: str, new: str
) -> None:
    (port,) = free_ports(1)
    old, new = (each.format(port=port, s=tmp_path / "s") for each in (old, new))
    app = make_app(TWO.format(first=old, second=""))
    app.start()
    pair = TestCA(tmp_path).issue("chat.test")
    tls = f', cert="{pair.cert}", key="{pair.key}"' if "wss" in new else ""
    app.write(TWO.format(first=new, second="").replace(', name="a"', f', name="a"{tls}'))
    done = app.run("reload")
    assert done.returncode == 1
    assert "which belongs to this program; fix: restart the program once" in done.stderr
    app.write(TWO.format(first=old, second=f'Worker("{new}", name="b"{tls})'))
    done = app.run("reload")
    assert done.returncode == 1
    assert "a and b, which are of this program, have the same p" in done.stderr


def test_a_graceful_stop_lets_clients_go_over_a_time(make_app: MakeApp) -> None:
    app = make_app(echo(drain=0.3))
    app.start()
    clients = [RawClient(app.port).open() for _ in range(5)]
    stopping = subprocess.Popen([sys.executable, str(app.script), "stop", "-g"])
    for client in clients:
        assert client.receive_close().code == 1001
        client.send_close(1001)
        client.close()
    assert stopping.wait(30) == 0
    assert not any(is_alive(pid) for pid in app.pids)


def test_a_program_with_arguments_of_its_own_runs_several_times(make_app: MakeApp) -> None:
    app = make_app("""
        import sys
        from lineman import Worker

        Worker("ws://127.0.0.1:0", name=sys.argv[1])
        Worker.run_all(sys.argv[2:])
    """)
    for name in ("one", "two"):
        assert app.run(name, "start", "-d").returncode == 0
    for name in ("one", "two"):
        done = app.run(name, "stop")
        assert done.returncode == 0
        assert "is stopped" in done.stdout


def test_a_pid_file_of_ones_own(make_app: MakeApp, tmp_path: Path) -> None:
    pid_file = tmp_path / "run" / "chat.pid"
    app = make_app(echo().replace("run_all()", f"run_all(pid_file='{pid_file}')"))
    program = app.start()
    assert pid_file.read_text() == f"{program.process.pid}\n"
    elsewhere = app.run("stop", by_script=False)
    assert elsewhere.returncode == 1
    assert f"app.py runs as process {program.process.pid}, its pid file is" in elsewhere.stderr
    assert "is stopped" in app.run("stop", "--pid-file", str(pid_file), by_script=False).stdout
    assert list(pid_file.parent.iterdir()) == []


def test_logs_reopen_on_sigusr1(app: App) -> None:
    done = app.run("start", "-d")
    log = log_of(done.stdout)
    log.rename(log.with_suffix(".1"))
    os.kill(app.status()["master"]["pid"], signal.SIGUSR1)
    wait_until(log.exists, "a new log file")
    assert app.run("reload").returncode == 0
    wait_until(lambda: "reloaded: " in log.read_text(), "the new file is written to")
    assert "reloaded" not in log.with_suffix(".1").read_text()


def test_sigquit_ends_at_once(app: App) -> None:
    program = app.start()
    with RawClient(app.port) as client:
        client.open()
        program.signal(signal.SIGQUIT)
        client.assert_ended()
    assert program.process.wait(20) == 1
    assert not is_alive(app.pids[0])


def test_orders_and_questions_reach_every_child(make_app: MakeApp) -> None:
    app = make_app(echo(count=2))
    app.start()
    pid_file = default_pid_file(name_of(str(app.script)))
    reply = ask(pid_file, {"command": "frobnicate"}, 20)
    assert [child["answer"] for child in reply["children"]] == [
        {"error": "this process does not know how to answer 'frobnicate'"}
    ] * 2
    assert ask(pid_file, {"command": "do", "what": "nothing known"}, 20)["ok"]
    with pytest.raises(RefusedError, match=r"its master refuses the command: .*no command"):
        ask(pid_file, {}, 20)
    socket_file = pid_file.with_suffix(".sock")
    assert socket_file.stat().st_mode & 0o777 == 0o600
    with socket.socket(socket.AF_UNIX) as rude:
        rude.connect(str(socket_file))
        rude.sendall(b"no json\n")
        assert b"no JSON" in rude.recv(4096)
    assert app.run("reload").returncode == 0


@pytest.mark.parametrize("word", ["start", "reload", "stop", "status"])
def test_a_script_that_does_not_exist(word: str, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "lineman", word, str(tmp_path / "none.py")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30)
    assert done.returncode == {"start": 2, "stop": 0, "status": 3}.get(word, 1)
    assert "Traceback" not in done.stderr


# Keeps its one client until it is killed.
SLOW = """
    from lineman import Worker

    worker = Worker("ws://127.0.0.1:0", stop_timeout=60)
    Worker.run_all()
"""


def test_who_stops_the_program_and_its_group_tells_it_once(make_app: MakeApp) -> None:
    app = make_app(SLOW)
    program = app.start()
    with RawClient(app.port) as client:
        client.open()
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
            program.process.send_signal(number)
        assert client.receive_close().code == 1001
        time.sleep(2 * ECHO)  # a person's second word comes later
        assert program.process.poll() is None, app.output
        program.process.send_signal(signal.SIGINT)
        assert program.process.wait(DEADLINE) == 1
    assert "it was told to end at once" in app.output


def test_timeout_of_coreutils_stops_it_in_order(make_app: MakeApp) -> None:
    app = make_app(SLOW.replace("60", "1"))
    app.prefix = ["timeout", "600"]
    program = app.start()
    with RawClient(app.port) as client:
        client.open()
        program.process.send_signal(signal.SIGTERM)  # it does what it does when time is up
        assert program.process.wait(DEADLINE) == 0, app.output
    assert "at once" not in app.output


def test_a_log_that_cannot_be_written_is_told_once(make_app: MakeApp) -> None:
    app = make_app(echo(count=2))
    app.start("--log", str(app.script.parent / "gone" / "log"))
    assert app.run("reload").returncode == 0
    assert app.run("stop").returncode == 0
    assert app.output.count("cannot write the log") == 1


def test_a_pid_file_that_the_command_cannot_know_is_told(make_app: MakeApp) -> None:
    app = make_app("""
        from lineman import Worker
        Worker("ws://127.0.0.1:0")
        Worker.pid_file = "/run/chat.pid"
        Worker.run_all()
    """)
    done = app.run("start", "-d", by_script=False)
    assert done.returncode == 0, done.stderr
    log = log_of(done.stdout)
    assert app.run("reload", by_script=False).returncode == 0
    (line,) = [each for each in log.read_text().splitlines() if " WARNING " in each]
    assert (
        "the program names the pid file /run/chat.pid, but `lineman` learns that too late" in line
    )
    assert "--pid-file /run/chat.pid" in line
    assert app.run("stop", by_script=False).returncode == 0
