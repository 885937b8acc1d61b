"""The tutorial's chat in a real browser, behind a real nginx as its page says, and with wss."""

from __future__ import annotations

import os
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from e2e.support.client import Client, http_get, tls
from e2e.support.proxies import binary_of
from e2e.support.render import render
from kit import tutorial
from kit.browser import chromium, console_errors
from kit.program import Program, find_program, free_ports
from kit.tutorial import Chat, chat
from kit.waiting import DEADLINE
from lineman.testing.certificates import IssuedPair

DEPLOYMENT = tutorial.PAGES[-1]
BEHIND_NGINX, DIRECTLY = tutorial.files(DEPLOYMENT)["/srv/chat/lineman.toml"]
(UNIT,) = tutorial.files(DEPLOYMENT)["/etc/systemd/system/chat.service"]
DOMAIN = "chat.example.com"
NGINX = """
daemon off; pid nginx.pid; error_log stderr notice; {user}
events {{}}
http {{ access_log off; {temporary} include chat.conf; }}
"""


class Tab:
    """The chat's page in a tab of its own."""

    def __init__(self, driver: Chrome, url: str) -> None:
        self._driver = driver
        driver.switch_to.new_window("tab")
        self._tab = driver.current_window_handle
        driver.get(url)
        self.wait_for("status", "Connected")

    def _switch(self) -> None:
        self._driver.switch_to.window(self._tab)

    def wait_for(self, name: str, text: str) -> None:
        """Waits until an element shows this text, and no other."""

        def shows(_: Chrome) -> bool:
            self._switch()
            return self._driver.find_element(By.ID, name).text == text

        waiting = WebDriverWait(self._driver, DEADLINE, poll_frequency=0.05)
        waiting.until(shows, f"#{name} did not show {text!r}")

    def type(self, name: str, text: str) -> None:
        """Writes a text in place of what a field has, and presses Enter."""
        self._switch()
        field = self._driver.find_element(By.ID, name)
        field.clear()
        field.send_keys(text + Keys.ENTER)


def test_two_people_talk_on_the_page_and_come_back_after_a_restart(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with chat(tmp_path, 4) as running, chromium(home) as driver:
        url = f"http://localhost:{running.port}/#"
        ada = Tab(driver, url + running.token("ada"))
        grace = Tab(driver, url + running.token("grace"))
        ada.wait_for("people", "ada, grace")
        ada.type("text", "<b>hello</b>")
        grace.wait_for("lines", "ada: <b>hello</b>")
        grace.type("room", "garden")
        grace.wait_for("lines", "")
        ada.wait_for("people", "ada")
        grace.type("text", "nobody is here")
        grace.wait_for("lines", "grace: nobody is here")
        grace.type("room", "lobby")
        grace.wait_for("lines", "ada: <b>hello</b>")
        assert console_errors(driver) == []
        running.stop()
        for tab in (ada, grace):
            tab.wait_for("status", "Connecting again. If this takes long, ask for a new link.")
        running.start()
        for tab in (ada, grace):  # the people that the pages show may be those of before
            tab.wait_for("status", "Connected")
        grace.type("text", "back again")
        ada.wait_for("lines", "grace: back again")


def commands(word: str) -> list[str]:
    """The commands of the page that begin with a word, each in one line."""
    text = "".join(tutorial.blocks(DEPLOYMENT, "sh")).replace("\\\n", " ")
    return [line for line in text.splitlines() if line.startswith(word)]


def of_unit(name: str) -> list[str]:
    """A command of the unit, for the Python of the tests."""
    found = re.search(rf"^{name}=/srv/chat/.venv/bin/lineman (.*)$", UNIT, re.MULTILINE)
    assert found is not None
    return ["-m", "lineman", *found[1].split()]


@contextmanager
def nginx(directory: Path, running: Chat, pair: IssuedPair) -> Iterator[int]:
    """An nginx with the configuration that the page's command prints; its port with TLS."""
    https, http = free_ports(2)
    (command,) = commands(".venv/bin/lineman proxy nginx")
    live = f"/etc/letsencrypt/live/{DOMAIN}"
    places = {
        ".venv/bin/lineman": f"{sys.executable} -m lineman",
        " --user chat": "",  # the user of the test runs all
        f"{live}/fullchain.pem": str(pair.cert),
        f"{live}/privkey.pem": str(pair.key),
        "/etc/nginx/conf.d/chat.conf": str(directory / "chat.conf"),
    }
    ports = f" --https-port {https} --http-port {http} --listen 127.0.0.1"
    command = render(command, places) + ports
    subprocess.run(["bash", "-c", command], cwd=running.directory, check=True, timeout=60)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = " ".join(f"{kind}_temp_path {directory}/{kind};" for kind in kinds)
    user = "user www-data;" if os.geteuid() == 0 else ""
    config = NGINX.format(user=user, temporary=temporary)
    (directory / "nginx.conf").write_text(config, "utf-8")
    program = Program("nginx", [binary_of("nginx"), "-p", directory, "-c", "nginx.conf"])
    try:
        program.wait_for_line("start worker process")
        yield https
    finally:
        program.stop()


@pytest.fixture
def deployed(tmp_path: Path) -> Iterator[Chat]:
    """The files of the last step; the test starts it, and it is ended."""
    directory = tmp_path / "srv"
    directory.mkdir()
    made = Chat(directory, len(tutorial.PAGES))
    try:
        yield made
    finally:
        made.stop()


def line_of(client: Client, kind: str = '"line"') -> str:
    """The next message of a kind."""
    while True:
        message = str(client.recv())
        if f'"kind": {kind}' in message:
            return message


def test_behind_nginx_a_client_stays_while_the_code_is_replaced(
    deployed: Chat, tmp_path: Path, certificate: IssuedPair, trust: ssl.SSLContext
) -> None:
    (deployed.directory / "lineman.toml").write_text(BEHIND_NGINX, "utf-8")
    program = deployed.start(*of_unit("ExecStart"))
    assert "ready: 5 processes" in program.output
    with nginx(tmp_path, deployed, certificate) as port:
        assert "<h1>Chat</h1>" in http_get(tls(port, trust), "/")
        with tls(port, trust) as sock:
            ada = Client(sock, f"/wss?token={deployed.token('ada')}")
            assert ada.response.status_code == 101
            ada.send('{"kind": "enter", "room": "garden"}')
            ada.send('{"kind": "say", "text": "hello"}')
            assert '"name": "ada", "text": "hello"' in line_of(ada)
            deployed.replace('"text": text}', '"text": text.upper()}')
            deployed.run(*of_unit("ExecReload"))
            ada.send('{"kind": "say", "text": "hello"}')
            assert '"name": "ada", "text": "HELLO"' in line_of(ada)
        with tls(port, trust) as sock:
            assert Client(sock, "/wss?token=wrong").response.status_code == 401


def test_with_a_certificate_of_its_own_it_speaks_wss(
    deployed: Chat, certificate: IssuedPair, trust: ssl.SSLContext
) -> None:
    settings = deployed.directory / "lineman.toml"
    settings.write_text(DIRECTLY, "utf-8")
    told = deployed.run("-m", "lineman", "config", "chat.py")
    assert re.search(r"address +'wss://0\.0\.0\.0:443' +lineman\.toml", told)
    assert re.search(r"acme +'you@example\.com' +lineman\.toml", told)
    places = {
        "0.0.0.0:443": f"127.0.0.1:{deployed.port}",
        'acme = "you@example.com"': f'cert = "{certificate.cert}"',
        'domains = ["chat.example.com"]': f'key = "{certificate.key}"',
    }
    settings.write_text(render(DIRECTLY, places), "utf-8")
    deployed.start(*of_unit("ExecStart"))
    assert "<h1>Chat</h1>" in http_get(tls(deployed.port, trust), "/")
    with tls(deployed.port, trust) as sock:
        ada = Client(sock, f"/wss?token={deployed.token('ada')}")
        ada.send('{"kind": "enter", "room": "garden"}')
        assert '"lines": []' in line_of(ada, '"history"')


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "chat.service"
    unit.write_text(UNIT.replace("/srv/chat/.venv/bin/lineman", sys.executable), "utf-8")
    verify = find_program("systemd-analyze", "systemd")
    words = [verify, "verify", "--man=no", str(unit)]
    environment = {**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"}
    done = subprocess.run(
        words, capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert [line for line in done.stderr.splitlines() if "chat." in line] == []
