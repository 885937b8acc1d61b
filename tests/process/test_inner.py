"""Workers inside of workers, in whole programs: what becomes of their port, and of who is on it."""

from __future__ import annotations

import json
import os
import pwd
import re
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from kit.app import App
from kit.processes import children_of, is_alive
from kit.program import free_ports
from kit.waiting import DEADLINE, wait_until
from lineman.protocols.websocket.decoder import Close
from lineman.testing.certificates import TestCA
from lineman.testing.client import Client

MakeApp = Callable[[str], App]

# The pattern of Workerman's manual: who connects inside has a message pushed to all outside.
PUSH = """
    import asyncio, os
    from lineman import Worker

    worker = Worker("ws://127.0.0.1:0", name="chat", drain_seconds=0.2, stop_timeout=2, {outer})

    @worker.on_worker_start
    async def start(worker):
        inner = worker.data["inner"] = Worker("{address}", name="push", {inner})

        @inner.on_message
        def push(connection, message):
            worker.broadcast(message)
            connection.send(str(os.getpid()))

        inner.on_request = lambda request: str(os.getpid())
        {before}
        await inner.start()
        {after}

    @worker.on_message
    async def reply(connection, message):
        inner = worker.data["inner"]
        if message == "close the port":
            await inner.stop()
        elif message == "open the port":
            await inner.start()
        connection.send(str(len(Worker.all_workers)))

    Worker.run_all()
"""


def pushing(
    address: str,
    *,
    outer: str = "",
    inner: str = "",
    before: str = "",
    after: str = "",
) -> str:
    return PUSH.format(address=address, outer=outer, inner=inner, before=before, after=after)


def at(port: int) -> str:
    return f"ws://127.0.0.1:{port}"


@pytest.fixture
def port() -> int:
    return free_ports(1)[0]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def ask(port: int, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> int:
    """Which process answers on the inner port."""
    with Client(port, host, tls=tls) as client:
        client.open().send("hello")
        answer = client.receive()
        assert isinstance(answer, str)
        return int(answer)


def is_refused(port: int) -> bool:
    with socket.socket() as end:
        end.settimeout(DEADLINE)
        return end.connect_ex(("127.0.0.1", port)) != 0


class Knocking:
    """Asks on the inner port all the time, each time on a new connection, until the end.

    Attributes:
        answers: who answered; None where the process died with the connection.
        faults: connects that were refused, or handshakes that came to nothing.
    """

    def __init__(self, port: int, *, may_break: bool = False) -> None:
        self.port = port
        self.may_break = may_break
        self.answers: list[int | None] = []
        self.faults: list[str] = []
        self.is_over = False
        self.thread = threading.Thread(target=self.run)

    def __enter__(self) -> Knocking:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over = True
        self.thread.join()

    def run(self) -> None:
        while not self.is_over:
            try:
                with Client(self.port) as client:
                    self.answers.append(self.talk(client))
            except Exception as error:
                self.faults.append(repr(error))
            time.sleep(0.001)  # hundreds a second, and the service has its turn

    def talk(self, client: Client) -> int | None:
        try:
            client.open().send("hello")
            event = client.receive()
        except (ConnectionResetError, BrokenPipeError, EOFError):
            if self.may_break:
                return None
            raise
        if isinstance(event, Close):
            assert event.code == 1012
            client.send_close(1012)
            return None
        assert isinstance(event, str)
        return int(event)

    def wait_for(self, pid: int) -> None:
        wait_until(lambda: pid in self.answers, f"process {pid} answers")


def test_reloads_refuse_nobody_on_the_inner_port_and_let_its_clients_go(
    make_app: MakeApp, port: int
) -> None:
    app = make_app(pushing(at(port)))
    app.start()
    with Knocking(port) as knocking:
        for count in range(1, 3):
            (old,) = children_of(app.program.process.pid)  # type: ignore[union-attr]
            knocking.wait_for(old)
            with Client(port) as client, Client(app.port) as outside:
                outside.open()
                client.open().send("to all")
                assert client.receive() == str(old)
                while outside.receive() != "to all":  # the other one has pushed as well
                    pass
                outside.close()
                done = app.run("reload", "-g")
                assert done.returncode == 0, done.stderr
                assert client.receive() == Close(1012, "the service is restarting")
                client.send_close(1012)
                client.assert_ended()
            assert not is_alive(old)
            assert app.output.count(f"listening on {at(port)}") == 1 + count
    assert knocking.faults == []
    assert len({*knocking.answers} - {None}) >= 3


def test_a_crash_refuses_nobody_on_the_inner_port(make_app: MakeApp, port: int) -> None:
    app = make_app(pushing(at(port)))
    program = app.start()
    with Knocking(port, may_break=True) as knocking:
        for count in range(1, 3):
            (old,) = children_of(program.process.pid)
            knocking.wait_for(old)
            os.kill(old, signal.SIGKILL)
            program.wait_for_line(f"listening on {at(port)}", count=1 + count)
            (new,) = children_of(program.process.pid)
            knocking.wait_for(new)
    assert knocking.faults == []


def test_new_code_that_cannot_start_leaves_the_inner_port_to_the_old(
    make_app: MakeApp, port: int, tmp_path: Path
) -> None:
    app = make_app(pushing(at(port)))
    app.start()
    (old,) = children_of(app.program.process.pid)  # type: ignore[union-attr]
    go = tmp_path / "go"
    wait = f"while not os.path.exists('{go}'): await asyncio.sleep(0.01)"
    app.write(pushing(at(port), after=f"open('{go}.here', 'w'); {chr(10)}        {wait}; 1 / 0"))
    with Knocking(port) as knocking:
        done: list[int] = []
        reloading = threading.Thread(target=lambda: done.append(app.run("reload").returncode))
        reloading.start()
        wait_until(Path(f"{go}.here").exists, "the new process has the socket")
        assert {ask(port) for _ in range(20)} == {old}, "the new one is not ready"
        go.touch()
        reloading.join()
        assert done == [1]
        knocking.wait_for(old)
    assert knocking.faults == []
    assert set(knocking.answers) == {old}


def test_new_code_may_close_the_port_and_open_it_again(make_app: MakeApp, port: int) -> None:
    app = make_app(pushing(at(port)))
    app.start()
    assert ask(port)
    app.write(pushing(at(port), before="return"))
    assert app.run("reload", "-g").returncode == 0
    assert is_refused(port)
    app.write(pushing(at(port)))
    assert app.run("reload", "-g").returncode == 0
    assert ask(port)


def test_new_code_may_move_the_port(make_app: MakeApp, port: int) -> None:
    app = make_app(pushing(at(port)))
    app.start()
    (other,) = free_ports(1)
    app.write(pushing(at(other)))
    assert app.run("reload", "-g").returncode == 0
    assert ask(other)
    assert is_refused(port)


def test_another_host_with_the_same_port_needs_a_restart_and_the_error_says_so(
    make_app: MakeApp, port: int
) -> None:
    app = make_app(pushing(at(port)))
    app.start()
    old = ask(port)
    app.write(pushing(f"ws://0.0.0.0:{port}"))
    done = app.run("reload")
    assert done.returncode == 1
    assert "which is of this program itself; fix: restart the program once" in done.stderr
    assert "kill" not in done.stderr
    assert ask(port) == old
    os.kill(old, signal.SIGKILL)  # the port is left over in the store, and nobody's
    app.program.wait_for_line(f"listening on ws://0.0.0.0:{port}")  # type: ignore[union-attr]
    assert ask(port) != old


def test_a_port_that_the_kernel_has_chosen_stays(make_app: MakeApp) -> None:
    app = make_app(pushing("ws://127.0.0.1:0", after="print('inside:', inner.port, flush=True)"))
    program = app.start()
    (line,) = program.wait_for_line("inside: ")
    assert app.run("reload", "-g").returncode == 0
    lines = program.wait_for_line("inside: ", count=2)
    assert lines[1].split("inside: ")[1] == line.split("inside: ")[1]
    assert ask(int(line.split("inside: ")[1]))


def test_a_worker_that_the_program_stops_leaves_no_port_open(make_app: MakeApp, port: int) -> None:
    app = make_app(pushing(at(port)))
    app.start()
    with Client(app.port) as client:
        client.open().send("close the port")
        assert client.receive() == "1", "the inner worker is not among those of the master"
        assert is_refused(port)
        client.send("open the port")
        assert client.receive() == "1"
        old = ask(port)
    assert app.run("reload", "-g").returncode == 0
    assert ask(port) != old


def test_a_stop_says_goodbye_inside_as_well(make_app: MakeApp, port: int) -> None:
    app = make_app(pushing(at(port)))
    app.start()
    with Client(port) as client:
        client.open()
        stopping = threading.Thread(target=app.run, args=("stop",))
        stopping.start()
        assert client.receive_close().code == 1001
        client.send_close(1001)
        client.assert_ended()
        stopping.join()
    assert is_refused(port)
    assert "ERROR" not in app.output


def test_a_worker_that_a_task_starts_is_handed_on_too(make_app: MakeApp, port: int) -> None:
    task = "worker.data['task'] = asyncio.create_task(inner.start()); return"
    app = make_app(pushing(at(port), before=task))
    program = app.start()
    program.wait_for_line(f"listening on {at(port)}")
    with Knocking(port) as knocking:
        old = ask(port)
        assert app.run("reload", "-g").returncode == 0
        program.wait_for_line(f"listening on {at(port)}", count=2)
        assert ask(port) != old
    assert knocking.faults == []


def test_a_worker_that_starts_later_waits_for_the_old_process_to_close_the_port(
    make_app: MakeApp, port: int
) -> None:
    later = """async def later():
            while not worker.service.descriptors()[1:]: await asyncio.sleep(0)
            await asyncio.sleep(0.05)  # the port is not taken over any more
            print("opens it", flush=True)
            await inner.start()
        worker.data["task"] = asyncio.create_task(later()); return"""
    app = make_app(pushing(at(port), before=later))
    program = app.start()
    program.wait_for_line(f"listening on {at(port)}")
    (old,) = children_of(program.process.pid)
    os.kill(old, signal.SIGSTOP)  # it is slow to hear that it shall close its port
    reloading = threading.Thread(target=app.run, args=("reload",))
    reloading.start()
    program.wait_for_line("opens it", count=2)
    time.sleep(0.1)  # it has tried once, most likely; both are well
    os.kill(old, signal.SIGCONT)
    reloading.join()
    program.wait_for_line(f"listening on {at(port)}", count=2)
    assert ask(port) != old


def test_two_workers_with_one_port_are_told_apart_from_a_reload(
    make_app: MakeApp, port: int
) -> None:
    twice = f"await Worker('{at(port)}').start()"
    done = make_app(pushing(at(port), after=twice)).run("start")
    assert done.returncode == 1
    assert "of this program itself; fix: give each Worker an address of its own" in (
        done.stdout + done.stderr
    )
    outer = pushing(at(port)).replace("127.0.0.1:0", f"127.0.0.1:{port}")
    done = make_app(outer).run("start")
    assert done.returncode == 1
    assert "fix: give each Worker an address of its own" in done.stdout + done.stderr
    by_hand = BY_HAND.format(count=1, where=f'"127.0.0.1", {port}', more="")
    done = make_app(by_hand.replace("127.0.0.1:0", f"127.0.0.1:{port}")).run("start")
    assert done.returncode == 1
    assert "a Worker of this program has it; fix: listen on another port" in (
        done.stdout + done.stderr
    )


def test_a_gateway_inside_of_a_worker_is_refused(make_app: MakeApp, port: int) -> None:
    gateway = "from lineman import Gateway; Gateway('ws://127.0.0.1:0')"
    done = make_app(pushing(at(port), before=gateway)).run("start")
    assert done.returncode == 1
    assert "make it before Worker.run_all()" in done.stdout + done.stderr


def test_a_unix_socket_stays_at_a_reload_and_goes_at_the_end(
    make_app: MakeApp, tmp_path: Path
) -> None:
    path = tmp_path / "push.sock"
    app = make_app(pushing(f"ws+unix://{path}"))
    app.start()
    inode = path.stat().st_ino
    pids = {ask(0, str(path))}
    for mode in (0o600, 0o666):
        app.write(pushing(f"ws+unix://{path}", inner=f"socket_mode={mode}"))
        assert app.run("reload", "-g").returncode == 0
        pids.add(ask(0, str(path)))
        assert path.stat().st_ino == inode
        assert path.stat().st_mode & 0o777 == mode
    assert len(pids) == 3
    broken = pushing(f"ws+unix://{path}", inner="socket_mode=0o600", after="raise RuntimeError")
    app.write(broken)
    assert app.run("reload", "-g").returncode == 1
    assert ask(0, str(path)) in pids
    assert path.stat().st_mode & 0o777 == 0o666, "new code that fails changes nothing"
    assert app.run("stop").returncode == 0
    assert not path.exists()


def test_a_unix_socket_that_the_new_code_does_not_have_is_removed(
    make_app: MakeApp, tmp_path: Path
) -> None:
    path = tmp_path / "push.sock"
    app = make_app(pushing(f"ws+unix://{path}"))
    app.start()
    app.write(pushing(f"ws+unix://{path}", before="return"))
    assert app.run("reload", "-g").returncode == 0
    assert not path.exists()


def test_tls_sessions_of_the_inner_port_are_resumed_after_a_reload(
    make_app: MakeApp, port: int, tmp_path: Path
) -> None:
    ca = TestCA(tmp_path)
    pair = ca.issue(["localhost"])
    app = make_app(
        pushing(f"wss://127.0.0.1:{port}", inner=f'cert="{pair.cert}", key="{pair.key}"')
    )
    app.start()
    tls = ssl.create_default_context(cafile=ca.ca_path)
    tls.maximum_version = ssl.TLSVersion.TLSv1_2  # whose ticket comes with the handshake

    def connect(session: ssl.SSLSession | None) -> tuple[ssl.SSLSession | None, bool]:
        plain = socket.create_connection(("127.0.0.1", port), DEADLINE)
        with tls.wrap_socket(plain, server_hostname="localhost", session=session) as end:
            return end.session, bool(end.session_reused)

    session, _ = connect(None)
    old = ask(port, tls=tls)
    assert app.run("reload", "-g").returncode == 0
    assert ask(port, tls=tls) != old
    assert connect(session)[1]


def test_workers_inside_a_worker_without_an_address_are_handed_on_too(
    make_app: MakeApp,
) -> None:
    first, second = free_ports(2)
    app = make_app(f"""
        import os
        from lineman import Worker

        worker = Worker(name="ports", drain_seconds=0.1)

        @worker.on_worker_start
        async def start(worker):
            for port in ({first}, {second}):
                inner = Worker(f"ws://127.0.0.1:{{port}}")
                inner.on_message = lambda connection, _: connection.send(str(os.getpid()))
                await inner.start()

        Worker.run_all()
    """)
    app.start()
    with Knocking(first) as one, Knocking(second) as other:
        old = ask(first)
        assert ask(second) == old
        assert app.run("reload", "-g").returncode == 0
        assert ask(first) == ask(second) != old
    assert one.faults == other.faults == []


@pytest.mark.parametrize("before", ["await inner.start()", "if not worker.id: await inner.start()"])
def test_with_several_processes_the_start_is_refused_and_gateway_named(
    make_app: MakeApp, port: int, before: str
) -> None:
    app = make_app(pushing(at(port), outer="count=2", before=before))
    done = app.run("start")
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert re.search(
        r"<Worker push> is started inside <Worker chat>, which has 2 processes.* "
        r"would reach one of them alone, with `if worker.id == 0` the first; fix: use Gateway",
        said,
    )
    assert "Traceback" not in said


def test_what_a_task_group_wraps_is_said_as_it_is(make_app: MakeApp, port: int) -> None:
    group = "async with asyncio.TaskGroup() as group: group.create_task(inner.start())"
    done = make_app(pushing(at(port), outer="count=2", before=group)).run("start")
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "`if worker.id == 0` the first; fix: use Gateway" in said
    assert "TaskGroup" not in said


def test_a_reload_to_several_processes_is_refused_and_the_old_one_goes_on(
    make_app: MakeApp, port: int
) -> None:
    app = make_app(pushing(at(port)))
    app.start()
    old = ask(port)
    app.write(pushing(at(port), outer="count=2"))
    done = app.run("reload")
    assert done.returncode == 1
    assert "use Gateway" in done.stderr
    assert ask(port) == old


GATEWAY = """
    import os
    from lineman import Gateway, Worker

    gateway = Gateway("ws://127.0.0.1:0", workers={workers}, drain_seconds=0.1)

    @gateway.on_worker_start
    async def start(worker):
        inner = Worker("ws://127.0.0.1:{port}")

        @inner.on_message
        def push(connection, message):
            gateway.send_to_all(message)
            connection.send(str(os.getpid()))

        await inner.start()

    Worker.run_all()
"""


def test_several_business_workers_of_a_gateway_are_pushed_to_in_another_way(
    make_app: MakeApp, port: int
) -> None:
    done = make_app(GATEWAY.format(workers=2, port=port)).run("start")
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "which has 2 processes" in said
    assert "fix: have programs push with GatewayClient, `lineman push` or Gateway(…, push=" in said
    assert "fix: use Gateway" not in said


def test_a_single_business_worker_may_have_one_inside(make_app: MakeApp, port: int) -> None:
    app = make_app(GATEWAY.format(workers=1, port=port))
    app.start()
    with Client(app.port) as client:
        client.open()
        for message in ("before", "after"):
            with Client(port) as inside:
                inside.open().send(message)
                assert client.receive() == message
            assert app.run("reload", "-g").returncode == 0


def test_status_shows_what_a_process_listens_on_besides(make_app: MakeApp, port: int) -> None:
    app = make_app(pushing(at(port)))
    app.start()
    with Client(port) as client, Client(port) as plain:
        client.open().send("hello")
        client.receive()
        plain.send_bytes(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert plain.receive_reply().status == 200
        done = app.run("status")
    line = (
        f"chat #0: also listens on {at(port)} (push): 1 connection, 1 message in, 1 plain request"
    )
    assert line in done.stdout.splitlines()
    report = app.status()["children"][0]["report"]
    assert report["inner"][0]["url"] == at(port)
    assert report["connections"] == 0


def test_connections_shows_who_is_inside_too_and_with_which_worker(
    make_app: MakeApp, port: int
) -> None:
    app = make_app(pushing(at(port)))
    app.start()

    def ports(*words: str) -> dict[int, str]:
        rows = json.loads(app.run("connections", "--json", *words).stdout)["rows"]
        return {row["port"]: row["worker"] for row in rows}

    with Client(app.port) as outside, Client(port) as inside:
        outside.open()
        inside.open()
        chat, push = {outside.address[1]: "chat"}, {inside.address[1]: "push"}
        assert ports() == chat | push
        assert ports("--worker", "push") == ports("--worker", at(port)) == push
        assert ports("--worker", "chat") == chat
        assert "\npush " in app.run("connections").stdout


BY_HAND = """
    import asyncio
    from lineman import Worker

    worker = Worker("ws://127.0.0.1:0", name="chat", count={count}, drain_seconds=0.1)

    @worker.on_worker_start
    async def start(worker):
        async def answer(reader, writer):
            writer.write(b"hello")
            writer.close()
        await asyncio.start_server(answer, {where}, {more})

    Worker.run_all()
"""


def test_a_port_opened_by_hand_that_the_old_process_has_is_explained(
    make_app: MakeApp, port: int
) -> None:
    def by_hand(more: str = "") -> str:
        return BY_HAND.format(count=1, where=f'"127.0.0.1", {port}', more=more)

    app = make_app(by_hand())
    app.start()
    (old,) = children_of(app.program.process.pid)  # type: ignore[union-attr]
    done = app.run("reload")
    assert done.returncode == 1
    for words in (
        f"cannot listen on 127.0.0.1:{port}: the port is taken by ",
        f"(process {old}), which is of this program and goes on until the new process is ready",
        "asyncio.start_server(…, reuse_port=True), and restart the program once",
        f'await Worker("ws://127.0.0.1:{port}").start()',
    ):
        assert words in done.stderr
    assert "kill" not in done.stderr

    app.stop()  # and what it says is so
    app.write(by_hand("reuse_port=True"))
    app.start()
    assert app.run("reload", "-g").returncode == 0


def test_a_port_opened_by_hand_in_several_processes_is_explained(
    make_app: MakeApp, port: int
) -> None:
    done = make_app(BY_HAND.format(count=2, where=f'"127.0.0.1", {port}', more="")).run("start")
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert "each of the 2 processes of <Worker chat> would listen there; fix: use Gateway" in said


def test_a_port_opened_by_hand_that_somebody_else_has_is_explained(make_app: MakeApp) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        where = f'"127.0.0.1", {other.getsockname()[1]}'
        done = make_app(BY_HAND.format(count=1, where=where, more="")).run("start")
    assert done.returncode == 1
    said = done.stdout + done.stderr
    assert f"(process {os.getpid()}); fix: stop it: " in said


POOL = """
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor
        pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork"))
        worker.data["pool"] = pool
        print("pool:", pool.submit(os.getpid).result(), flush=True)
"""


def test_processes_that_are_forked_hold_no_inner_port(make_app: MakeApp, port: int) -> None:
    app = make_app(pushing(at(port), after=POOL.strip()))
    program = app.start()
    (line,) = program.wait_for_line("pool: ")
    pid = int(line.split("pool: ")[1])
    try:
        assert ask(port)
        held = {os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir()}
        table = Path(f"/proc/{pid}/net/tcp").read_text()
        inodes = re.findall(r"[0-9]+", " ".join(each for each in held if "socket:" in each))
        tcp = [line.split()[9] for line in table.splitlines()[1:]]
        assert not set(inodes) & set(tcp)
        (child,) = children_of(program.process.pid)
        os.kill(child, signal.SIGKILL)
        program.wait_for_line(f"listening on {at(port)}", count=2)
        app.program.stop()  # type: ignore[union-attr]
        assert is_refused(port)
    finally:
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)


def test_a_program_of_another_user_hands_its_port_on(
    open_folder: Path, prefix: list[str], port: int
) -> None:
    user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    app = App(open_folder, pushing(at(port), outer=f'user="{user}"'), prefix)
    app.script.chmod(0o644)
    try:
        program = app.start()
        with Knocking(port) as knocking:
            old = ask(port)
            assert os.stat(f"/proc/{old}").st_uid == pwd.getpwnam(user).pw_uid
            assert app.run("reload", "-g").returncode == 0, program.output
            assert ask(port) != old
        assert knocking.faults == []
    finally:
        app.stop()
