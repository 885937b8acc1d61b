"""Each step of the tutorial's chat does what its page says, with the files of that page."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from kit import terminal, tutorial
from kit.peer_client import PeerClient
from kit.terminal import Terminal
from kit.tutorial import chat

STEPS = range(1, 1 + len(tutorial.PAGES))


@pytest.mark.parametrize("step", STEPS)
def test_the_commands_of_a_step_print_what_its_page_says(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:asyncio -p no:cacheprovider")
    tutorial.write_step(tmp_path, step)
    if step > 1:
        (tmp_path / "secret.txt").write_text(tutorial.SECRET)
    shell = Terminal(tmp_path, [8282], tmp_path.glob("*.py"))
    try:
        for each in terminal.parse(tutorial.session(tutorial.PAGES[step - 1])):
            printed = shell.run(each.command)
            assert terminal.fits(each.output, printed), f"$ {each.command}\n{printed}"
    finally:
        shell.close()
        command = [sys.executable, "-m", "lineman", "stop", "chat.py"]
        subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)


def send(client: PeerClient, **message: Any) -> None:
    client.send(json.dumps(message))


def receive(client: PeerClient) -> Any:
    return json.loads(client.recv())


def test_people_with_a_token_hear_each_other_and_others_do_not_get_in(tmp_path: Path) -> None:
    with chat(tmp_path, 1) as running, running.login("ada") as ada:
        assert ada.recv() == "ada is here"
        with running.login("grace") as grace:
            assert ada.recv() == grace.recv() == "grace is here"
            grace.send("hello")
            assert ada.recv() == grace.recv() == "grace: hello"
        assert ada.recv() == "grace has left"
        for token in ("", "wrong", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ."):  # "alg": "none"
            with pytest.raises(InvalidStatus, match="401"):
                running.come(token)


def test_people_in_a_room_hear_each_other_and_see_who_comes_and_goes(tmp_path: Path) -> None:
    def people(*names: str) -> dict[str, Any]:
        return {"kind": "people", "room": "garden", "names": [*names]}

    with chat(tmp_path, 2) as running, running.login("grace") as grace:
        with running.login("ada") as ada:
            send(ada, kind="enter", room="garden")
            assert receive(ada) == people("ada")
            send(grace, kind="enter", room="garden")
            assert receive(ada) == receive(grace) == people("ada", "grace")
            send(ada, kind="say", text="hello")
            line = {"kind": "line", "room": "garden", "name": "ada", "text": "hello"}
            assert receive(ada) == receive(grace) == line
            send(grace, kind="enter", room="kitchen")
            assert receive(ada) == people("ada")
            assert receive(grace) == {"kind": "people", "room": "kitchen", "names": ["grace"]}
            ada.send("[" * 5000)
            assert receive(ada)["kind"] == "error"
            send(ada, kind="enter", room="kitchen")
            assert receive(grace)["names"] == ["ada", "grace"]
        assert receive(grace)["names"] == ["grace"]


def test_a_person_who_comes_later_gets_what_was_said(tmp_path: Path) -> None:
    with ExitStack() as stack:
        running = stack.enter_context(chat(tmp_path, 3))
        ada = stack.enter_context(running.login("ada"))
        send(ada, kind="enter", room="garden")
        assert receive(ada) == {"kind": "history", "room": "garden", "lines": []}
        assert receive(ada)["kind"] == "people"
        send(ada, kind="say", text="is anybody here?")
        line = receive(ada)
        assert (line["kind"], line["name"], line["text"]) == ("line", "ada", "is anybody here?")
        grace = stack.enter_context(running.login("grace"))
        send(grace, kind="enter", room="garden")
        assert receive(grace) == {"kind": "history", "room": "garden", "lines": [line]}


def test_the_test_of_the_page_finds_a_broken_program(tmp_path: Path) -> None:
    tutorial.write_step(tmp_path, 5)
    (tmp_path / "secret.txt").write_text(tutorial.SECRET)
    program = (tmp_path / "chat.py").read_text("utf-8")
    broken = program.replace('"text": text}', '"text": "hm"}')
    assert broken != program
    (tmp_path / "chat.py").write_text(broken, "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:asyncio", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert "2 failed, 3 passed" in done.stdout, done.stdout + done.stderr
