"""Every example is a program that runs as it stands; only its port is another."""

from __future__ import annotations

import asyncio
import re
import smtplib
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedError

from kit.device import Device
from kit.peer_client import PeerClient
from kit.program import Program, free_ports
from kit.waiting import DEADLINE
from lineman import Connection, Worker
from lineman.testing.certificates import TestCA
from lineman.testing.client import RawClient

EXAMPLES = Path(__file__).parents[2] / "examples"
HELLO = ("hello_wss.py", "workerman_style.py")
DEMO = EXAMPLES / "demo" / "app.py"


@pytest.fixture
def ca(tmp_path: Path) -> TestCA:
    """An authority; the directory then holds `server.pem` and `server.key`, as the examples say."""
    authority = TestCA(tmp_path)
    authority.issue(["localhost", "127.0.0.1"])
    return authority


@contextmanager
def running(script: Path, directory: Path, **env: str) -> Iterator[str]:
    """The program, working in the directory; gives the address where it listens."""
    program = Program(script.name, [sys.executable, script, "start"], env=env, cwd=directory)
    try:
        (line, *_) = program.wait_for_line("listening on ")
        scheme, _, rest = line.split("listening on ")[1].split()[0].partition("://")
        yield f"{scheme}://localhost:{int(rest.rsplit(':', 1)[1])}"
    finally:
        status = program.stop()
    assert status == 0, program.output
    assert "Traceback" not in program.output


@contextmanager
def example(name: str, directory: Path) -> Iterator[str]:
    """A copy of the example whose port is one that is free."""
    text = (EXAMPLES / name).read_text(encoding="utf-8")
    assert text.count(":8282") == 1
    copy = directory / name
    copy.write_text(text.replace(":8282", ":0"), encoding="utf-8")
    with running(copy, directory) as address:
        yield address


@contextmanager
def client(address: str, ca: TestCA | None = None, **options: Any) -> Iterator[PeerClient]:
    """A websocket that trusts this authority only."""
    if ca is not None:
        options["ssl"] = ssl.create_default_context(cafile=ca.ca_path)
    with PeerClient(address, **options) as connection:
        yield connection


@pytest.mark.parametrize("name", HELLO)
def test_both_programs_of_the_design_answer_ok_over_wss(
    name: str, ca: TestCA, tmp_path: Path
) -> None:
    with example(name, tmp_path) as address, client(address, ca) as connection:
        assert address.startswith("wss://")
        connection.send("tom")
        assert connection.recv(DEADLINE) == "ok"
        connection.send(b"tom")
        assert connection.recv(DEADLINE) == "ok"


@pytest.mark.parametrize("name", HELLO)
def test_without_its_certificate_a_program_names_the_file_and_fails(
    name: str, tmp_path: Path
) -> None:
    program = Program(name, [sys.executable, EXAMPLES / name], cwd=tmp_path)
    status = program.process.wait(DEADLINE)
    program.stop()
    assert status == 1
    assert "server.pem" in program.output
    assert "Traceback" not in program.output


def test_async_chat_tells_everybody_who_comes_speaks_and_goes(ca: TestCA, tmp_path: Path) -> None:
    with example("async_chat.py", tmp_path) as address, client(address, ca) as ada:
        assert ada.recv(DEADLINE) == "what is your name?"
        ada.send("Ada")
        assert ada.recv(DEADLINE) == "Ada joined, 1 here"
        with client(address, ca) as grace:
            grace.recv(DEADLINE)
            grace.send("Grace")
            assert ada.recv(DEADLINE) == grace.recv(DEADLINE) == "Grace joined, 2 here"
            grace.send("hello")
            assert ada.recv(DEADLINE) == grace.recv(DEADLINE) == "Grace: hello"
        assert ada.recv(DEADLINE) == "Grace left, 1 here"


def test_async_chat_refuses_binary_messages_with_1003(ca: TestCA, tmp_path: Path) -> None:
    with example("async_chat.py", tmp_path) as address, client(address, ca) as connection:
        connection.recv(DEADLINE)
        connection.send(b"tom")
        with pytest.raises(ConnectionClosedError, match="1003"):
            connection.recv(DEADLINE)


def test_behind_proxy_answers_with_the_address_that_its_proxy_reports(tmp_path: Path) -> None:
    said = {"X-Real-IP": "203.0.113.9"}
    with (
        example("behind_proxy.py", tmp_path) as address,
        client(address, additional_headers=said) as connection,
    ):
        connection.send("who am I?")
        assert connection.recv(DEADLINE) == "ok, 203.0.113.9"


def test_timer_push_sends_each_second_and_what_was_said_half_a_second_ago(tmp_path: Path) -> None:
    with example("timer_push.py", tmp_path) as address, client(address) as connection:
        assert re.fullmatch(r"\d\d:\d\d:\d\d", str(connection.recv(DEADLINE)))
        connection.send("hello")
        said = {connection.recv(DEADLINE) for _ in range(4)}
        assert "half a second ago: hello" in said


def test_cron_runs_its_jobs(tmp_path: Path) -> None:
    program = Program("cron.py", [sys.executable, EXAMPLES / "cron.py", "start"], cwd=tmp_path)
    try:
        program.wait_for_line("each second", count=2)
    finally:
        assert program.stop() == 0, program.output
    assert "Traceback" not in program.output


def test_push_inside_passes_on_what_other_programs_post(tmp_path: Path) -> None:
    text = (EXAMPLES / "push_inside.py").read_text(encoding="utf-8")
    (inner,) = free_ports(1)
    copy = tmp_path / "push_inside.py"
    copy.write_text(text.replace(":8282", ":0").replace(":5678", f":{inner}"), encoding="utf-8")

    def push(name: str) -> str:
        words = b"your order has left"
        with urllib.request.urlopen(f"http://127.0.0.1:{inner}/{name}", words, DEADLINE) as answer:
            return str(answer.read().decode())

    with running(copy, tmp_path) as address, client(address) as ada:
        ada.send("ada")
        ada.ping()  # what was sent before it has been read
        assert push("ada") == "ok\n"
        assert ada.recv(DEADLINE) == "your order has left"
        with pytest.raises(urllib.error.HTTPError, match="404") as caught:
            push("grace")
        caught.value.close()


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[str]:
    """The demo, with a certificate that it makes itself."""
    with running(DEMO, tmp_path, DEMO_PORT="0", DEMO_DIRECTORY=str(tmp_path)) as address:
        yield address


def get(url: str, directory: Path) -> tuple[str, Any]:
    context = ssl.create_default_context(cafile=directory / "ca.pem")
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    with opener.open(url, timeout=DEADLINE) as response:
        return response.read().decode(), response.headers


def test_the_demo_serves_its_page_with_a_policy_that_allows_no_other_script(
    demo: str, tmp_path: Path
) -> None:
    page, headers = get(demo.replace("wss:", "https:") + "/", tmp_path)
    assert "new WebSocket(" in page
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy


def test_the_demo_answers_404_where_there_is_no_page(demo: str, tmp_path: Path) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        get(demo.replace("wss:", "https:") + "/nothing", tmp_path)
    caught.value.close()


def test_a_plain_line_from_a_console_is_a_chat_line_in_the_demo(demo: str, tmp_path: Path) -> None:
    context = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    with client(demo, ssl=context) as connection:
        connection.send("tom")
        said = [connection.recv(DEADLINE) for _ in range(3)]
        assert '"text": "tom"' in said[-1]
        connection.send(b"\x00\x01")
        assert connection.recv(DEADLINE) == b"\x00\x01"


def test_two_speakers_in_the_demo_hear_each_other_by_name(demo: str, tmp_path: Path) -> None:
    context = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    with client(demo, ssl=context) as ada, client(demo, ssl=context) as grace:
        ada.send('{"kind": "hello", "name": "Ada"}')
        grace.send('{"kind": "hello", "name": "Grace\\n\\u202e Hopper"}')
        grace.send('{"kind": "say", "text": "hello"}')
        heard = next(text for text in ada if '"line"' in text)
        assert '"name": "Grace Hopper"' in heard


def test_the_demo_hands_its_authority_to_a_phone(demo: str, tmp_path: Path) -> None:
    authority, headers = get(demo.replace("wss:", "https:") + "/ca.pem", tmp_path)
    assert authority == (tmp_path / "ca.pem").read_text()
    assert headers["Content-Type"] == "application/x-x509-ca-cert"


@pytest.mark.parametrize(
    ("name", "sent", "answer"),
    [
        ("json_lines.py", b'{"temperature": 21}\n', b'{"got":{"temperature":21}}\n'),
        ("length_prefixed.py", b"\0\2hi", b"\0\2hi"),
    ],
)
def test_a_protocol_of_ones_own_answers(
    name: str, sent: bytes, answer: bytes, tmp_path: Path
) -> None:
    with (
        example(name, tmp_path) as address,
        RawClient(int(address.rsplit(":", 1)[1])) as client,
    ):
        client.send_bytes(sent)
        got = b""
        while len(got) < len(answer):
            got += client.receive_bytes()
        assert got == answer


def test_starttls_serves_the_mail_client_of_python(ca: TestCA, tmp_path: Path) -> None:
    with (
        example("starttls.py", tmp_path) as address,
        closing(
            smtplib.SMTP("localhost", int(address.rsplit(":", 1)[1]), timeout=DEADLINE)
        ) as mail,
    ):
        assert mail.docmd("DATA") == (530, b"STARTTLS first")
        mail.starttls(context=ssl.create_default_context(cafile=ca.ca_path))
        assert mail.docmd("secret") == (250, b"nobody else has read: secret")
        assert isinstance(mail.sock, ssl.SSLSocket)


def test_starttls_ends_a_client_with_commands_behind_it_in_the_clear(
    ca: TestCA, tmp_path: Path
) -> None:
    with (
        example("starttls.py", tmp_path) as address,
        RawClient(int(address.rsplit(":", 1)[1])) as client,
    ):
        client.send_bytes(b"STARTTLS\nsend money\n")
        assert client.receive_all() == b"220 hello\n220 begin\n"


def test_devices_of_a_user_and_her_browser_hear_each_other_through_a_reload(
    ca: TestCA, tmp_path: Path
) -> None:
    text = (EXAMPLES / "devices.py").read_text(encoding="utf-8")
    browsers, devices = free_ports(2)
    copy = tmp_path / "devices.py"
    text = text.replace(":8282", f":{browsers}").replace(":7000", f":{devices}")
    copy.write_text(text, encoding="utf-8")
    tls = ssl.create_default_context(cafile=ca.ca_path)
    token = "a token of Ada's"
    with (
        running(copy, tmp_path) as address,
        Device("text", devices, tls=tls) as thermometer,
        client(address, ca) as browser,
    ):
        for each in (thermometer, browser):
            each.send(token)
        assert thermometer.receive() == b"welcome"
        assert browser.recv(DEADLINE) == "welcome"
        thermometer.send("21.5")
        assert browser.recv(DEADLINE) == "21.5"
        reload = [sys.executable, str(copy), "reload"]
        subprocess.run(reload, cwd=tmp_path, check=True, capture_output=True, timeout=DEADLINE)
        browser.send("two\nlines, which a device cannot get")
        browser.send("report every minute")
        assert thermometer.receive() == b"report every minute"
        with Device("text", devices, tls=tls) as stranger:
            stranger.send("a token of nobody")
            assert stranger.rest() == b"unknown token\n"


def test_a_chat_in_four_processes_reaches_every_client(tmp_path: Path) -> None:
    with example("chat_processes.py", tmp_path) as address, ExitStack() as stack:
        clients = [stack.enter_context(PeerClient(address)) for _ in range(8)]
        clients[0].send("hello")
        assert {client.recv() for client in clients} == {"1: hello"}


def test_a_client_comes_back_and_says_hello_each_time(tmp_path: Path) -> None:
    script = EXAMPLES / "websocket_client.py"

    async def main() -> None:
        greeted: asyncio.Queue[str] = asyncio.Queue()
        worker = Worker("ws://127.0.0.1:0")

        @worker.on_message
        def take(connection: Connection, message: str) -> None:
            greeted.put_nowait(message)
            connection.close("see you")

        await worker.start()
        client = Program(script.name, [sys.executable, script, worker.url])
        try:
            async with asyncio.timeout(DEADLINE):
                assert [await greeted.get() for _ in range(2)] == ["hello", "hello"]
            await asyncio.to_thread(client.wait_for_line, "see you")
        finally:
            await asyncio.to_thread(client.stop)
            await worker.stop(1.0)

    asyncio.run(main())
