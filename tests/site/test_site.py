"""The site builds without a warning, and has what it promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lineman_site.languages import TRANSLATED

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
