"""The programs on the pages for people who come from elsewhere do what the programs before did."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from kit.peer_client import PeerClient
from kit.program import Program, free_ports, wait_for_port
from kit.waiting import DEADLINE

HOWTO = Path(__file__).parents[2] / "docs" / "howto"
BEFORE, AFTER, COROUTINE = range(3)


def program(page: str, number: int) -> str:
    """One of the page's programs in Python, as it stands there."""
    text = (HOWTO / page).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)[number]


@contextmanager
def running(text: str, directory: Path) -> Iterator[str]:
    """The program at a port of the test's; gives its address."""
    (port,) = free_ports(1)
    assert text.count("8282") == 1
    (directory / "app.py").write_text(text.replace("8282", str(port)), encoding="utf-8")
    started = Program("app.py", [sys.executable, "app.py"], cwd=directory)
    try:
        wait_for_port(port)
        yield f"ws://127.0.0.1:{port}"
    finally:
        started.stop()
    assert "Traceback" not in started.output.replace("KeyboardInterrupt", "")


@pytest.mark.parametrize("number", [BEFORE, AFTER, COROUTINE])
def test_each_chat_of_the_page_about_websockets_sends_to_all(number: int, tmp_path: Path) -> None:
    text = program("from-websockets.md", number)
    with (
        running(text, tmp_path) as address,
        PeerClient(address) as ada,
        PeerClient(address) as grace,
    ):
        grace.ping()
        for message in ("hello", b"\0\1"):
            ada.send(message)
            assert ada.recv(DEADLINE) == grace.recv(DEADLINE) == message


def test_the_program_after_python_socketio_has_rooms_names_and_refusals(tmp_path: Path) -> None:
    text = program("from-python-socketio.md", AFTER)

    def event(name: str, data: object) -> str:
        return json.dumps({"event": name, "data": data})

    with (
        running(text, tmp_path) as address,
        PeerClient(f"{address}/?name=Ada") as ada,
        PeerClient(f"{address}/?name=Grace") as grace,
    ):
        ada.send(event("enter", "lobby"))
        ada.send(event("say", {"room": "lobby", "text": "one"}))
        said = {"event": "said", "data": {"name": "Ada", "text": "one"}}
        assert json.loads(ada.recv(DEADLINE)) == said
        grace.send(event("say", {"room": "lobby", "text": "not from outside"}))
        grace.send(event("enter", "lobby"))
        grace.send(event("say", {"room": "lobby", "text": "two"}))
        for client in (ada, grace):
            assert json.loads(client.recv(DEADLINE))["data"] == {"name": "Grace", "text": "two"}
        with pytest.raises(InvalidStatus, match="403"), PeerClient(address):
            pass
