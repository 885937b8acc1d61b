"""A reload waits for what business workers have under way, and names what it cuts off."""

from __future__ import annotations

from pathlib import Path

from kit.app import MakeApp
from kit.program import free_ports
from kit.waiting import wait_until
from lineman.testing.client import RawClient

PROGRAM = """
    import asyncio, os
    from lineman import Gateway, Worker

    gateway = Gateway("ws://127.0.0.1:{port}", drain_seconds={drain}, stop_timeout=0.2)
    journal = os.open({journal!r}, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    kept = []

    def note(what):
        os.write(journal, (what + "\\n").encode())

    @gateway.on_uid_online
    async def online(uid):
        note("begins")
        await asyncio.sleep({online})
        note("ends")

    async def countdown(room):
        await asyncio.sleep(1000)

    @gateway.on_message
    async def message(client, text):
        client.bind(text)
        kept.append(asyncio.create_task(countdown(text)))
        client.send("in")

    Worker.run_all()
"""


def journal_after_reload(
    make_app: MakeApp, tmp_path: Path, online: float, drain: float
) -> tuple[list[str], str]:
    """What the callbacks of 20 users wrote until a reload was over, and the log."""
    journal = tmp_path / "journal"
    (port,) = free_ports(1)
    app = make_app(PROGRAM.format(port=port, journal=str(journal), online=online, drain=drain))
    app.start()
    clients = [RawClient(port).open("/") for _ in range(20)]
    for number, client in enumerate(clients):
        client.send(f"user {number}")
        assert client.receive() == "in"
    wait_until(lambda: journal.read_text().count("begins") == 20, "all have begun")
    assert app.run("reload").returncode == 0
    wait_until(lambda: "nobody owns" in app.output, "the old worker has ended")
    for client in clients:
        client.close()
    return journal.read_text().split(), app.output


def test_async_callbacks_about_users_finish_over_a_reload(
    make_app: MakeApp, tmp_path: Path
) -> None:
    found, output = journal_after_reload(make_app, tmp_path, 1.0, 20)
    assert found.count("ends") == 20
    assert "cuts them off" not in output
    assert "nobody owns: countdown (20); fix: " in output, output


def test_what_lasts_longer_than_drain_seconds_is_cut_off_by_name(
    make_app: MakeApp, tmp_path: Path
) -> None:
    found, output = journal_after_reload(make_app, tmp_path, 1000, 0.2)
    assert "ends" not in found
    assert "cuts them off: on_uid_online (20); fix: " in output, output
