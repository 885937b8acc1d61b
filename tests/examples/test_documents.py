"""The programs in the README and the tutorial are the programs that work."""

from __future__ import annotations

import re
import ssl
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPSConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from kit.peer_client import PeerClient
from kit.program import Program
from kit.waiting import DEADLINE

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*sorted(ROOT.glob("docs/**/*.md")), ROOT / "README.md"]
SHOWN = {
    "databases.md": ["asyncpg_pool.py", "sqlalchemy_pool.py", "redis_pool.py"],
    "tokens.md": ["jwt_login.py"],
    "rate-limits.md": ["rate_limits.py"],
    "uploads.md": ["photo_chat.py"],
    "background-jobs.md": ["background_tasks.py", "cron.py", "job_queue.py"],
    "one-machine.md": ["chat_processes.py"],
    "containers.md": [
        f"container/{name}" for name in ("app.py", "Dockerfile", "compose.yaml", "kubernetes.yaml")
    ],
}
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


def programs(document: Path) -> list[str]:
    """The programs in a document: its Python blocks that can be run."""
    text = document.read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return [block for block in blocks if "run_all()" in block]


def code(program: str) -> list[str]:
    """Its lines without comments and without whitespace."""
    lines = [line.partition("#")[0] for line in program.splitlines()]
    return [" ".join(line.split()) for line in lines if line.strip()]


@contextmanager
def running(program: str, directory: Path) -> Iterator[str]:
    """A program of the tutorial, and its certificates in a place of the test's own."""
    script = directory / "app.py"
    script.write_text(program.replace(":8282", ":0"), encoding="utf-8")
    env = {"XDG_DATA_HOME": str(directory)}
    started = Program("app.py", [sys.executable, script], cwd=directory, env=env)
    try:
        (line, *_) = started.wait_for_line("listening on ")
        yield "wss://localhost:" + line.split("listening on ")[1].split()[0].rsplit(":", 1)[1]
    finally:
        started.stop()


def test_the_ten_lines_of_the_readme_are_the_first_example() -> None:
    program, _ = programs(ROOT / "README.md")
    assert code(program) == code((ROOT / "examples" / "hello_wss.py").read_text(encoding="utf-8"))


def test_the_five_lines_of_the_readme_serve_an_application_of_fastapi(tmp_path: Path) -> None:
    _, program = programs(ROOT / "README.md")
    assert len(code(program)) == 5
    with running(program.replace(":8443", ":8282"), tmp_path) as address:
        context = ssl.create_default_context(cafile=tmp_path / "lineman" / "dev" / "ca.pem")
        asking = HTTPSConnection(urlsplit(address).netloc, context=context, timeout=DEADLINE)
        with closing(asking):
            asking.request("GET", "/openapi.json")
            assert b'"title":"FastAPI"' in asking.getresponse().read()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_to_one(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in LINK.findall(text):
        assert (document.parent / link).exists(), f"{document.name} links to {link}"


def call(address: str, directory: Path, query: str = "") -> PeerClient:
    context = ssl.create_default_context(cafile=directory / "lineman" / "dev" / "ca.pem")
    return PeerClient(address + query, ssl=context)


def refusal(address: str, directory: Path) -> int:
    """The status of the answer; `websockets` loses one in some hundred over TLS (seen: 17.4)."""
    context = ssl.create_default_context(cafile=directory / "lineman" / "dev" / "ca.pem")
    asking = HTTPSConnection(urlsplit(address).netloc, context=context, timeout=DEADLINE)
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    headers["Sec-WebSocket-Key"] = "AAAAAAAAAAAAAAAAAAAAAA=="
    with closing(asking):
        asking.request(
            "GET", "/", headers=headers | {"Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}
        )
        return asking.getresponse().status


def test_the_first_program_of_the_tutorial_says_hello(tmp_path: Path) -> None:
    first, _ = programs(ROOT / "docs" / "tutorial" / "first-service.md")
    with running(first, tmp_path) as address, call(address, tmp_path) as client:
        client.send("tom")
        assert client.recv(DEADLINE) == "hello tom"


def test_in_the_second_program_of_the_tutorial_people_hear_each_other(tmp_path: Path) -> None:
    _, second = programs(ROOT / "docs" / "tutorial" / "first-service.md")
    with ExitStack() as stack:
        address = stack.enter_context(running(second, tmp_path))
        ada = stack.enter_context(call(address, tmp_path, "/?name=Ada"))
        assert ada.recv(DEADLINE) == "Ada is here"
        with call(address, tmp_path, "/?name=Grace") as grace:
            assert ada.recv(DEADLINE) == grace.recv(DEADLINE) == "Grace is here"
            grace.send("hello")
            assert ada.recv(DEADLINE) == grace.recv(DEADLINE) == "Grace: hello"
        assert str(ada.recv(DEADLINE)).startswith("Grace left: ")
        assert refusal(address, tmp_path) == 403


def test_a_guide_shows_the_programs_that_the_tests_run() -> None:
    for page, names in SHOWN.items():
        text = (ROOT / "docs" / "howto" / page).read_text(encoding="utf-8")
        for name in names:
            program = (ROOT / "examples" / name).read_text(encoding="utf-8")
            assert f"\n{program}```" in text, f"{page} shows another {name}"
