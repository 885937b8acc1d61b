"""Durable histories over a rolling deployment of two machines, and a restart of both."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.brokers import redis_server, running
from kit.program import Program, free_ports
from lineman.testing.client import RawClient

APP = Path(__file__).parent / "apps" / "durable_app.py"


class Machine:
    """A program of the service, which may be stopped and started again."""

    def __init__(self, directory: Path, broker: str) -> None:
        directory.mkdir(mode=0o700)
        self._env = {"XDG_RUNTIME_DIR": str(directory), "RUNTIME_DIRECTORY": str(directory)}
        self._port = free_ports(1)[0]
        self._words = [sys.executable, str(APP), str(self._port), broker, "start"]
        self._program: Program | None = None
        self.client: RawClient | None = None

    def start(self) -> None:
        self._program = Program("durable_app", self._words, env=self._env)

    def join(self) -> None:
        """Returns when it is ready, and a client is in the room."""
        assert self._program is not None
        self._program.wait_for_line("ready:")
        self.client = RawClient(self._port).open("/")
        self.client.send("join")
        assert self.client.receive() == "joined"

    def stop(self) -> None:
        client, self.client = self.client, None
        if client is not None:
            client.close()
        program, self._program = self._program, None
        if program is not None:
            program.stop()

    def say(self, text: str) -> None:
        assert self.client is not None
        self.client.send(f"say {text}")

    def hear(self, data: str) -> dict[str, Any]:
        """The first message with this text that the client gets."""
        assert self.client is not None
        while (told := json.loads(self.client.receive()))["data"] != data:
            pass
        return dict(told)

    def page(self, place: dict[str, Any]) -> list[Any]:
        """Epoch, offset, whether it is complete, and what came after a place."""
        assert self.client is not None
        self.client.send(f"page {place['epoch']} {place['offset']}")
        while not isinstance(told := json.loads(self.client.receive()), list):
            pass
        return told


@pytest.fixture
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Machine]]:
    directory = tmp_path_factory.mktemp("m")  # a unix socket's path is short
    with running(redis_server(directory)) as server:
        url = f"redis://127.0.0.1:{server.port}"
        found = [Machine(directory / name, url) for name in ("a", "b")]
        try:
            yield found
        finally:
            for machine in found:
                machine.stop()


def test_a_rolling_deployment_and_a_restart_of_all_keep_epoch_and_messages(
    machines: list[Machine],
) -> None:
    one, other = machines
    for machine in machines:
        machine.start()
    for machine in machines:
        machine.join()
    one.say("first")
    place = one.hear("first")
    # One is replaced, and the other one serves meanwhile.
    one.stop()
    other.say("without one")
    assert other.hear("without one")["epoch"] == place["epoch"]
    one.start()
    one.join()
    assert one.page(place) == [place["epoch"], 2, True, ["without one"]]
    # And then both at once.
    for machine in machines:
        machine.stop()
    other.start()
    other.join()
    assert other.page(place) == [place["epoch"], 2, True, ["without one"]]
    other.say("after all")
    told = other.hear("after all")
    assert (told["epoch"], told["offset"]) == (place["epoch"], 3)
