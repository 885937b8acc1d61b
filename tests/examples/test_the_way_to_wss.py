"""The programs on the pages about wss without a web server, and about the client's address."""

from __future__ import annotations

import http.client
import re
import ssl
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from kit.peer_client import PeerClient
from kit.program import Program, free_ports, wait_for_port
from kit.waiting import DEADLINE
from lineman.testing.certificates import IssuedPair

HOWTO = Path(__file__).parents[2] / "docs" / "howto"


def programs(page: str) -> list[str]:
    """The Python blocks of a page."""
    text = (HOWTO / page).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def replaced(text: str, *changes: tuple[str, str]) -> str:
    """A text with some words changed, each of which stands in it once."""
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


@contextmanager
def running(text: str, directory: Path, port: int) -> Iterator[Program]:
    """The program, when it has its port."""
    (directory / "app.py").write_text(text, encoding="utf-8")
    started = Program("app.py", [sys.executable, "app.py"], cwd=directory)
    try:
        wait_for_port(port)
        yield started
    finally:
        started.stop()


def test_the_worker_without_a_web_server_serves_its_page_and_wss_on_one_port(
    tmp_path: Path, certificate: IssuedPair, client_tls: ssl.SSLContext
) -> None:
    (program,) = programs("wss-without-a-web-server.md")
    (port,) = free_ports(1)
    program = replaced(
        program,
        ("0.0.0.0:443", f"127.0.0.1:{port}"),
        ("/etc/letsencrypt/live/domain.com/fullchain.pem", str(certificate.cert)),
        ("/etc/letsencrypt/live/domain.com/privkey.pem", str(certificate.key)),
    )
    with running(program, tmp_path, port):
        asking = http.client.HTTPSConnection(
            "localhost", port, context=client_tls, timeout=DEADLINE
        )
        with closing(asking):
            asking.request("GET", "/")
            answer = asking.getresponse()
            assert answer.getheader("Content-Type") == "text/html; charset=utf-8"
            assert b"new WebSocket(`wss://${location.host}/`)" in answer.read()
        with PeerClient(f"wss://localhost:{port}/", ssl=client_tls) as client:
            client.send("hello")
            assert client.recv() == "127.0.0.1 said hello"


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, int, Program]]:
    """The page's two workers, in one program: the ports behind one proxy, and behind several."""
    program, several = programs("the-clients-address.md")
    one, two = free_ports(2)
    text = replaced(program, ("8282", str(one)))
    other = replaced(several, ("8282", str(two)), ("worker = ", "several = "))
    text = replaced(
        text, ("Worker.run_all()", f"{other}\nseveral.on_message = reply\nWorker.run_all()")
    )
    with running(text, tmp_path_factory.mktemp("address"), one) as started:
        wait_for_port(two)
        yield one, two, started


def told(port: int, *headers: tuple[str, str]) -> str:
    """What the program says to a client with these headers."""
    with PeerClient(f"ws://127.0.0.1:{port}", additional_headers=headers) as client:
        client.send("hello")
        return str(client.recv())


def test_a_trusted_proxy_says_who_the_client_is(behind: tuple[int, int, Program]) -> None:
    answer = told(behind[0], ("X-Real-IP", "203.0.113.9"))
    assert answer.startswith("client 203.0.113.9, connected by 127.0.0.1:")
    page = (HOWTO / "the-clients-address.md").read_text(encoding="utf-8")
    assert "`client 203.0.113.9, connected by 127.0.0.1:…`" in page


def test_a_trusted_proxy_that_does_not_say_it_leaves_it_unknown(
    behind: tuple[int, int, Program],
) -> None:
    assert told(behind[0], ("X-Forwarded-For", "203.0.113.9")).startswith("client unknown,")
    behind[2].wait_for_line("(nginx): proxy_set_header X-Real-IP $remote_addr;")


def test_behind_several_proxies_it_is_the_nearest_address_that_is_none_of_them(
    behind: tuple[int, int, Program],
) -> None:
    claimed = ("X-Forwarded-For", "6.6.6.6, 203.0.113.9, 198.51.100.7")
    assert told(behind[1], claimed).startswith("client 203.0.113.9,")


def test_a_header_that_is_not_named_is_not_read(behind: tuple[int, int, Program]) -> None:
    real = ("X-Forwarded-For", "203.0.113.9")
    assert told(behind[1], real, ("X-Real-IP", "6.6.6.6")).startswith("client 203.0.113.9,")
