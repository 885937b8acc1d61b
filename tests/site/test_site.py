"""The site builds without a warning, and has what it promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from dataclasses import fields, is_dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

import lineman
from kit.browser import chromium, console_errors
from kit.waiting import DEADLINE
from lineman_site.languages import TRANSLATED
from lineman_site.public_members import is_public

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built anew."""
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "lineman_site", str(target)]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "docs")}
    built = subprocess.run(
        command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert built.returncode == 0, built.stderr
    assert built.stderr == ""
    return target / "site"


def test_the_site_builds_without_a_warning_and_links_lead_to_pages(site: Path) -> None:
    pages = {page: page.read_text(encoding="utf-8") for page in sorted(site.rglob("*.html"))}
    assert len(pages) > 100
    missing = {
        f"{page.relative_to(site)}: {link}"
        for page, text in pages.items()
        for link in re.findall(r'<a [^>]*?href="(?!\w+:)([^"#?]+)', text)
        if not (page.parent / link).exists()
    }
    assert missing == set()


def test_every_language_has_its_own_search(site: Path) -> None:
    for home in (site, *(site / code for code in TRANSLATED)):
        assert (home / "searchindex.js").stat().st_size > 100
        assert "placeholder=" in (home / "index.html").read_text(encoding="utf-8")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_the_search_finds_pages_in_every_language(site: Path, tmp_path: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    searches = [
        ("", "certificates", "howto/certificates.html"),
        ("vi/", "chứng chỉ", "vi/howto/lets-encrypt.html"),
        ("zh/", "证书", "zh/howto/lets-encrypt.html"),
        ("zh/", "证书续期", "zh/howto/lets-encrypt.html"),
        ("zh/", "nginx证书", "zh/howto/behind-nginx.html"),
    ]
    with chromium(tmp_path) as driver:
        for language, query, page in searches:
            home = f"http://127.0.0.1:{server.server_port}/"
            driver.get(f"{home}{language}search.html?q={quote(query)}")
            found = f"#search-results a[href^='{page.removeprefix(language)}']"
            WebDriverWait(driver, DEADLINE).until(
                lambda each, found=found: each.find_elements(By.CSS_SELECTOR, found),
                f"{query} does not find {page}",
            )
            errors = [each for each in console_errors(driver) if each["source"] != "network"]
            assert errors == []  # the network's is a missing icon
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("code", TRANSLATED)
def test_the_theme_speaks_the_language_of_the_page(site: Path, code: str) -> None:
    page = (site / code / "howto" / "behind-nginx.html").read_text(encoding="utf-8")
    assert re.findall("On this page|Next|Previous|Back to top", page) == []
    assert f"{TRANSLATED[code].words['On this page']}" in page


@pytest.mark.parametrize("name", [name for name in lineman.__all__ if name != "__version__"])
def test_every_public_name_has_a_page_with_its_members_and_options(site: Path, name: str) -> None:
    page = (site / "reference" / "api" / f"{name}.html").read_text(encoding="utf-8")
    assert f'id="lineman.{name}"' in page
    value = getattr(lineman, name)
    owners = [each for each in getattr(value, "__mro__", ()) if "lineman" in each.__module__]
    members = {each for owner in owners for each in vars(owner) if is_public(name, each)}
    options = fields(value) if is_dataclass(value) else ()
    told = {
        *re.findall(r">\**(\w+)</span>", page),
        *re.findall(rf'id="lineman.{name}.(\w+)"', page),
    }
    assert members - told == set()
    assert {each.name for each in options} - told == set()


def test_the_reference_has_defaults_units_and_errors(site: Path) -> None:
    text = re.sub(r"<[^>]+>", "", (site / "reference/api/Worker.html").read_text(encoding="utf-8"))
    assert re.search(r"max_message_size\s+10 MiB\s+.*\(int; in bytes", text)
    assert re.search(r"ping_interval\s+25.0 s\s+.*in seconds; 0: ", text)
    assert "UsageError: an option that does not exist." in text


def test_the_reference_is_made_from_python_files_also_where_they_are_compiled() -> None:
    program = (
        "from lineman_site import sources_only; sources_only.begin(); "
        "import sys; from lineman_site import api_pages; list(api_pages.pages()); "
        "print({module.__file__[-3:] for name, module in sys.modules.items()"
        " if name.startswith('lineman') and module.__file__})"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT / "docs")}
    said = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True
    )
    assert said.stdout == "{'.py'}\n"
