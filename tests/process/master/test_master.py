"""Faults that a service survives, on real processes."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.app import App, echo
from kit.processes import children_of, is_alive
from kit.waiting import DEADLINE, wait_until
from lineman.protocols.websocket.decoder import Close
from lineman.testing.client import RawClient

MakeApp = Callable[[str], App]

HANGING = """
    import os, time
    from lineman import Worker

    worker = Worker("ws://127.0.0.1:0", count={count}, watchdog_timeout={watchdog})

    @worker.on_message
    def reply(connection, message):
        connection.send(str(os.getpid()))
        if message == "hang":
            time.sleep(600)

    Worker.run_all()
"""


def ask(client: RawClient, message: str = "who?") -> int:
    client.send(message)
    return int(client.receive_message())


def served_by(port: int, pid: int) -> RawClient:
    """A client of this process."""
    while True:
        client = RawClient(port).open()
        if ask(client) == pid:
            return client
        client.close()


def test_a_process_killed_under_load_costs_its_own_clients_only(make_app: MakeApp) -> None:
    app = make_app(echo(count=2))
    program = app.start()
    killed, other = app.pids
    is_over = threading.Event()
    faults: list[str] = []
    all_talk = threading.Barrier(5)

    def talk() -> None:
        with served_by(app.port, other) as client:
            all_talk.wait(2 * DEADLINE)
            # Not as fast as it goes: the new process shall have its share of the machine.
            while not is_over.wait(0.002):
                if ask(client) != other:
                    faults.append("answered by another process")

    threads = [threading.Thread(target=talk) for _ in range(4)]
    for thread in threads:
        thread.start()
    with served_by(app.port, killed) as client:
        all_talk.wait(2 * DEADLINE)
        os.kill(killed, signal.SIGKILL)
        client.assert_ended()
    program.wait_for_line(f"(process {killed}) ended: signal 9 (SIGKILL); it is restarted")
    wait_until(lambda: len(app.pids) == 3, "a new process listens")
    with served_by(app.port, app.pids[2]):
        pass
    is_over.set()
    for thread in threads:
        thread.join()
    assert faults == []
    (child,) = (child for child in app.status()["children"] if child["pid"] == app.pids[2])
    assert child["restarts"] == 1
    assert child["last_cause"] == "signal 9 (SIGKILL)"


def test_a_process_that_hangs_is_killed_and_replaced_and_meanwhile_shown_as_busy(
    make_app: MakeApp,
) -> None:
    app = make_app(HANGING.format(count=1, watchdog=3))
    program = app.start()
    with RawClient(app.port) as client:
        client.open().send("hang")
        wait_until(lambda: app.status()["children"][0]["report"] is None, "it does not answer")
        program.wait_for_line("is killed: its event loop has hung for 3 s")
        client.assert_ended()
    program.wait_for_line("listening on", count=2)
    with RawClient(app.port) as client:
        assert ask(client.open()) == app.pids[1]


@pytest.mark.parametrize("kind", ["async def", "def"])
def test_a_process_that_has_much_to_do_at_once_is_not_one_that_hangs(
    make_app: MakeApp, kind: str
) -> None:
    app = make_app(f"""
        import os, time
        from lineman import Worker

        worker = Worker("ws://127.0.0.1:0", watchdog_timeout=3)

        @worker.on_message
        {kind} reply(connection, message):
            time.sleep(float(message))
            connection.send(str(os.getpid()))

        Worker.run_all()
    """)
    app.start()
    pids = app.pids
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(RawClient(app.port)).open() for _ in range(9)]
        for client in clients:
            client.send("0.7")  # they wait for each other, and most of them are one turn
        assert {int(client.receive_message()) for client in clients} == set(pids)
    assert app.pids == pids


def test_when_the_master_is_killed_its_children_end_even_one_that_hangs(make_app: MakeApp) -> None:
    app = make_app(HANGING.format(count=2, watchdog=60))
    program = app.start()
    port = app.port
    hanging, other = app.pids
    with served_by(port, hanging) as stuck, served_by(port, other) as client:
        stuck.send("hang")
        program.signal(signal.SIGKILL)
        assert client.receive() == Close(1001, "the service is stopping")
        client.send_close(1001)
        wait_until(lambda: not is_alive(other) and not is_alive(hanging), "both have ended")
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))
    program.stop()
    app.start()  # its leftovers do not hinder the next one
    assert app.run("stop").returncode == 0


def test_out_of_descriptors_accepting_pauses_and_goes_on(make_app: MakeApp) -> None:
    app = make_app("""
        import os, resource
        from lineman import Worker

        worker = Worker("ws://127.0.0.1:0")

        @worker.on_worker_start
        def limit():
            used = len(os.listdir("/proc/self/fd"))
            resource.setrlimit(resource.RLIMIT_NOFILE, (used + 6, used + 6))

        worker.on_message = lambda connection, message: connection.send(str(os.getpid()))
        Worker.run_all()
    """)
    program = app.start()
    established = RawClient(app.port).open()
    crowd = [RawClient(app.port) for _ in range(12)]
    program.wait_for_line("cannot accept connections: out of file descriptors")
    (pid,) = app.pids
    before = cpu_of(pid)
    began = time.monotonic()
    for _ in range(20):
        assert ask(established) == pid
        time.sleep(0.02)
    assert cpu_of(pid) - before < 0.5 * (time.monotonic() - began)
    waiting = crowd.pop()
    for client in crowd:
        client.close()
    waiting.open()
    assert ask(waiting) == pid
    waiting.close()
    established.close()


def cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_full_disk_under_the_log_stops_nobody(app: App) -> None:
    done = app.run("start", "-d", "--log", "/dev/full")
    assert done.returncode == 0, done.stderr
    (child,) = app.status()["children"]
    with RawClient(port_of(child["pid"])) as client:
        assert ask(client.open()) == child["pid"]
    done = app.run("reload")
    assert done.returncode == 0, done.stderr


def port_of(pid: int) -> int:
    """The port that a process has inherited."""
    inodes = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir() if link.exists()}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
            return int(fields[1].rpartition(":")[2], 16)
    raise AssertionError(f"process {pid} listens nowhere")


def test_a_program_that_fails_again_and_again_ends_with_its_reason(make_app: MakeApp) -> None:
    app = make_app("""
        import asyncio, os
        from lineman import Worker

        worker = Worker("ws://127.0.0.1:0")

        @worker.on_worker_start
        def fail_soon():
            asyncio.get_running_loop().call_later(0.05, os._exit, 3)

        Worker.run_all()
    """)
    program = app.start()
    assert program.process.wait(30) == 1
    program.wait_for_line("5 times in a row within 5 s of its start, and nothing else serves it")
    assert "exit status 3" in app.output


def test_a_suspended_service_goes_on_where_it_was(make_app: MakeApp) -> None:
    app = make_app(HANGING.format(count=1, watchdog=3))
    program = app.start()
    (child,) = app.pids
    with RawClient(app.port) as client:
        client.open()
        for pid in (program.process.pid, child):  # as Ctrl-Z does
            os.kill(pid, signal.SIGTSTP)
        time.sleep(3.5)  # longer than the watchdog waits
        for pid in (program.process.pid, child):
            os.kill(pid, signal.SIGCONT)
        assert ask(client) == child, app.output
    assert "is killed" not in app.output


def test_the_first_process_of_a_container_reaps_and_forwards(app: App) -> None:
    """As a container does: a process namespace of its own, whose first process is the master."""
    command = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]
    with subprocess.Popen(
        [*command, sys.executable, str(app.script), "start"],
        stderr=subprocess.PIPE,
        text=True,
    ) as outer:
        assert outer.stderr is not None
        lines: list[str] = []
        while not any("ready: " in line for line in lines):
            lines.append(outer.stderr.readline())
            assert lines[-1], lines
        assert "[1] INFO ready" in lines[-1]
        (master,) = children_of(outer.pid)
        # An orphan comes to the master, and does not stay as a zombie.
        orphan = ["nsenter", "--target", str(master), "--user", "--pid", "--", "sh", "-c"]
        before = len(children_of(master))
        subprocess.run([*orphan, "(sleep 0.1 &) "], check=True, timeout=20)
        wait_until(lambda: len(children_of(master)) == before, "the orphan is gone")
        os.kill(master, signal.SIGTERM)
        rest = outer.stderr.read()
        assert outer.wait(20) == 0, rest
        assert "stopped" in rest
