"""The rooms example in a real browser: several tabs, and the code reloaded under them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from kit.browser import chromium, console_errors
from kit.program import Program, free_ports
from kit.waiting import DEADLINE

APP = Path(__file__).parents[2] / "examples" / "rooms" / "app.py"

pytestmark = pytest.mark.e2e


class Rooms:
    """The program with its commands."""

    def __init__(self, directory: Path) -> None:
        (port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{port}/"
        self._env = {"ROOMS_PORT": str(port), "RUNTIME_DIRECTORY": str(directory)}
        self.program = Program("rooms", [sys.executable, APP, "start"], env=self._env)
        self.program.wait_for_line("ready:")

    def command(self, word: str) -> None:
        env = {**os.environ, **self._env}
        subprocess.run([sys.executable, APP, word], env=env, check=True, timeout=2 * DEADLINE)


@pytest.fixture
def rooms(tmp_path: Path) -> Iterator[Rooms]:
    rooms = Rooms(tmp_path)
    try:
        yield rooms
    finally:
        rooms.program.stop()


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[webdriver.Chrome]:
    home = tmp_path / "home"
    home.mkdir()
    with chromium(home) as driver:
        yield driver


class Tab:
    """The page in a tab of its own."""

    def __init__(self, driver: webdriver.Chrome, url: str) -> None:
        self._driver = driver
        driver.switch_to.new_window("tab")
        self._tab = driver.current_window_handle
        driver.get(url)
        self.wait_for("status", "Connected")

    def _find(self, name: str) -> webdriver.remote.webelement.WebElement:
        self._driver.switch_to.window(self._tab)
        return self._driver.find_element(By.ID, name)

    def text(self, name: str) -> str:
        return self._find(name).text

    def wait_for(self, name: str, text: str) -> None:
        waiting = WebDriverWait(self._driver, DEADLINE, poll_frequency=0.05)
        waiting.until(lambda _: text in self.text(name), f"#{name} did not show {text!r}")

    def wait_for_all_of(self, name: str, text: str) -> None:
        waiting = WebDriverWait(self._driver, DEADLINE, poll_frequency=0.05)
        waiting.until(lambda _: self.text(name) == text, f"#{name} did not show {text!r} alone")

    def enter(self, name: str, room: str) -> None:
        self._find("name").send_keys(Keys.CONTROL + "a")
        self._find("name").send_keys(name)
        self._find("room").send_keys(Keys.CONTROL + "a")
        self._find("room").send_keys(room + Keys.ENTER)
        self.wait_for("people", name)

    def run(self, script: str, *given: object) -> None:
        self._driver.switch_to.window(self._tab)
        self._driver.execute_script(script, *given)

    def say(self, text: str) -> None:
        self._find("text").send_keys(text + Keys.ENTER)


def test_people_in_a_room_talk_while_the_code_is_reloaded(
    rooms: Rooms, browser: webdriver.Chrome
) -> None:
    anna, bert, carl = (Tab(browser, rooms.url) for _ in range(3))
    anna.enter("Anna", "kitchen")
    bert.enter("Bert", "kitchen")
    carl.enter("Carl", "garden")
    anna.wait_for("people", "Anna, Bert")
    anna.say("the kettle is on")
    bert.wait_for("lines", "Annathe kettle is on")
    rooms.command("reload")
    bert.say("two sugars")
    anna.wait_for("lines", "Berttwo sugars")
    assert carl.text("lines") == ""
    for tab in (anna, bert, carl):
        assert tab.text("status") == "Connected"
    late = Tab(browser, rooms.url)
    late.enter("Dora", "kitchen")
    late.wait_for("lines", "the kettle is on")
    late.wait_for("lines", "two sugars")
    anna.wait_for("people", "Anna, Bert, Dora")
    # A message that comes before the room's history is shown after it, and none is shown twice.
    late.run(
        "const last = {...seen, group: 'kitchen'};"
        "at('lines').replaceChildren(); seen = {epoch: '', offset: 0}; enter();"
        "receive({...last, offset: last.offset + 1, data: JSON.stringify(arguments[0])})",
        {"name": "Anna", "text": "at the same time"},
    )
    late.wait_for("lines", "at the same time")
    assert late.text("lines").split("\n") == [
        "Annathe kettle is on",
        "Berttwo sugars",
        "Annaat the same time",
    ]
    # A member who may have missed messages gets them without having been away.
    late.run(
        "at('lines').replaceChildren(); seen.offset = 0;"
        "receive({kind: 'gap', room: 'another'}); receive({kind: 'gap', room: 'kitchen'})"
    )
    late.wait_for_all_of("lines", "Annathe kettle is on\nBerttwo sugars")
    late.run("seen.offset = 1; receive({...seen, group: 'kitchen', offset: 3})")
    late.wait_for_all_of("lines", "Annathe kettle is on\nBerttwo sugars\nBerttwo sugars")
    # A user who enters another room gets its messages, and no more of the first.
    late.enter("Dora", "garden")
    late.wait_for("people", "Carl, Dora")
    assert late.text("lines") == ""
    anna.wait_for_all_of("people", "Here: Anna, Bert")
    anna.say("where is she?")
    bert.wait_for("lines", "Annawhere is she?")
    carl.say("over here")
    late.wait_for("lines", "Carlover here")
    assert late.text("lines") == "Carlover here"
    assert console_errors(browser) == []
