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
from pathlib import Path

from kit.app import App, MakeApp
from kit.processes import children_of, is_alive
from kit.program import free_ports
from kit.waiting import DEADLINE, wait_until
from lineman.protocols.websocket.decoder import Close
from lineman.testing.certificates import TestCA
from lineman.testing.client import RawClient
from runtime.pushing import GATEWAY, Knocking, ask, at, is_refused, pushing


def test_reloads_refuse_nobody_on_the_inner_port_and_let_its_clients_go(
    make_app: MakeApp, port: int
) -> None:
    app = make_app(pushing(at(port)))
    app.start()
    with Knocking(port) as knocking:
        for count in range(1, 3):
            (old,) = children_of(app.program.process.pid)  # type: ignore[union-attr]
            knocking.wait_for(old)
            with RawClient(port) as client, RawClient(app.port) as outside:
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
    with RawClient(app.port) as client:
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
    with RawClient(port) as client:
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
    assert ask(port) == old  # it has begun, and its port is in the store
    os.kill(old, signal.SIGSTOP)  # it is slow to hear that it shall close its port
    reloading = threading.Thread(target=app.run, args=("reload",))
    reloading.start()
    program.wait_for_line("opens it", count=2)
    time.sleep(0.1)  # it has tried once, most likely; both are well
    os.kill(old, signal.SIGCONT)
    reloading.join()
    program.wait_for_line(f"listening on {at(port)}", count=2)
    assert ask(port) != old


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


def test_a_single_business_worker_may_have_one_inside(make_app: MakeApp, port: int) -> None:
    app = make_app(GATEWAY.format(workers=1, port=port))
    app.start()
    with RawClient(app.port) as client:
        client.open()
        for message in ("before", "after"):
            with RawClient(port) as inside:
                inside.open().send(message)
                assert client.receive() == message
            assert app.run("reload", "-g").returncode == 0


def test_status_shows_what_a_process_listens_on_besides(make_app: MakeApp, port: int) -> None:
    app = make_app(pushing(at(port)))
    app.start()
    with RawClient(port) as client, RawClient(port) as plain:
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

    with RawClient(app.port) as outside, RawClient(port) as inside:
        outside.open()
        inside.open()
        chat, push = {outside.address[1]: "chat"}, {inside.address[1]: "push"}
        assert ports() == chat | push
        assert ports("--worker", "push") == ports("--worker", at(port)) == push
        assert ports("--worker", "chat") == chat
        assert "\npush " in app.run("connections").stdout


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
