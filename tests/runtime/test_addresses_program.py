"""One worker at several addresses, in whole programs: start, status, reload, stop."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from kit.app import MakeApp
from kit.program import free_ports
from kit.waiting import DEADLINE, wait_until
from lineman.testing.client import RawClient

PROGRAM = """
    import os
    from lineman import Worker

    worker = Worker({addresses!r}, {options})

    @worker.on_message
    def reply(connection, message):
        connection.send(f"{{os.getpid()}} {{connection.listen_address}}")

    Worker.run_all()
"""


def program(*addresses: str, options: str = "drain_seconds=0.1, stop_timeout=2") -> str:
    return PROGRAM.format(addresses=list(addresses), options=options)


def ask_line(where: int | Path) -> list[str]:
    """What a text address answers, as words."""
    family = socket.AF_INET if isinstance(where, int) else socket.AF_UNIX
    with socket.socket(family) as client:
        client.settimeout(DEADLINE)
        client.connect(("127.0.0.1", where) if isinstance(where, int) else str(where))
        client.sendall(b"who\n")
        return client.recv(200).decode().split()


def ask_websocket(port: int) -> list[str]:
    with RawClient(port) as client:
        client.open().send("who")
        return str(client.receive()).split()


def is_refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=DEADLINE).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize("count", [1, 2])
def test_every_address_is_served_through_reloads_until_the_stop(
    make_app: MakeApp, tmp_path: Path, count: int
) -> None:
    ws, text = free_ports(2)
    path = tmp_path / "x.sock"
    several = (f"ws://127.0.0.1:{ws}", f"text://127.0.0.1:{text}", f"text+unix://{path}")
    options = f"drain_seconds=0.1, stop_timeout=2, count={count}"
    app = make_app(program(*several, options=options))
    app.start()
    seen: set[str] = set()
    for reloads in range(2):
        found = [ask_websocket(ws), ask_line(text), ask_line(path)]
        assert [address for _, address in found] == list(several)
        pids = {pid for pid, _ in found}
        assert not pids & seen
        seen |= pids
        for address in several:
            assert app.output.count(f"listening on {address}") == count * (1 + reloads)
        told = json.dumps(app.status())
        assert told.count(f'"url": "{", ".join(several)}"') == count
        assert app.run("reload").returncode == 0
    app.stop()
    assert is_refused(ws)
    assert is_refused(text)
    assert not path.exists()


def test_a_reload_may_take_addresses_away_and_add_some(make_app: MakeApp) -> None:
    ports = free_ports(3)
    one, two, three = (f"text://127.0.0.1:{port}" for port in ports)
    app = make_app(program(one, two))
    app.start()
    assert ask_line(ports[1])[1] == two
    for wanted in ([one], [one, three], [one, two, three], [one, three, two]):
        app.write(program(*wanted))
        done = app.run("reload")
        assert done.returncode == 0, done.stderr
        for address, port in zip((one, two, three), ports, strict=True):
            if address in wanted:
                assert ask_line(port)[1] == address
            else:
                wait_until(lambda port=port: is_refused(port), f"{address} is closed")


def test_a_reload_that_fails_keeps_every_address(make_app: MakeApp) -> None:
    one, two = free_ports(2)
    several = f"text://127.0.0.1:{one}", f"text://127.0.0.1:{two}"
    app = make_app(program(*several))
    app.start()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        elsewhere = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        app.write(program(*several, elsewhere))
        done = app.run("reload")
        assert done.returncode == 1
        assert f"cannot listen on {elsewhere}" in done.stderr
    assert [ask_line(port)[1] for port in (one, two)] == list(several)
    app.write(program(*several))
    assert app.run("reload").returncode == 0
    assert [ask_line(port)[1] for port in (one, two)] == list(several)


def test_a_program_does_not_start_where_one_address_is_taken(make_app: MakeApp) -> None:
    (free,) = free_ports(1)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        elsewhere = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        app = make_app(program(f"text://127.0.0.1:{free}", elsewhere))
        done = app.run("start")
    assert done.returncode == 1
    assert f"cannot listen on {elsewhere}: address already in use" in done.stdout + done.stderr
    assert is_refused(free)


def test_an_address_that_a_failed_reload_has_added_is_closed_again(make_app: MakeApp) -> None:
    """Else its clients wait for nobody, and the next reload cannot give it to another worker."""
    one, two, three = free_ports(3)
    first, added, other = (f"text://127.0.0.1:{port}" for port in (one, two, three))
    begin = "Worker.run_all()"
    failing = f"worker.on_worker_start = lambda worker: 1 / 0\n    {begin}"
    options = "count=2, drain_seconds=0.1, stop_timeout=2"
    app = make_app(program(first, options=options))
    app.start()
    app.write(program(first, added, options=options).replace(begin, failing))
    done = app.run("reload")
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert is_refused(two)
    assert ask_line(one)[1] == first
    apart = (
        f"other = Worker({added!r}, drain_seconds=0.1)\n    other.on_message = reply\n    {begin}"
    )
    both = program(first, other, options=options).replace(begin, apart)
    app.write(both)
    assert app.run("reload").returncode == 0
    assert [ask_line(port)[1] for port in (one, two, three)] == [first, added, other]
