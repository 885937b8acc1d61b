"""The map has the first line of every file, and the index has every decision."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
DESIGN = ROOT / "docs" / "design"
NAMED = re.compile(r"`([\w/]+\.py)`")


def test_the_tables_say_what_the_modules_say() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "map"), "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_ways_lead_through_files_that_are_there() -> None:
    ways = (DESIGN / "0007-layout.md").read_text(encoding="utf-8").partition("## Rooms")[0]
    names = [name for name in NAMED.findall(ways) if not name.startswith(("tests/", "tools/"))]
    assert len(names) > 20
    package = ROOT / "src" / "lineman"
    missing = [name for name in names if not any(package.rglob(name))]
    assert missing == []


def test_the_index_has_every_decision_once() -> None:
    index = (DESIGN / "README.md").read_text(encoding="utf-8")
    linked = re.findall(r"^\| \[(\d{4})\]\((\d{4}-[\w-]+\.md)\) \|", index, re.M)
    assert all(number == name[:4] for number, name in linked)
    assert [name for _, name in linked] == sorted(path.name for path in DESIGN.glob("0*.md"))


def test_a_decision_begins_with_its_number() -> None:
    for path in sorted(DESIGN.glob("0*.md")):
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        assert first.startswith(f"# {path.name[:4]}: "), path.name
