"""The messages of a service to systemd, and the sockets that systemd hands over."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from kit.app import App, echo
from kit.datagrams import UdpClient
from kit.program import Program, find_program, free_ports
from lineman.testing.client import RawClient

MakeApp = Callable[[str], App]


class Manager:
    """The end of `$NOTIFY_SOCKET` that systemd holds."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self._socket.settimeout(30)

    def wait_for(self, word: str) -> dict[str, str]:
        """The next message with this variable in it."""
        while True:
            lines = self._socket.recv(4096).decode().splitlines()
            told = dict(line.split("=", 1) for line in lines)
            if word in told:
                return told

    def __enter__(self) -> Manager:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def test_it_says_ready_reloading_stopping_and_that_it_is_alive(app: App, tmp_path: Path) -> None:
    with Manager(tmp_path) as manager:
        program = app.start(NOTIFY_SOCKET=str(manager.path), WATCHDOG_USEC="200000", ready="")
        told = manager.wait_for("READY")
        assert told["STATUS"] == "ready: 1 process"
        assert int(told["MAINPID"]) == program.process.pid
        program.wait_for_line("ready: 1 process")
        assert program.output.index("listening on") < program.output.index("ready: ")
        manager.wait_for("WATCHDOG")
        manager.wait_for("WATCHDOG")
        program.signal(signal.SIGHUP)
        assert int(manager.wait_for("RELOADING")["MONOTONIC_USEC"]) > 0
        assert "reloaded: " in manager.wait_for("READY")["STATUS"]
        program.signal(signal.SIGTERM)
        manager.wait_for("STOPPING")
        assert program.process.wait(30) == 0


def test_its_variables_do_not_reach_the_programs_own_children(make_app: MakeApp) -> None:
    app = make_app("""
        import os
        from lineman import Worker

        worker = Worker("ws://127.0.0.1:0")
        worker.on_message = lambda connection, message: connection.send(
            ",".join(
                name
                for name in os.environ
                if name[:6] in ("NOTIFY", "LISTEN")
                or name in ("LINEMAN_ROLE", "LINEMAN_PROGRAM")
            )
        )
        Worker.run_all()
    """)
    app.start(NOTIFY_SOCKET="/nowhere")
    with RawClient(app.port) as client:
        client.open().send("?")
        assert client.receive() == ""


def activate(app: App, port: int, *options: str) -> Program:
    """Makes systemd's own program listen and start the service for the first client."""
    activator = find_program("systemd-socket-activate", "systemd")
    variables = [f"--setenv={name}" for name in ("RUNTIME_DIRECTORY", "PATH")]
    listen = [activator, *options, "-l", f"127.0.0.1:{port}", *variables]
    return Program("systemd-socket-activate", [*listen, sys.executable, app.script, "start"])


def test_a_socket_of_systemd_is_served_by_every_process(make_app: MakeApp) -> None:
    (port,) = free_ports(1)
    app = make_app(echo(count=2).replace(":0", f":{port}"))
    activator = activate(app, port)
    try:
        activator.wait_for_line("Listening on")
        with RawClient(port) as client:  # nobody but systemd listens yet
            client.open().send("who?")
            assert client.receive() in {str(pid) for pid in pids_in(activator)}
        activator.wait_for_line("ready: 2 processes")
        assert app.run("reload").returncode == 0
        with RawClient(port) as client:
            client.open()
    finally:
        activator.stop()


DATAGRAMS = """
    import os
    from lineman import Worker

    worker = Worker("udp://127.0.0.1:{port}", count=2, drain_seconds=0.1, stop_timeout=2)
    worker.on_message = lambda peer, data: peer.send(data)

    Worker.run_all()
"""


def test_a_datagram_socket_of_systemd_serves_every_datagram_once_also_while_reloading(
    make_app: MakeApp,
) -> None:
    (port,) = free_ports(1)
    app = make_app(DATAGRAMS.format(port=port))
    activator = activate(app, port, "--datagram")
    try:
        activator.wait_for_line("Listening on")
        with UdpClient(port) as client:
            assert client.ask(b"first") == b"first"  # which has started the service
            activator.wait_for_line("ready: 2 processes")
            command = [sys.executable, str(app.script), "reload"]
            reload = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            sent = 0
            while reload.poll() is None or sent < 100:
                assert client.ask(b"%d" % sent) == b"%d" % sent  # no answer comes twice either
                sent += 1
            assert reload.returncode == 0
    finally:
        activator.stop()


def pids_in(program: Program) -> list[int]:
    program.wait_for_line("listening on")
    return [int(line.split("[")[1].split("]")[0]) for line in program.wait_for_line("listening on")]


def test_a_socket_of_systemd_that_no_worker_wants_is_named(make_app: MakeApp) -> None:
    (port,) = free_ports(1)
    app = make_app(echo())
    activator = activate(app, port)
    try:
        activator.wait_for_line("Listening on")
        with socket.create_connection(("127.0.0.1", port)):
            activator.wait_for_line(
                f"systemd passed a socket on 127.0.0.1:{port}, where no worker listens"
            )
    finally:
        activator.stop()


def test_the_unit_file_is_one_that_systemd_understands(tmp_path: Path) -> None:
    verify = find_program("systemd-analyze", "systemd")
    howto = Path(__file__).parents[3] / "docs" / "howto" / "systemd"
    for unit in ("chat.service", "chat.socket"):
        text = (howto / unit).read_text()
        text = text.replace("/srv/chat/.venv/bin/lineman", sys.executable)
        (tmp_path / unit).write_text(text)
    words = [verify, "verify", "--man=no", str(tmp_path / "chat.service")]
    environment = {**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"}
    done = subprocess.run(words, capture_output=True, text=True, env=environment, timeout=60)
    complaints = [line for line in done.stderr.splitlines() if "chat." in line]
    assert complaints == []
