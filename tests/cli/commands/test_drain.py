"""`lineman drain`, with clients on the program."""

from __future__ import annotations

import urllib.error
import urllib.request

import pytest

from kit.app import MakeApp
from kit.program import free_ports
from kit.waiting import wait_until
from lineman.protocols.websocket.decoder import Close
from lineman.testing.client import RawClient

PROGRAM = """
    from lineman import Worker

    Worker.metrics = "127.0.0.1:{metrics}"
    worker = Worker("ws://127.0.0.1:{port}", count=2, close_timeout=0.2, drain_seconds=0.1)

    @worker.on_message
    def reply(connection, message):
        connection.send(message)

    Worker.run_all()
"""


def readyz(port: int) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=10) as answer:
            return answer.status, answer.read().decode().strip()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode().strip()


def status_of(port: int) -> int:
    with RawClient(port) as client:
        client.send_bytes(client.handshake_bytes("/"))
        return client.receive_reply().status


def test_a_node_is_drained_and_serves_again_when_that_is_cancelled(make_app: MakeApp) -> None:
    port, metrics = free_ports(2)
    app = make_app(PROGRAM.format(port=port, metrics=metrics))
    app.start()
    clients = [RawClient(port).open() for _ in range(4)]
    assert readyz(metrics)[0] == 200

    done = app.run("drain", "--over", "1h")
    assert done.returncode == 0, done.stderr
    assert "draining over 1h00m; see it: python app.py status; end it: " in done.stdout
    wait_until(lambda: readyz(metrics) == (503, "the service is draining"), "nobody is sent here")
    shown = app.run("status")
    assert shown.returncode == 1
    assert "app.py: draining; 0 of 2 processes accept clients" in shown.stdout
    assert "of 4 clients were asked to connect again, the last one in 59m" in shown.stdout
    assert {status_of(port) for _ in range(6)} == {503}  # in both processes

    cancelled = app.run("drain", "--cancel")
    assert (cancelled.returncode, cancelled.stdout) == (0, "app.py: the drain is cancelled\n")
    wait_until(lambda: readyz(metrics)[0] == 200, "clients are sent here again")
    assert status_of(port) == 101

    waited = app.run("drain", "--over", "0", "--wait")
    assert (waited.returncode, waited.stderr) == (0, "")
    assert waited.stdout.endswith("app.py: drained\n")
    for client in clients:
        assert client.receive_close() == Close(1012, "please connect again")
        client.close()
    # A process that is started meanwhile refuses clients too.
    reloaded = app.run("reload")
    assert reloaded.returncode == 0
    assert readyz(metrics)[0] == 503


def test_a_share_of_the_clients_is_asked(make_app: MakeApp) -> None:
    port, metrics = free_ports(2)
    app = make_app(PROGRAM.format(port=port, metrics=metrics).replace("count=2", "count=1"))
    app.start()
    clients = [RawClient(port).open() for _ in range(8)]
    done = app.run("drain", "--share", "25%", "--over", "0", "--wait", "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert readyz(metrics)[0] == 200
    wait_until(
        lambda: sum(c["report"]["connections"] for c in app.status()["children"]) == 6,
        "a quarter has left",
    )
    for client in clients:
        client.close()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--share", "0%"), "'0%' is no share; write it like 25%"),
        (("--share", "101%"), "at most 100%"),
        (("--share", "0.5"), "write it like 25%"),
        (("--over", "soon"), "'soon' is no time; write it like 90, 5m or 2h"),
        (("--over", "8d"), "'8d' is more than 7d00h"),
        (("--cancel", "--wait"), "--cancel goes without"),
        (("--cancel", "--share", "5%"), "--cancel goes without"),
        (("--cancle",), "did you mean --cancel?"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    make_app: MakeApp, words: tuple[str, ...], told: str
) -> None:
    done = make_app("").run("drain", *words, by_script=False)
    assert done.returncode == 2
    assert told in done.stderr


def test_a_program_that_does_not_run_is_not_drained(make_app: MakeApp) -> None:
    for words in (("drain",), ("drain", "--cancel")):
        done = make_app("").run(*words, by_script=False)
        assert done.returncode == 1
        assert "does not run" in done.stderr
