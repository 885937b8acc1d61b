"""Named timers in real processes: over a reload, a worker's death, and a gateway process' death."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from kit.app import App, MakeApp
from kit.program import free_ports
from kit.waiting import wait_until
from lineman import GatewayClient
from lineman.testing.client import RawClient

PROGRAM = """
    import asyncio, os
    from lineman import Gateway, UsageError, Worker

    gateway = Gateway(
        "ws://127.0.0.1:{port}", workers=2, gateways={gateways}, drain_seconds=0.2, stop_timeout=1,
        push_socket={socket!r},
    )
    journal = os.open({journal!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    @gateway.timer
    async def countdown(room, left):
        os.write(journal, f"{name} {{room}} {{left}} {{os.getpid()}}\\n".encode())
        gateway.send_to_group(room, f"{{left}} left")
        if left == 13:
            os.kill(os.getpid(), 9)
        if left == 77 and "{name}" == "old":
            await asyncio.sleep(1000)

    @gateway.on_message
    def message(client, text):
        word, _, rest = text.partition(" ")
        if word == "in":
            client.join(rest)
            client.send("in")
        elif word == "after":
            seconds, room, left = rest.split()
            gateway.after(float(seconds), "countdown", room, int(left), key=room)
            client.send("set")
        elif word == "every":
            seconds, room, left = rest.split()
            gateway.every(float(seconds), "countdown", room, int(left), key=room)
            client.send("set")
        elif word == "wrong":
            try:
                gateway.after(1, "cuontdown", "a", 1)
            except UsageError as error:
                client.send(str(error))

    Worker.run_all()
"""


class Timed:
    """A service whose timers write into a journal."""

    def __init__(self, make_app: MakeApp, tmp_path: Path, gateways: int = 1) -> None:
        (self.port,) = free_ports(1)
        self.socket = str(tmp_path / "push.sock")
        self._journal = tmp_path / "journal"
        self._gateways = gateways
        self.app: App = make_app("")
        self.install("old")
        self.app.start()

    def install(self, name: str) -> None:
        """Puts code of a name in place."""
        self.app.write(
            PROGRAM.format(
                port=self.port,
                gateways=self._gateways,
                socket=self.socket,
                journal=str(self._journal),
                name=name,
            )
        )

    def calls(self) -> list[list[str]]:
        """The code, room, number and process of each call."""
        return [line.split() for line in self._journal.read_text().splitlines()]


def ask(client: RawClient, text: str) -> str:
    client.send(text)
    return str(client.receive())


def test_timers_outlive_a_reload_and_the_death_of_the_worker_that_has_set_them(
    make_app: MakeApp, tmp_path: Path
) -> None:
    service = Timed(make_app, tmp_path)
    with RawClient(service.port).open("/") as client:
        assert ask(client, "in room") == "in"
        said = ask(client, "wrong")
        assert "no function 'cuontdown' is known for timers, and the program has countdown" in said
        assert ask(client, "after 0 dying 13") == "set"  # the worker dies with it
        wait_until(lambda: [each[1] for each in service.calls()].count("dying") == 3, "given up")
        wait_until(lambda: "is given up" in service.app.output, "and told")
        assert ask(client, "every 0.2 room 3") == "set"
        assert client.receive() == "3 left"
        assert ask(client, "after 0 hanging 77") == "set"  # the reload cuts it off
        service.install("new")
        assert service.app.run("reload").returncode == 0
        for call in (["new", "room", "3"], ["new", "hanging", "77"]):
            wait_until(lambda call=call: call in [each[:3] for each in service.calls()], str(call))
        with GatewayClient(f"unix://{service.socket}") as other:
            assert other.after(0, "countdown", "room", 4, key="room") == "room"
            while (said := client.receive()) != "4 left":
                assert said == "3 left"
            other.every(0.1, "countdown", "room", 5, key="room")
            assert [client.receive() for _ in range(3)] == ["5 left"] * 3
            other.cancel_timer("room")
    assert "cuts them off: timer countdown; fix: " in service.app.output


def test_timers_outlive_one_gateway_process_of_several(make_app: MakeApp, tmp_path: Path) -> None:
    service = Timed(make_app, tmp_path, gateways=2)
    with RawClient(service.port).open("/") as client:
        for number in range(20):
            assert ask(client, f"every 1 room{number} 1") == "set"
    # An order of a worker takes a moment to both homes of a timer.
    wait_until(lambda: timers_kept(service.app) == 40, "both processes keep each of them")
    children = service.app.status()["children"]
    os.kill(next(each["pid"] for each in children if each["worker"] == "gateway"), signal.SIGKILL)
    before = len(service.calls())
    rooms = {f"room{number}" for number in range(20)}
    wait_until(
        lambda: {each[1] for each in service.calls()[before:]} == rooms, "each goes on being called"
    )


def timers_kept(app: App) -> int:
    """How many timers the gateway processes keep, a timer with two homes counted twice."""
    facts = [(child["report"] or {}).get("facts", {}) for child in app.status()["children"]]
    return sum(int(each.get("gateway_timers", 0)) for each in facts)
