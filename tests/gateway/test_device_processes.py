"""Devices of a gateway in its real processes: a reload, a death, and what the operator sees."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator

import pytest

from kit.app import App, MakeApp
from kit.device import Device

SERVICE = """
    import os
    from lineman import Gateway, HistoryOptions, Worker

    gateway = Gateway("text://127.0.0.1:0", history=HistoryOptions(), stop_timeout=2)

    @gateway.on_message
    async def said(client, message):
        word, _, rest = message.partition(" ")
        if word == "login":
            client.bind(rest)
            client.join("news")
            client.send("welcome")
        elif word == "pid":
            client.send(str(os.getpid()))
        elif word == "publish":
            gateway.publish_to_group("news", rest)
        elif word == "since":
            epoch, offset = rest.split()
            page = await gateway.get_history("news", epoch, int(offset))
            client.send(f"{page.is_complete} {[kept.data for kept in page.missed]}")

    Worker.run_all()
"""


@pytest.fixture
def app(make_app: MakeApp) -> App:
    app = make_app(SERVICE)
    app.start()
    return app


@pytest.fixture
def device(app: App) -> Iterator[Device]:
    """A device of user 42."""
    with Device("text", app.port) as device:
        device.send("login 42")
        assert device.receive() == b"welcome"
        yield device


def rows_of(app: App, *options: str) -> list[dict[str, object]]:
    done = app.run("connections", "--json", *options, by_script=False)
    assert not done.stderr
    found: list[dict[str, object]] = json.loads(done.stdout)["rows"]
    return found


def test_the_operator_finds_the_connection_of_a_user(app: App, device: Device) -> None:
    with Device("text", app.port) as other:
        other.send("pid")
        other.receive()
        (row,) = rows_of(app, "--uid", "42")
        assert (row["protocol"], row["uid"], row["groups"]) == ("text", "42", 1)
        assert row["port"] == device.plain.getsockname()[1]
        assert rows_of(app, "--uid", "43") == []
        (stranger,) = rows_of(app, "--uid", "")
        assert (stranger["uid"], stranger["groups"]) == ("", 0)
    table = app.run("connections", by_script=False).stdout
    assert "UID" in table
    assert "GROUPS" in table


def test_a_reload_replaces_the_code_and_a_device_stays(app: App, device: Device) -> None:
    device.send("pid")
    before = device.receive()
    app.write(SERVICE.replace("str(os.getpid())", "'new code'"))
    assert app.run("reload").returncode == 0
    device.send("pid")
    assert device.receive() == b"new code" != before
    assert rows_of(app)[0]["uid"] == "42"


def test_a_device_of_a_gateway_process_that_dies_connects_again_and_learns_that_it_has_a_gap(
    app: App, device: Device
) -> None:
    device.send("publish first")
    epoch = json.loads(device.receive())["epoch"]
    (row,) = rows_of(app)
    os.kill(int(str(row["pid"])), signal.SIGKILL)
    with pytest.raises((EOFError, ConnectionResetError)):
        device.receive()
    assert app.program is not None
    app.program.wait_for_line("listening on ", count=2)
    with Device("text", app.port) as again:
        again.send("login 42")
        assert again.receive() == b"welcome"
        again.send(f"since {epoch} 1")
        assert again.receive() == b"False []"
