"""The demo's page in a browser."""

from __future__ import annotations

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from kit.waiting import DEADLINE


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
