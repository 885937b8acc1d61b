"""A new version of Lineman is put in place under a running service.

The version before is this source with the wire of that version. With `LINEMAN_BEFORE` in the
environment it is the source at that path, such as `src` of a checkout of the last release.
"""

from __future__ import annotations

import os
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

import lineman
from kit.app import App, MakeApp
from kit.brokers import redis_server, running
from kit.program import free_ports
from kit.waiting import DEADLINE, wait_until
from lineman.gateway.wire import versions
from lineman.testing.client import RawClient

FROM = """
    import sys
    sys.path.insert(0, {!r})
"""
VERSIONS = """
    from lineman.gateway.wire import versions
    versions.own = versions.WireVersions({}, {})
"""
NOW = FROM.format(str(Path(lineman.__file__).parents[1]))
LATER = NOW + VERSIONS.format(8, 9)
OTHER_MASTER = (
    NOW
    + """
    from lineman.process.messages import role
    role.own = (8, 9)
"""
)
BEFORE = NOW + VERSIONS.format(4, 4)
if path := os.environ.get("LINEMAN_BEFORE"):
    BEFORE = FROM.format(path)

PROGRAM = """
    import os
    from lineman import Gateway, HistoryOptions, Worker

    gateway = Gateway(
        "ws://127.0.0.1:{port}", drain_seconds=0.2, stop_timeout=1, broker={broker},
        history=HistoryOptions(), history_frame=lambda group, epoch, offset, message: message,
    )

    @gateway.on_uid_online
    def online(uid):
        print("online:", uid, flush=True)

    @gateway.on_message
    async def message(client, text):
        word, _, rest = text.partition(" ")
        if word == "who":
            client.send("{name} " + str(os.getpid()))
        elif word == "in":
            client.bind(rest)
            client.join("room")
            client.send("in")
        elif word == "say":
            gateway.send_to_group("room", rest)
        elif word == "publish":
            gateway.publish_to_group("room", rest)
        elif word == "count":
            client.send(str(await gateway.get_client_id_count_by_group("room")))

    Worker.metrics = {metrics}
    Worker.run_all()
"""


class Program:
    """A program whose version of Lineman changes."""

    def __init__(self, app: App, broker: str | None = None, metrics: int = 0) -> None:
        self.app = app
        (self.port,) = free_ports(1)
        self._broker = broker
        self._metrics = f"127.0.0.1:{metrics}" if metrics else None

    def install(self, name: str, version: str) -> None:
        """Puts code of a name in place, and the version of Lineman that it runs with."""
        text = PROGRAM.format(
            port=self.port, broker=repr(self._broker), name=name, metrics=repr(self._metrics)
        )
        self.app.write(version + text)

    def connect(self) -> RawClient:
        return RawClient(self.port).open("/")


def ask(client: RawClient, text: str) -> str:
    client.send(text)
    return str(client.receive())


def ready(port: int) -> tuple[int, str]:
    """The answer of /readyz."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=DEADLINE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_reload_serves_the_clients_that_the_version_before_holds(make_app: MakeApp) -> None:
    program = Program(make_app(""))
    program.install("old", BEFORE)
    program.app.start()
    with program.connect() as client:
        assert ask(client, "who").startswith("old ")
        program.install("new", NOW)
        done = program.app.run("reload")
        assert done.returncode == 0, done.stdout + done.stderr
        assert ask(client, "who").startswith("new ")
        assert ask(client, "in a") == "in"
        assert ask(client, "say it") == "it"
        program.install("old", BEFORE)  # and back
        assert program.app.run("reload").returncode == 0
        assert ask(client, "who").startswith("old ")
        assert ask(client, "count") == "1"


def test_a_reload_to_a_version_that_is_not_understood_fails_and_cuts_nobody(
    make_app: MakeApp,
) -> None:
    (metrics,) = free_ports(1)
    program = Program(make_app(""), metrics=metrics)
    program.install("old", NOW)
    program.app.start()
    with program.connect() as client:
        old = ask(client, "who")
        program.install("new", LATER)
        done = program.app.run("reload")
        said = done.stdout + done.stderr
        assert done.returncode != 0
        assert f"it speaks {versions.own} of Lineman's wire, and this process versions 8 to" in said
        assert "fix: first install a version of Lineman that both understand" in said
        assert ask(client, "who") == old
        assert ready(metrics)[0] == 200, program.app.output

        # No worker of the old version is left: this is told, and nobody else is let in for it.
        before = len(program.app.output.splitlines())
        os.kill(int(old.split()[1]), signal.SIGKILL)
        wait_until(lambda: ready(metrics)[0] == 503, "no worker is reached")
        client.send("who")
        program.install("old", NOW)
        assert program.app.run("reload").returncode == 0
        assert str(client.receive()).startswith("old ")
        assert ready(metrics) == (200, "ready\n")
    lines = program.app.output.splitlines()[before:]
    assert len(lines) < 60, "\n".join(lines)


@pytest.fixture
def two(tmp_path: Path) -> Iterator[tuple[Program, Program]]:
    """Two nodes with the code of the version before, which does not run yet, and a broker."""
    with running(redis_server(tmp_path)) as server:
        nodes = []
        for name in ("one", "two"):
            directory = tmp_path / name
            directory.mkdir()
            node = Program(App(directory, ""), f"redis://127.0.0.1:{server.port}")
            node.install(name, BEFORE)
            nodes.append(node)
        try:
            yield nodes[0], nodes[1]
        finally:
            for node in nodes:
                node.app.stop()


def test_nodes_are_upgraded_one_after_the_other(two: tuple[Program, Program]) -> None:
    for node in two:
        node.app.start()
    with two[0].connect() as first:
        assert ask(first, "in a") == "in"
        two[1].app.stop()
        two[1].install("new", NOW)
        two[1].app.start()
        with two[1].connect() as second:
            assert ask(second, "in b") == "in"
            for asker in (first, second):  # the old one asks the new one, and the other way round
                wait_until(lambda asker=asker: ask(asker, "count") == "2", "both are one service")
            for teller, hearer in ((first, second), (second, first)):
                assert ask(teller, "say hello") == "hello"
                assert hearer.receive() == "hello"
                assert ask(teller, "publish it") == "it"
                assert hearer.receive() == "it"
            two[0].install("new", NOW)
            assert two[0].app.run("reload").returncode == 0
            assert ask(first, "who").startswith("new ")
            assert ask(first, "say again") == "again"
            assert second.receive() == "again"
    for node in two:
        assert "bad broker messages" not in node.app.output
        assert "not a message of this version" not in node.app.output, node.app.output


def test_a_node_that_is_not_understood_does_not_start_and_the_others_go_on(
    two: tuple[Program, Program],
) -> None:
    two[0].install("one", NOW)
    two[0].app.start()
    two[1].install("two", LATER)
    two[1].app.start(ready="")
    assert two[1].app.program is not None
    two[1].app.program.wait_for_line("of Lineman's wire, and this process versions 8 to 9")
    with two[0].connect() as client:
        assert ask(client, "in a") == "in"
        assert ask(client, "count") == "1"


def test_a_reload_under_a_master_that_is_not_understood_fails_and_says_what_to_do(
    make_app: MakeApp,
) -> None:
    program = Program(make_app(""))
    program.install("old", NOW)
    program.app.start()
    with program.connect() as client:
        old = ask(client, "who")
        program.install("new", OTHER_MASTER)
        done = program.app.run("reload")
        said = done.stdout + done.stderr
        assert done.returncode != 0
        assert "the master of this program is of another version of Lineman" in said
        assert "fix: lineman restart" in said
        assert ask(client, "who") == old

        # A process that ends now cannot be replaced; the log says why.
        os.kill(int(old.split()[1]), signal.SIGKILL)
        wait_until(lambda: "another version of Lineman" in program.app.output, "it is told")
        program.install("old", NOW)
        assert program.app.run("reload").returncode == 0
        assert ask(client, "who").startswith("old ")
