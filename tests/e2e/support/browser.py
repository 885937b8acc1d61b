"""A real Chromium with its own home, profile and trusted authorities, and the demo page in it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from kit.program import find_program
from kit.waiting import DEADLINE

SWITCHES = (
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--window-size=1200,900",
)


def trust(home: Path, authorities: Sequence[Path]) -> None:
    """Make a browser with this home directory trust these authorities for servers."""
    certutil = find_program("certutil", "libnss3-tools")
    database = home / ".pki" / "nssdb"
    where = ["-d", f"sql:{database}"]
    if not database.exists():  # else somebody else has made it, which is what is tested
        database.mkdir(parents=True)
        subprocess.run([certutil, *where, "-N", "--empty-password"], check=True)
    for number, authority in enumerate(authorities):
        # "C,,": may vouch for servers, neither for mail nor for code.
        add = ["-A", "-t", "C,,", "-n", f"authority {number}", "-i", str(authority)]
        subprocess.run([certutil, *where, *add], check=True)


@contextmanager
def chromium(
    home: Path, authorities: Sequence[Path] = (), *, here: str = ""
) -> Iterator[webdriver.Chrome]:
    """A headless Chromium that is as strict as a user's own: no switch makes it lenient.

    Args:
        home: a directory for its home and its profile; it may have a store of authorities.
        authorities: PEM files of the certificate authorities that it trusts, beside the usual ones.
        here: names that lead to this machine, such as `*.example`.
    """
    trust(home, authorities)
    options = webdriver.ChromeOptions()
    options.binary_location = find_program("chromium", "chromium")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for switch in (*SWITCHES, f"--user-data-dir={home / 'profile'}"):
        options.add_argument(switch)
    if here:
        options.add_argument(f"--host-resolver-rules=MAP {here} 127.0.0.1")
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # as root Chromium does not start with it
    # Where a proxy or another home is set for this machine, it must not lead the browser away.
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy") and not name.startswith("XDG_")
    }
    env["HOME"] = str(home)
    # With the driver's path given, selenium looks for none to download.
    driver_path = find_program("chromedriver", "chromium-driver")
    service = Service(executable_path=driver_path, env=env)
    driver = webdriver.Chrome(options=options, service=service)
    try:
        yield driver
    finally:
        driver.quit()


def console_errors(driver: webdriver.Chrome) -> list[dict[str, Any]]:
    """The errors and warnings in the browser's console since the last call."""
    entries: list[dict[str, Any]] = driver.get_log("browser")  # type: ignore[no-untyped-call]
    return [entry for entry in entries if entry["level"] in ("SEVERE", "WARNING")]


class DemoPage:
    """The demo page in a tab of its own, connected.

    Args:
        driver: a browser that trusts the server's authority.
        url: where the page is.
    """

    def __init__(self, driver: webdriver.Chrome, url: str) -> None:
        self.driver = driver
        driver.switch_to.new_window("tab")
        self.tab = driver.current_window_handle
        driver.get(url)
        self.wait_for_status("Connected")

    def text(self, name: str) -> str:
        """What is written in the element with this id."""
        self.driver.switch_to.window(self.tab)
        return self.driver.find_element(By.ID, name).text

    def wait_for_text(self, name: str, text: str) -> str:
        """Wait until the element with this id shows the text; all that it shows."""

        def shows(_: webdriver.Chrome) -> bool:
            return text in self.text(name)

        waiting = WebDriverWait(self.driver, DEADLINE, poll_frequency=0.05)
        waiting.until(shows, f"#{name} did not show {text!r}")
        return self.text(name)

    def wait_for_status(self, words: str) -> None:
        """Wait until the status pill shows these words."""
        self.wait_for_text("status", words)

    def wait_for_line(self, text: str) -> None:
        """Wait until this line is in the chat."""
        self.wait_for_text("lines", text)

    def call_oneself(self, name: str) -> None:
        """Type a name, and wait until the server has told it to everybody here."""
        self.driver.switch_to.window(self.tab)
        field = self.driver.find_element(By.ID, "name")
        field.send_keys(Keys.CONTROL + "a")
        field.send_keys(name + Keys.ENTER)
        self.wait_for_text("online", name)

    def say(self, text: str) -> None:
        """Type a chat line and press Enter, until the page has sent it.

        A tab that has just come to the front may miss keys.
        """
        self.driver.switch_to.window(self.tab)
        field = self.driver.find_element(By.ID, "text")
        field.send_keys(text)

        def is_sent(_: webdriver.Chrome) -> bool:
            if field.get_property("value") == text:
                field.send_keys(Keys.ENTER)
            elif field.get_property("value"):
                field.clear()
                field.send_keys(text)
            return not field.get_property("value")

        WebDriverWait(self.driver, DEADLINE, poll_frequency=0.05).until(is_sent, f"{text!r} stays")
