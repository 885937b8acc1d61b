"""`Worker.run_all`: whole programs in processes of their own."""

from __future__ import annotations

import os
import pty
import re
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kit.program import Program
from kit.waiting import DEADLINE
from lineman.process.master import terminal_signals as terminal
from lineman.protocols.websocket.decoder import Close
from lineman.testing.client import RawClient

ECHO = """
    import os
    from lineman import Worker

    worker = Worker("ws://127.0.0.1:0", count={count})

    @worker.on_message
    def reply(connection, message):
        connection.send(str(os.getpid()))

    Worker.run_all()
"""

Start = Callable[..., Program]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a program; one that still runs at the end is ended."""
    programs: list[Program] = []

    def begin(text: str, *arguments: str, name: str = "app.py") -> Program:
        script = tmp_path / name
        script.write_text(textwrap.dedent(text))
        program = Program("app.py", [sys.executable, script, *arguments])
        programs.append(program)
        return program

    yield begin
    for program in programs:
        program.stop()


def port_of(program: Program, count: int = 1) -> int:
    """The port, once so many processes listen on it."""
    lines = program.wait_for_line("listening on ", count=count)
    return int(lines[0].rpartition(":")[2])


def status_of(program: Program) -> int:
    """The exit status of a program that ends by itself."""
    status = program.process.wait(DEADLINE)
    program.stop()
    return status


def pids_of(program: Program) -> list[int]:
    """The processes that have said that they listen."""
    return [int(pid) for pid in re.findall(r"\[(\d+)\] INFO listening on ", program.output)]


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE
    while not is_so():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.02)


def who_answers(port: int) -> int:
    """The process that answers a new client; who finds nobody tries again."""
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            with RawClient(port) as client:
                client.open().send("who?")
                return int(client.receive_message())
        except (OSError, EOFError):
            assert time.monotonic() < deadline


# One process.


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("arguments", [(), ("start",)])
def test_a_signal_ends_it_in_order_and_clients_see_1001(
    start: Start, number: signal.Signals, arguments: tuple[str, ...]
) -> None:
    program = start(ECHO.format(count=1), *arguments)
    with RawClient(port_of(program)) as client:
        client.open().send("who?")
        assert client.receive() == str(*pids_of(program))
        program.signal(number)
        assert client.receive() == Close(1001, "the service is stopping")
        client.send_close(1001)
        client.assert_ended()
    assert status_of(program) == 0
    assert "Traceback" not in program.output


def test_a_second_signal_drops_what_is_left(start: Start) -> None:
    program = start(ECHO.format(count=1))
    with RawClient(port_of(program)) as client:
        client.open()
        program.signal(signal.SIGINT)
        assert client.receive_close().code == 1001
        time.sleep(terminal.ECHO)  # sooner it would be the first one once more
        program.signal(signal.SIGINT)  # and the close frame is never answered
        assert status_of(program) == 1
    assert "Traceback" not in program.output


def test_on_worker_start_and_on_worker_stop_run_in_the_process(start: Start) -> None:
    program = start("""
        from lineman import Worker

        worker = Worker("ws://127.0.0.1:0", name="chat")
        worker.on_worker_start = lambda worker: print("started", worker.name, flush=True)
        worker.on_worker_stop = lambda worker: print("stopped", worker.name, flush=True)
        Worker.run_all()
    """)
    program.wait_for_line("started chat")
    port_of(program)
    assert program.stop() == 0
    assert "stopped chat" in program.output


# What is wrong.


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("frobnicate",), 2, "there is no 'frobnicate'; there are: start, restart, stop"),
        (("start", "now"), 2, "unrecognized arguments: now"),
        (("stop", "--json"), 2, "unrecognized arguments: --json"),
        (("--help",), 0, "reload "),
        (("start", "-h"), 0, "usage: python app.py start"),
    ],
)
def test_other_commands_than_start(
    start: Start, arguments: tuple[str, ...], status: int, says: str
) -> None:
    program = start(ECHO.format(count=1), *arguments)
    assert status_of(program) == status
    assert says in program.output
    assert "usage: python app.py" in program.output
    assert "listening" not in program.output


@pytest.mark.parametrize("count", [1, 2])
def test_what_cannot_work_is_one_line_and_exit_status_1(start: Start, count: int) -> None:
    program = start(f"""
        from lineman import Worker
        Worker("wss://127.0.0.1:0", cert="missing.pem", key="missing.key", count={count})
        Worker.run_all()
    """)
    assert status_of(program) == 1
    (line,) = program.output.splitlines()
    assert line.startswith("lineman: ")
    assert "missing.pem" in line
    assert "; fix: " in line


@pytest.mark.parametrize("count", [1, 2])
def test_a_port_that_is_taken_is_one_line_and_exit_status_1(start: Start, count: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        program = start(f"""
            from lineman import Worker
            Worker("ws://127.0.0.1:{port}", count={count})
            Worker.run_all()
        """)
        assert status_of(program) == 1
    (line,) = program.output.splitlines()
    assert f"cannot listen on ws://127.0.0.1:{port}: address already in use" in line


def test_a_program_without_a_worker_is_told(start: Start) -> None:
    program = start("from lineman import Worker; Worker.run_all()")
    assert status_of(program) == 1
    assert "there is no Worker to run" in program.output


def test_a_child_that_cannot_start_ends_the_whole_with_exit_status_1(start: Start) -> None:
    program = start("""
        from lineman import Worker

        worker = Worker("ws://127.0.0.1:0", count=2)

        @worker.on_worker_start
        def fail():
            raise RuntimeError("no database")

        Worker.run_all()
    """)
    assert status_of(program) == 1
    assert "no database" in program.output
    assert "does not start" in program.output


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ("asyncio.run(main())", "an event loop runs in it"),
        ("thread = threading.Thread(target=Worker.run_all); thread.start()", "the main thread"),
    ],
)
def test_what_cannot_become_a_service_is_told(start: Start, call: str, why: str) -> None:
    program = start(f"""
        import asyncio, threading
        from lineman import Worker

        Worker("ws://127.0.0.1:0")

        async def main():
            Worker.run_all()

        {call}
    """)
    status_of(program)
    assert why in program.output
    assert "await worker.start()" in program.output


def test_a_program_that_is_no_file_is_told() -> None:
    text = "from lineman import Worker; Worker('ws://127.0.0.1:0'); Worker.run_all()"
    words = [sys.executable, "-"]
    done = subprocess.run(words, input=text, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 1
    assert "write the program into one" in done.stderr


# Several processes.


def test_two_processes_serve_one_port_and_end_together(start: Start) -> None:
    program = start(ECHO.format(count=2))
    port = port_of(program, count=2)
    program.wait_for_line("ready: 2 processes")
    pids = set(pids_of(program))
    assert len(pids) == 2
    assert program.process.pid not in pids
    seen: set[int] = set()
    wait_until(lambda: seen.add(who_answers(port)) or seen == pids, "both answer")  # type: ignore[func-returns-value]
    with RawClient(port) as client:
        client.open()
        program.signal(signal.SIGTERM)
        assert client.receive() == Close(1001, "the service is stopping")
        client.send_close(1001)
        client.assert_ended()
    assert status_of(program) == 0
    assert not any(is_alive(pid) for pid in pids)
    assert "Traceback" not in program.output


def test_a_process_that_is_killed_is_replaced_and_the_service_goes_on(start: Start) -> None:
    program = start(ECHO.format(count=2))
    port = port_of(program, count=2)
    program.wait_for_line("ready: 2 processes")
    killed, other = pids_of(program)
    os.kill(killed, signal.SIGKILL)
    program.wait_for_line(f"(process {killed}) ended: signal 9 (SIGKILL); it is restarted")
    program.wait_for_line("listening on ", count=3)
    new = pids_of(program)[2]
    seen: set[int] = set()
    wait_until(lambda: seen.add(who_answers(port)) or seen == {other, new}, "both answer")  # type: ignore[func-returns-value]
    assert program.stop() == 0
    assert not is_alive(new)
    assert not is_alive(other)


def test_ctrl_c_in_a_terminal_ends_all_in_order(start: Start, tmp_path: Path) -> None:
    script = tmp_path / "group.py"
    script.write_text(textwrap.dedent(ECHO.format(count=2)))
    # A terminal sends SIGINT to the master and to every child at once.
    with subprocess.Popen(
        [sys.executable, script],
        stderr=subprocess.PIPE,
        start_new_session=True,
        encoding="utf-8",
    ) as process:
        assert process.stderr is not None
        lines = []
        while not any("ready: 2" in line for line in lines):
            lines.append(process.stderr.readline())
            assert lines[-1], lines
        os.killpg(process.pid, signal.SIGINT)
        output = process.stderr.read()
        assert process.wait(DEADLINE) == 0
    assert "Traceback" not in output


def test_several_workers_run_side_by_side(start: Start) -> None:
    program = start("""
        from lineman import Worker

        for name in ("first", "second"):
            worker = Worker("ws://127.0.0.1:0", name=name)
            worker.on_message = lambda connection: connection.send(connection.worker.name)
        Worker.run_all()
    """)
    lines = program.wait_for_line("listening on ", count=2)
    names = set()
    for line in lines:
        with RawClient(int(line.rpartition(":")[2])) as client:
            client.open().send("who?")
            names.add(client.receive())
    assert names == {"first", "second"}
    assert program.stop() == 0


@pytest.mark.parametrize("count", [1, 2])
def test_a_second_start_on_a_port_in_use_is_refused(start: Start, count: int) -> None:
    port = port_of(start(ECHO.format(count=count)), count)
    second = start(ECHO.format(count=count).replace(":0", f":{port}"), name="other.py")
    assert status_of(second) == 1
    assert f"cannot listen on ws://127.0.0.1:{port}: address already in use" in second.output


def test_the_end_of_the_terminal_stops_the_service_in_order(tmp_path: Path) -> None:
    script = tmp_path / "app.py"
    script.write_text(textwrap.dedent(ECHO.format(count=1)))
    pid, terminal = pty.fork()
    if not pid:
        os.execv(sys.executable, [sys.executable, str(script)])
    output = b""
    while b"ready: " not in output:
        output += os.read(terminal, 4096)
    port = int(re.search(rb"listening on \S+:(\d+)", output)[1])  # type: ignore[index]
    with RawClient(port) as client:
        client.open()
        os.close(terminal)  # the kernel sends SIGHUP
        assert client.receive() == Close(1001, "the service is stopping")
        client.send_close(1001)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_sighup_without_a_terminal_reloads(start: Start) -> None:
    program = start(ECHO.format(count=1))
    with RawClient(port_of(program)) as client:
        client.open()
        program.signal(signal.SIGHUP)
        assert client.receive() == Close(1012, "the service is restarting")
        client.send_close(1012)
    program.wait_for_line("reloaded: 1 process")


def test_several_processes_share_a_unix_socket_and_its_file_goes_with_them(
    start: Start, tmp_path: Path
) -> None:
    path = tmp_path / "app.sock"
    program = start(ECHO.format(count=2).replace("ws://127.0.0.1:0", f"ws+unix://{path}"))
    program.wait_for_line("ready: 2 processes")
    seen = set()
    deadline = time.monotonic() + DEADLINE
    while len(seen) < 2 and time.monotonic() < deadline:
        with RawClient(0, str(path)).open() as client:
            client.send("who?")
            seen.add(client.receive())
    assert seen == {str(pid) for pid in pids_of(program)}
    assert program.stop() == 0
    assert not path.exists()


@pytest.mark.parametrize("use", ["worker.broadcast('x')", "len(worker.connections)"])
@pytest.mark.parametrize("count", [1, 2])
def test_a_room_split_over_processes_is_told_once_for_all(
    start: Start, use: str, count: int
) -> None:
    program = start(f"""
        from lineman import Worker

        worker = Worker("ws://127.0.0.1:0", count={count})

        @worker.on_worker_start
        def use(worker):
            {use}
            {use}

        Worker.run_all()
    """)
    port_of(program, count)
    if count > 1:
        program.wait_for_line("Gateway")
    assert program.stop() == 0
    told = [line for line in program.output.splitlines() if "Gateway" in line]
    assert len(told) == (1 if count > 1 else 0)
