"""The demo page in a real Chromium that trusts our authorities: direct wss, and through a proxy."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome

from e2e.support.demo_page import DemoPage
from e2e.support.proxies import KINDS, StartProxy
from kit.browser import chromium, console_errors
from kit.program import Program
from lineman.testing.certificates import TestCA

DEMO = Path(__file__).parents[2] / "examples" / "demo" / "app.py"


@contextmanager
def demo(directory: Path, port: int = 0, **environment: str) -> Iterator[tuple[Program, int]]:
    """The demo as `make demo` runs it, and the port where it listens."""
    env = {"DEMO_DIRECTORY": str(directory), "DEMO_PORT": str(port), **environment}
    with tempfile.TemporaryDirectory() as run:  # several run at once
        program = Program("demo", [sys.executable, DEMO], env={**env, "RUNTIME_DIRECTORY": run})
        try:
            (line, *_) = program.wait_for_line("listening on ")
            address = line.split("listening on ")[1].split()[0]
            yield program, int(address.rsplit(":", 1)[1])
        finally:
            program.stop()


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the demo keeps the certificates that it makes."""
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def address(directory: Path) -> Iterator[str]:
    """The demo's page, served by the worker itself over TLS."""
    with demo(directory) as (_, port):
        yield f"https://localhost:{port}/"


@pytest.fixture(scope="module")
def shared_browser(
    address: str, directory: Path, ca: TestCA, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Chrome]:
    """One browser for all: it trusts the demo's authority and that of the proxies."""
    authorities = [directory / "ca.pem", ca.ca_path]
    with chromium(tmp_path_factory.mktemp("home"), authorities) as driver:
        yield driver


@pytest.fixture
def browser(shared_browser: Chrome) -> Iterator[Chrome]:
    """The browser with one empty tab and an empty console; what a test opens is closed after it."""
    (empty,) = shared_browser.window_handles
    console_errors(shared_browser)
    yield shared_browser
    for tab in shared_browser.window_handles:
        if tab != empty:
            shared_browser.switch_to.window(tab)
            shared_browser.close()
    shared_browser.switch_to.window(empty)


@pytest.fixture
def behind(
    request: pytest.FixtureRequest, start_proxy: StartProxy, directory: Path
) -> Iterator[str]:
    """The same page behind a proxy: `/wss` and all below it is the demo's, page and socket."""
    with demo(directory, DEMO_TLS="off") as (_, port):
        proxy = start_proxy(request.param, port, path="/", is_prefix=True, domain="localhost")
        yield f"https://localhost:{proxy.https_port}/?ws=/wss"


def test_the_page_sends_tom_and_sees_the_reply(browser: Chrome, address: str) -> None:
    page = DemoPage(browser, address)
    assert page.text("detail") == address.replace("https:", "wss:")
    # As a visitor does: the page has put the cursor where one types.
    browser.switch_to.active_element.send_keys("tom\n")
    page.wait_for_line("tom")
    assert "back in" in page.text("lines")
    page.wait_for_text("rtt", " ms")
    assert page.text("online").split()[0] == "1"
    assert console_errors(browser) == []


def test_two_tabs_talk_to_each_other(browser: Chrome, address: str) -> None:
    ada = DemoPage(browser, address)
    ada.call_oneself("Ada")
    grace = DemoPage(browser, address)
    grace.call_oneself("Grace")
    ada.wait_for_text("online", "2 Ada, Grace")
    ada.say("are you there?")
    grace.wait_for_line("are you there?")
    grace.say("I am")
    ada.wait_for_line("I am")
    assert "Grace" in ada.text("lines")
    assert console_errors(browser) == []


def test_what_somebody_writes_is_text_and_never_markup(browser: Chrome, address: str) -> None:
    page = DemoPage(browser, address)
    attack = "<img src=x onerror=alert(1)><b>bold</b>"
    page.call_oneself("<i>me</i>")
    page.say(attack)
    page.wait_for_line(attack)
    assert (
        browser.execute_script("return document.querySelectorAll('main img, main b').length") == 0
    )
    assert console_errors(browser) == []


def test_every_field_of_the_page_has_a_label(browser: Chrome, address: str) -> None:
    DemoPage(browser, address)
    unlabelled = (
        "return [...document.querySelectorAll('input')].filter(i => !i.labels.length).length"
    )
    assert browser.execute_script(unlabelled) == 0


@pytest.mark.parametrize("behind", KINDS, indirect=True)
def test_the_page_does_the_same_through_a_proxy(browser: Chrome, behind: str) -> None:
    ada = DemoPage(browser, behind)
    assert ada.text("detail").endswith("/wss")
    ada.say("tom")
    ada.wait_for_line("tom")
    grace = DemoPage(browser, behind)
    grace.say("is this the same room?")
    ada.wait_for_line("is this the same room?")
    ada.say("it is")
    grace.wait_for_line("it is")
    assert console_errors(browser) == []


def test_the_page_says_why_it_was_disconnected_and_comes_back_after_a_restart(
    browser: Chrome, directory: Path
) -> None:
    with demo(directory) as (first, port):
        page = DemoPage(browser, f"https://localhost:{port}/")
        page.call_oneself("Ada")
        first.stop()
        page.wait_for_status("Closed")
        page.wait_for_text("wire", "close 1001: ")  # said goodbye, not just gone
    with demo(directory, port):
        page.wait_for_status("Connected")
        page.wait_for_text("online", "1 Ada")
        page.say("back again")
        page.wait_for_line("back again")


def test_a_visitor_may_hang_up_and_call_again(browser: Chrome, address: str) -> None:
    page = DemoPage(browser, address)
    browser.find_element("id", "toggle").click()
    page.wait_for_status("Closed 1000")
    browser.find_element("id", "toggle").click()
    page.wait_for_status("Connected")
    assert console_errors(browser) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_the_line_for_phones_names_no_address_of_the_phones_own(tmp_path: Path, host: str) -> None:
    with demo(tmp_path, DEMO_HOST=host) as (program, _):
        (line, *_) = program.wait_for_line("Phone ")
    assert "localhost" not in line
    assert "127.0.0.1" not in line


def test_without_the_authority_in_its_store_the_browser_refuses_the_page(
    address: str, tmp_path: Path
) -> None:
    with chromium(tmp_path) as stranger:
        try:
            stranger.get(address)
            seen = stranger.page_source
        except WebDriverException as error:  # as older drivers report it
            seen = str(error.msg)
    assert "ERR_CERT_AUTHORITY_INVALID" in seen
