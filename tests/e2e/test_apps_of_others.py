"""Applications of Starlette, FastAPI, Litestar and Channels answer as they do under uvicorn."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.support.wait import WebDriverWait
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from e2e.support.client import DOMAIN, tls, websocket
from e2e.support.proxies import StartProxy
from e2e.support.served_apps import CASES, served
from kit.browser import chromium, console_errors
from kit.waiting import DEADLINE
from lineman.cli.commands.proxy import site_of
from lineman.cli.main import parser

pytestmark = pytest.mark.e2e
# Whether a body without a length is sent with one or in chunks is for the server to decide.
COMPARED = ("content-type", "x-path", "www-authenticate", "allow")

REQUESTS: dict[str, list[tuple[str, str, dict[str, Any]]]] = {
    "starlette": [
        ("GET", "/?a=1", {}),
        ("HEAD", "/", {}),
        ("GET", "/items/7?q=%C3%BC", {}),
        ("GET", "/items/seven", {}),
        ("POST", "/body", {"content": b"x" * 100_000}),
        ("POST", "/body", {"content": iter([b"a", b"b"])}),
        ("GET", "/stream", {}),
        ("DELETE", "/", {}),
    ],
    "fastapi": [
        ("GET", "/", {}),
        ("GET", "/me", {}),
        ("GET", "/me", {"headers": {"Authorization": "Bearer me"}}),
        ("POST", "/items", {"json": {"name": "a", "price": 1}}),
        ("POST", "/items", {"json": {"name": "a"}}),
        ("GET", "/items/seven", {}),
        ("GET", "/openapi.json", {}),
    ],
    "litestar": [
        ("GET", "/", {}),
        ("GET", "/items/7", {}),
        ("POST", "/items", {"json": {"a": "b"}}),
        ("GET", "/closed", {}),
        ("GET", "/nowhere", {}),
    ],
    "channels": [("GET", "/", {}), ("POST", "/items/7", {}), ("GET", "/nowhere", {})],
}


def answers(port: int, case: str) -> list[object]:
    """What the application answers, in the parts that the standard decides."""
    said: list[object] = []
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=DEADLINE) as client:
        for method, path, options in REQUESTS[case]:
            if "content" in options and not isinstance(options["content"], bytes):
                options = {"content": iter([b"a", b"b"])}
            answer = client.request(method, path, **options)
            headers = {name: answer.headers.get(name) for name in COMPARED}
            said.append((method, path, answer.status_code, headers, answer.content))
    return said


def talk(port: int, path: str) -> list[object]:
    """A conversation by websocket, to its end."""
    said: list[object] = []
    url = f"ws://127.0.0.1:{port}"
    with connect(f"{url}{path}", subprotocols=["other", "chat"]) as websocket:
        said.append(websocket.subprotocol)
        if path != "/ws":
            websocket.recv(DEADLINE)  # a pid
        websocket.send("hello")
        said.append(websocket.recv(DEADLINE))
        websocket.send(b"\x00\xff")
        try:
            while True:
                said.append(websocket.recv(DEADLINE))
        except ConnectionClosed as closed:
            said.append((closed.rcvd.code, closed.rcvd.reason))
    with pytest.raises(InvalidStatus) as denied, connect(f"{url}/deny"):
        pass
    return [*said, denied.value.response.status_code]


@pytest.mark.parametrize("case", sorted(REQUESTS))
def test_the_application_answers_here_as_under_uvicorn(case: str, tmp_path: Path) -> None:
    found = {}
    for server in ("lineman", "uvicorn"):
        with served(server, f"{case}_case", tmp_path) as port:
            path = "/ws/room" if case == "channels" else "/ws"
            found[server] = [*answers(port, case), *talk(port, path)]
    for ours, theirs in zip(found["lineman"], found["uvicorn"], strict=True):
        assert ours == theirs


def test_a_whole_application_stands_behind_each_proxy(
    start_proxy: StartProxy, kind: str, trust: ssl.SSLContext, tmp_path: Path
) -> None:
    """As `lineman proxy KIND main:app` writes it: every path, requests and websockets."""
    with served("lineman", "starlette_case", tmp_path) as port:
        case = f"starlette_case:app --app-dir {CASES} --port {port}"
        words = ["proxy", kind, *case.split(), "--domain", DOMAIN, "--cert", "/a", "--key", "/b"]
        wanted = site_of(parser("proxy").parse_args(words))
        proxy = start_proxy(kind, port, path=wanted.path, is_prefix=wanted.is_prefix)
        near = httpx.HTTPTransport(verify=trust)
        with httpx.Client(transport=near, timeout=DEADLINE) as client:
            here = f"https://127.0.0.1:{proxy.https_port}"
            named = {"headers": {"Host": DOMAIN}, "extensions": {"sni_hostname": DOMAIN}}
            assert client.get(f"{here}/", **named).text == "home"
            assert client.get(f"{here}/items/7?q=a", **named).json() == {"n": 7, "q": "a"}
            large = client.post(f"{here}/body", content=b"ab" * 1000, **named)
            assert large.content == b"ba" * 1000
        with websocket(
            tls(proxy.https_port, trust), "/ws", subprotocols=[Subprotocol("chat")]
        ) as client:
            assert client.ask("hello") == "hello"


def test_a_chat_of_channels_reaches_the_clients_of_all_processes(tmp_path: Path) -> None:
    workers = ("--workers", "2")
    with served("lineman", "channels_case", tmp_path, *workers) as port, ExitStack() as stack:
        url = f"ws://127.0.0.1:{port}/ws/room"
        clients, pids = [], set()
        while len(pids) < 2:
            assert len(clients) < 50
            clients.append(stack.enter_context(connect(url, subprotocols=["chat"])))
            pids.add(clients[-1].recv(DEADLINE))
        clients[0].send("to all")
        assert [each.recv(DEADLINE) for each in clients] == ["to all"] * len(clients)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """One browser for all chats."""
    with chromium(tmp_path_factory.mktemp("home")) as driver:
        yield driver


@pytest.mark.parametrize("keeps", [(), ("--keep-clients",)], ids=["plain", "keep-clients"])
@pytest.mark.parametrize("case", sorted(REQUESTS))
def test_a_page_of_a_chat_gets_each_message_once_and_in_order(
    case: str, keeps: tuple[str, ...], browser: Chrome, tmp_path: Path
) -> None:
    with served("lineman", f"{case}_chat", tmp_path, *keeps) as port:
        browser.get(f"http://127.0.0.1:{port}/")

        def is_over(driver: Chrome) -> bool:
            return driver.title.count("1000") == 2

        WebDriverWait(browser, DEADLINE, poll_frequency=0.05).until(is_over, "the chat ends")
        assert browser.title == "2 200 200 200 true 1000,1000"
        assert console_errors(browser) == []
