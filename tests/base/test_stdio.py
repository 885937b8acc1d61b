"""Standard input, output and error as launchers leave them: closed, full, dead, ASCII only."""

from __future__ import annotations

import itertools
import os
import re
import select
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from kit.app import environment, port_in
from kit.processes import children_of
from kit.waiting import DEADLINE, wait_until
from lineman.testing.client import RawClient

CLOSINGS = [
    list(closed) for count in (1, 2, 3) for closed in itertools.combinations((0, 1, 2), count)
]

# Prints much, fails often, and must still run.
LOUD = """
    import sys
    from lineman import Worker

    worker = Worker("ws://127.0.0.1:0", stop_timeout=2, watchdog_timeout=3)

    @worker.on_message
    def reply(connection, message):
        print("x" * 1000)
        print("y" * 1000, file=sys.stderr)
        if message == "fail":
            raise ValueError("z" * 1000)
        connection.send(message)

    @worker.on_close
    def closed(connection):
        print("closed")

    {options}
    Worker.run_all()
"""


class Launched:
    """A program that was started with standard descriptors chosen by the test.

    Args:
        directory: where it is written.
        output: its standard output and error; None for the null device.
        closed: standard descriptors that are closed at its start.
        prepare: Python that runs in the launcher, just before it becomes the program.
    """

    def __init__(
        self,
        directory: Path,
        output: int | None = None,
        closed: Sequence[int] = (),
        prepare: str = "",
        options: str = "",
        words: Sequence[str] = ("start",),
    ) -> None:
        self.log = directory / "app.log"
        self.script = directory / "app.py"
        self.pid_file = directory / "app.pid"
        text = textwrap.dedent(LOUD).format(options=options or f'Worker.log_file = "{self.log}"')
        self.script.write_text(text)
        launcher = textwrap.dedent(prepare)
        launcher += f"\nimport os, sys\nfor each in {list(closed)}: os.close(each)\n"
        launcher += "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])\n"
        command = [sys.executable, "-c", launcher, str(self.script), *words]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if output is None else output,
            stderr=subprocess.DEVNULL if output is None else output,
            env=environment(XDG_DATA_HOME=str(directory), XDG_RUNTIME_DIR=str(directory)),
        )

    def wait_for_port(self) -> int:
        wait_until(lambda: self.log.exists() and "ready: " in self.log.read_text(), "it is ready")
        return port_in(self.log.read_text())

    def command(self, word: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(self.script), word],
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            env=environment(XDG_RUNTIME_DIR=str(self.script.parent)),
        )

    def stop(self) -> None:
        done = self.command("stop")
        assert done.returncode == 0, done.stderr
        assert self.process.wait(DEADLINE) == 0


@contextmanager
def launched(*args: object, **kwargs: object) -> Iterator[Launched]:
    made = Launched(*args, **kwargs)  # type: ignore[arg-type]
    try:
        yield made
        if made.process.poll() is None:
            made.stop()
    finally:
        made.process.kill()
        made.process.wait()


def still_serves(port: int, rounds: int = 200) -> None:
    """Fails unless messages are answered, while other messages fail and all of them print."""
    with RawClient(port).open() as client:
        for number in range(rounds):
            client.send(str(number))
            assert client.receive() == str(number)
            if number % 10 == 0:
                with RawClient(port).open() as victim:
                    victim.send("fail")
                    assert victim.receive_close().code == 1011


def fill(descriptor: int) -> None:
    """Fills a pipe through a new file description, so that the program's keeps its flags."""
    own = os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK)
    for size in (4096, 1):
        while True:
            try:
                os.write(own, b"." * size)
            except BlockingIOError:
                break
    os.close(own)


def read_all(descriptor: int, until: Callable[[str], object]) -> str:
    """Reads a pipe until the condition is true of its output; returns the output."""
    text = ""
    deadline = time.monotonic() + DEADLINE
    while not until(text):
        assert time.monotonic() < deadline, text[-2000:]
        if select.select([descriptor], [], [], 0.1)[0]:
            text += os.read(descriptor, 65536).decode(errors="replace")
    return text


def without(closed: Sequence[int], code: str, directory: Path) -> int:
    """The exit status of Python code that begins with these standard descriptors closed."""
    redirections = " ".join({0: "0<&-", 1: "1>&-", 2: "2>&-"}[each] for each in closed)
    words = ["sh", "-c", f'exec "$@" {redirections}', "sh", sys.executable, "-c"]
    return subprocess.run([*words, textwrap.dedent(code)], cwd=directory).returncode


@pytest.mark.parametrize("closed", CLOSINGS, ids=str)
def test_what_a_launcher_has_closed_is_opened_before_anything_else(
    closed: list[int], tmp_path: Path
) -> None:
    code = """
        import os, sys
        import lineman
        secret = os.memfd_create("a secret")
        print("out")
        print("error", file=sys.stderr)
        for each in (0, 1, 2):
            os.fstat(each)
            assert each in CLOSED and os.readlink(f"/proc/self/fd/{each}") == "/dev/null" or (
                each not in CLOSED
            )
        os._exit(0 if secret > 2 else 1)
    """
    assert without(closed, code.replace("CLOSED", str(closed)), tmp_path) == 0


def test_a_file_that_the_program_opened_under_a_closed_number_gets_no_line(tmp_path: Path) -> None:
    code = """
        data = [open(name, "wb") for name in "abc"]
        import logging, lineman
        from lineman.process.log import log_setup as logs
        logs.set_up()
        logging.getLogger("lineman").error("a line")
        logs.flush()
    """
    assert without([0, 1, 2], code, tmp_path) == 0
    assert [(tmp_path / name).read_bytes() for name in "abc"] == [b"", b"", b""]


@pytest.mark.parametrize("closed", [[0], [1, 2], [0, 1, 2]], ids=str)
def test_a_service_without_standard_descriptors_serves_and_keeps_its_secrets(
    tmp_path: Path, closed: list[int]
) -> None:
    with launched(tmp_path, closed=closed) as program:
        port = program.wait_for_port()
        still_serves(port, 20)
        for pid in (program.process.pid, *children_of(program.process.pid)):
            for number in (0, 1, 2):
                found = os.readlink(f"/proc/{pid}/fd/{number}")
                assert found == "/dev/null" or found.startswith("pipe:"), (pid, number, found)


@pytest.mark.parametrize("is_full_at_the_start", [False, True])
def test_a_pipe_that_nobody_reads_holds_up_neither_clients_nor_the_stop(
    tmp_path: Path, is_full_at_the_start: bool
) -> None:
    reader, writer = os.pipe()
    if is_full_at_the_start:
        fill(writer)
    # Without a log file the log goes to the pipe as well; the command then prints the port.
    options = 'print("", end="")' if not is_full_at_the_start else ""
    with launched(tmp_path, output=writer, options=options) as program:
        if is_full_at_the_start:
            port = program.wait_for_port()
        else:
            port = port_in(read_all(reader, lambda text: "ready: " in text))
            fill(writer)
        still_serves(port)
        children = children_of(program.process.pid)
        still_serves(port, 20)
        assert children_of(program.process.pid) == children  # no watchdog has ended any
    os.close(reader)
    os.close(writer)


def test_who_reads_again_learns_how_many_lines_are_missing(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    with launched(tmp_path, output=writer, options='print("", end="")'):
        port = port_in(read_all(reader, lambda text: "ready: " in text))
        fill(writer)
        still_serves(port, 1500)
        text = read_all(reader, lambda text: "nobody has read them in time" in text)
        found = re.search(r"([\d,]+) lines are missing here: nobody has read them in time", text)
        assert found is not None
        with RawClient(port).open() as client:
            client.send("again")
            assert client.receive() == "again"
        read_all(reader, lambda text: "y" * 1000 in text)
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize("what", ["a dead pipe", "/dev/full"])
def test_output_that_cannot_be_written_ends_no_client(tmp_path: Path, what: str) -> None:
    if what == "/dev/full":
        output = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, output = os.pipe()
        os.close(reader)
    with launched(tmp_path, output=output) as program:
        port = program.wait_for_port()
        still_serves(port)
        assert program.log.read_text().count("Traceback") == 1
    os.close(output)


def test_a_log_file_on_a_full_disk_ends_no_client(tmp_path: Path) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    options = 'Worker.log_file = "/dev/full"'
    with launched(tmp_path, output=full, options=options) as program:
        wait_until(lambda: program.command("status").returncode == 0, "it serves")
        (child,) = children_of(program.process.pid)
        port = listening_port(child)
        still_serves(port)
    os.close(full)


def listening_port(pid: int) -> int:
    """A TCP port on which this process listens."""
    own = {os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir()}
    for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[3] == "0A" and f"socket:[{words[9]}]" in own:
            return int(words[1].rpartition(":")[2], 16)
    raise AssertionError("it does not listen")


BLOCKING = """
    import signal
    every = [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1,
             signal.SIGUSR2, signal.SIGCHLD]
    signal.pthread_sigmask(signal.SIG_BLOCK, every)
"""
IGNORING = """
    import signal
    for each in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1, signal.SIGCHLD):
        signal.signal(each, signal.SIG_IGN)
"""


@pytest.mark.parametrize("prepare", [BLOCKING, IGNORING], ids=["blocked", "ignored"])
def test_signals_that_a_launcher_has_blocked_or_ignored_work(tmp_path: Path, prepare: str) -> None:
    program = Launched(tmp_path, prepare=prepare)
    try:
        program.wait_for_port()
        (child,) = children_of(program.process.pid)
        for pid in (program.process.pid, child):
            status = Path(f"/proc/{pid}/status").read_text()
            blocked = re.search(r"SigBlk:\s*(\w+)", status)
            assert blocked is not None
            assert int(blocked[1], 16) == 0
        os.kill(child, signal.SIGKILL)
        wait_until(lambda: program.log.read_text().count("listening on") == 2, "it is replaced")
        program.process.send_signal(signal.SIGTERM)
        assert program.process.wait(DEADLINE) == 0
    finally:
        program.process.kill()
        program.process.wait()


@pytest.mark.parametrize("is_nohup", [False, True])
def test_a_terminal_that_closes_ends_the_program_and_with_nohup_does_not(
    tmp_path: Path, is_nohup: bool
) -> None:
    ignore = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)" if is_nohup else ""
    main, terminal = os.openpty()
    program = Launched(
        tmp_path,
        prepare=f"{ignore}\nimport os, fcntl, termios\nos.setsid()\n"
        f"fcntl.ioctl(os.open({os.ttyname(terminal)!r}, os.O_RDWR), termios.TIOCSCTTY, 0)\n",
    )
    try:
        program.wait_for_port()
        os.close(terminal)
        os.close(main)
        wait_until(lambda: "the terminal was closed" in program.log.read_text(), "it is noticed")
        if is_nohup:
            program.process.send_signal(signal.SIGHUP)
            wait_until(lambda: "reloading" in program.log.read_text(), "the next one reloads")
            program.stop()
        else:
            assert program.process.wait(DEADLINE) == 0
    finally:
        program.process.kill()
        program.process.wait()


def test_a_master_that_was_stopped_holds_up_no_client_by_the_log(tmp_path: Path) -> None:
    options = textwrap.dedent("""
        def log(connection, message):
            import logging
            logging.getLogger("shop").warning("x" * 1000)
            connection.send(message)
        worker.on_message = log
    """)
    reader, writer = os.pipe()
    with launched(tmp_path, output=writer, options=options) as program:
        port = port_in(read_all(reader, lambda text: "ready: " in text))
        program.process.send_signal(signal.SIGSTOP)
        try:
            with RawClient(port).open() as client:
                for number in range(300):  # more than a pipe holds
                    client.send(str(number))
                    assert client.receive() == str(number)
        finally:
            program.process.send_signal(signal.SIGCONT)
    os.close(reader)
    os.close(writer)


def test_what_nobody_catches_in_tasks_and_threads_is_counted(tmp_path: Path) -> None:
    options = textwrap.dedent(f"""
        def fail(connection, message):
            import asyncio, threading
            async def fall(): raise ValueError("in a task")
            def drop(): raise ValueError("in a thread")
            asyncio.ensure_future(fall())
            threading.Thread(target=drop).start()
            connection.send(message)
        worker.on_message = fail
        Worker.log_file = "{tmp_path / "app.log"}"
    """)
    with launched(tmp_path, options=options) as program:
        with RawClient(program.wait_for_port()).open() as client:
            for number in range(200):
                client.send(str(number))
                assert client.receive() == str(number)
        program.stop()
        text = program.log.read_text()
        assert text.count("Traceback") == 2
        assert text.count(": 199 more times in the last") == 2
