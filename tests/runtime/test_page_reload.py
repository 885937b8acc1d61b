"""Under `--watch` a page with the script loads again after a reload of the program."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from kit.app import App, MakeApp
from kit.browser import chromium
from kit.waiting import DEADLINE
from lineman.runtime.page_reload import EVENTS, SCRIPT

PROGRAM = """
    import words
    from lineman import Response, Worker

    worker = Worker("http://127.0.0.1:0", trusted_proxies=["127.0.0.1/32"])

    @worker.on_request
    def page(request):
        if request.path != "/":
            return Response("no such page", status=404)
        page = f'<p id="word">{words.WORD}</p><script src="/.lineman/reload.js"></script>'
        return Response(page, content_type="text/html")

    Worker.run_all()
"""


def the_app(make_app: MakeApp, folder: Path, kind: str = "Worker") -> App:
    (folder / "words.py").write_text("WORD = 'old'\n", encoding="utf-8")
    if kind == "Worker":
        return make_app(PROGRAM)
    made = PROGRAM.replace("worker = Worker", "worker = Gateway").replace("http:", "ws:")
    made = made.replace("import Response", "import Gateway, Response")
    return make_app(made.replace("@worker", "worker.on_message = print\n\n    @worker", 1))


@contextmanager
def asked(port: int, path: str, **headers: str) -> Iterator[http.client.HTTPResponse]:
    """The answer to a request; the proxy says that the client is on this machine."""
    sent = {"X-Real-IP": "127.0.0.1", **headers}
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)) as client:
        client.request("GET", path, headers=sent)
        yield client.getresponse()


def test_a_page_in_a_browser_shows_what_the_changed_program_says(
    make_app: MakeApp, tmp_path: Path
) -> None:
    (tmp_path / "words.py").write_text("WORD = 'old'\n", encoding="utf-8")
    app = make_app(PROGRAM.replace(', trusted_proxies=["127.0.0.1/32"]', ""))
    app.start("--watch")
    with chromium(tmp_path / "home") as driver:
        driver.get(f"http://127.0.0.1:{app.port}/")
        assert driver.find_element(By.ID, "word").text == "old"
        (tmp_path / "words.py").write_text("WORD = 'newer'\n", encoding="utf-8")
        WebDriverWait(driver, DEADLINE, ignored_exceptions=[Exception]).until(
            lambda page: page.find_element(By.ID, "word").text == "newer"
        )


@pytest.mark.parametrize("kind", ["Worker", "Gateway"])
def test_the_stream_ends_at_a_reload_and_the_next_one_names_other_code(
    kind: str, make_app: MakeApp, tmp_path: Path
) -> None:
    app = the_app(make_app, tmp_path, kind)  # a reload keeps a Gateway's process with the page
    program = app.start("--watch")
    with asked(app.port, SCRIPT) as script:
        assert script.getheader("Content-Type") == "text/javascript; charset=utf-8"
        assert f'new EventSource("{EVENTS}")'.encode() in script.read()
    with asked(app.port, EVENTS) as before:
        first = before.readline()
        assert first.startswith(b"data: ")
        (tmp_path / "words.py").write_text("WORD = 'newer'\n", encoding="utf-8")
        program.wait_for_line("reloaded: ")
        before.read()  # to its end
    with asked(app.port, EVENTS) as after:
        assert after.readline() not in (first, b"")


def test_without_watch_and_for_other_machines_the_program_answers(
    make_app: MakeApp, tmp_path: Path
) -> None:
    app = the_app(make_app, tmp_path)
    program = app.start()
    for path in (SCRIPT, EVENTS):
        with asked(app.port, path) as answer:
            assert (answer.status, answer.read()) == (404, b"no such page")
    program.stop()
    app = the_app(make_app, tmp_path)
    app.start("--watch")
    for path in (SCRIPT, EVENTS):
        with asked(app.port, path, **{"X-Real-IP": "203.0.113.9"}) as answer:
            assert (answer.status, answer.read()) == (404, b"no such page")
