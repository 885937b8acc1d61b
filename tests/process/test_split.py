"""The log warns once about a room whose clients are in several processes without a gateway."""

from __future__ import annotations

from pathlib import Path

import pytest

from kit.app import App
from kit.waiting import wait_until
from lineman.testing.client import RawClient

SAYS = "reach the clients of one process alone; fix: worker.broadcast(…, everywhere=True)"


@pytest.mark.parametrize("used", ["worker.broadcast(pid)", "len(worker.connections)"])
def test_a_split_room_is_told_once_for_all_processes(tmp_path: Path, used: str) -> None:
    app = App(
        tmp_path,
        f"""
        import os
        from lineman import Worker

        worker = Worker("ws://127.0.0.1:0", name="room", count=3)

        @worker.on_message
        def tell(connection, message):
            pid = str(os.getpid())
            {used}
            connection.send("pid " + pid)

        Worker.run_all()
        """,
    )
    app.start()
    try:
        seen: set[str] = set()
        for _ in range(200):
            with RawClient(app.port) as client:
                client.open().send("where?")
                while not (answer := str(client.receive_message())).startswith("pid "):
                    pass
                seen.add(answer)
            if len(seen) == 3:
                break
        assert len(seen) > 1
        wait_until(lambda: SAYS in app.output, "the log tells it")
        assert app.run("reload", by_script=False).returncode == 0
        with RawClient(app.port) as client:
            client.open().send("where?")
            client.receive_message()
    finally:
        app.stop()
    assert app.output.count(SAYS) == 1
    assert "room runs in 3 processes" in app.output


def test_one_process_has_all_clients_and_says_nothing(tmp_path: Path) -> None:
    app = App(
        tmp_path,
        """
        from lineman import Worker

        worker = Worker("ws://127.0.0.1:0")

        @worker.on_message
        def tell(connection, message):
            worker.broadcast(str(len(worker.connections)))

        Worker.run_all()
        """,
    )
    app.start()
    try:
        with RawClient(app.port) as client:
            client.open().send("how many?")
            assert client.receive_message() == "1"
    finally:
        app.stop()
    assert SAYS not in app.output
