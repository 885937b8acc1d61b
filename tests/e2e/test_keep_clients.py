"""A deploy that no client sees: a page in a real Chromium counts through five reloads."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.support.wait import WebDriverWait

from kit.browser import chromium
from kit.chat_app import CHAT
from kit.program import Program, free_ports
from kit.waiting import DEADLINE


def asked(port: int, path: str, data: bytes | None = None) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", data, DEADLINE) as answer:
        return bytes(answer.read())


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """The port of the chat, which is served."""
    (port,) = free_ports(1)
    (tmp_path / "main.py").write_text(CHAT)
    command = [sys.executable, "-m", "lineman", "serve", "main:app", "--port", str(port)]
    program = Program("serve", [*command, "--keep-clients"], cwd=tmp_path)
    try:
        program.wait_for_line("ready: ")
        yield port
    finally:
        program.stop()


def test_a_page_misses_nothing_over_five_reloads(tmp_path: Path, port: int) -> None:
    assert json.loads(asked(port, "/version")) == {"version": "one", "host": "127.0.0.1"}
    assert asked(port, "/size", b"x" * 3_000_000) == b"3000000"
    assert len(asked(port, "/pieces")) == 2_000_000
    with chromium(tmp_path / "home") as driver:
        driver.get(f"http://127.0.0.1:{port}/")

        def figures() -> list[str]:
            return str(driver.title).split(" ")

        WebDriverWait(driver, DEADLINE).until(lambda _: int(figures()[2]) > 20)
        for version in ("two", "three", "four", "five", "six"):
            (tmp_path / "main.py").write_text(CHAT.replace('"one"', f'"{version}"'))
            done = subprocess.run(
                [sys.executable, "-m", "lineman", "reload", "main:app"],
                cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE, check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr
            assert json.loads(asked(port, "/version"))["version"] == version
        WebDriverWait(driver, DEADLINE).until(lambda _: figures()[4] == "6")
        driver.execute_script("clearInterval(1); for (let i = 0; i < 99; i++) clearInterval(i)")
        WebDriverWait(driver, DEADLINE).until(lambda _: figures()[1] == figures()[2])
        closed, sent, got, is_in_order, versions = figures()
        assert (closed, is_in_order, versions) == ("0", "true", "6")
        assert int(sent) == int(got) > 100
