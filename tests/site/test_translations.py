"""A translated page says which original it was made from, and readers learn what has changed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from lineman_site import translations
from lineman_site.languages import TRANSLATED
from lineman_site.staging import Staging
from lineman_site.translations import TranslationError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with one guide, its translation into each language, and what every site has."""
    docs = tmp_path / "docs"
    texts = {
        "README.md": "# Docs\n",
        "howto/a.md": "# A\n\nFirst.\n",
        "examples/README.md": "# E\n",
    }
    for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "RELEASING.md", "SECURITY.md"):
        (tmp_path / name).write_text(f"# {name}\n", encoding="utf-8")
    for code in TRANSLATED:
        texts[f"{code}/README.md"] = f"# {code}\n"
        made_from = translations.blob_id(texts["howto/a.md"].encode())
        texts[f"{code}/howto/a.md"] = f"---\noriginal: {made_from}\n---\n# A, {code}\n\nText.\n"
    for name, text in texts.items():
        (docs / name).parent.mkdir(parents=True, exist_ok=True)
        (docs / name).write_text(text, encoding="utf-8")
    return tmp_path


def staged(root: Path, page: str) -> str:
    """A page as Sphinx gets it."""
    Staging(root, root / "build").write_all()
    return (root / "build" / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_page_whose_original_is_the_same_has_no_line(root: Path, code: str) -> None:
    page = staged(root, f"{code}/howto/a.md")
    assert page.startswith(f"# A, {code}\n")
    assert "original:" not in page
    assert "{warning}" not in page
    assert translations.report(root / "docs") == []


@pytest.mark.parametrize("code", TRANSLATED)
def test_a_page_whose_original_has_changed_says_so_in_its_language_and_is_listed(
    root: Path, code: str
) -> None:
    before = translations.blob_id((root / "docs/howto/a.md").read_bytes())
    (root / "docs/howto/a.md").write_text("# A\n\nSecond.\n", encoding="utf-8")
    after = translations.blob_id((root / "docs/howto/a.md").read_bytes())
    link = "site:../../howto/a.html"
    assert TRANSLATED[code].changed.format(original=link) in staged(root, f"{code}/howto/a.md")
    (line,) = (each for each in translations.report(root / "docs") if f"docs/{code}/" in each)
    assert f"git diff {before} HEAD:docs/howto/a.md" in line
    assert line.endswith(f"original: {after}")


def test_the_id_of_an_original_is_git_s(root: Path) -> None:
    page = root / "docs/howto/a.md"
    said = subprocess.run(["git", "hash-object", page], capture_output=True, text=True, check=True)
    assert said.stdout.startswith(translations.blob_id(page.read_bytes()))


@pytest.mark.parametrize(
    "head", ["", "---\noriginal:\n---\n", "---\noriginal: yesterday\n---\n", "---\ntitle: A\n---\n"]
)
def test_a_page_that_does_not_name_its_original_is_refused_with_the_lines_to_write(
    root: Path, head: str
) -> None:
    (root / "docs/vi/howto/a.md").write_text(f"{head}# A\n", encoding="utf-8")
    present = translations.blob_id((root / "docs/howto/a.md").read_bytes())
    with pytest.raises(TranslationError, match=rf"docs/vi/howto/a.md .*original: {present}"):
        staged(root, "vi/howto/a.md")


def test_a_page_without_an_original_is_refused(root: Path) -> None:
    (root / "docs/zh/howto/b.md").write_text("---\noriginal: 0123456789ab\n---\n# B\n")
    with pytest.raises(TranslationError, match=r"docs/zh/howto/b\.md translates docs/howto/b\.md"):
        staged(root, "zh/howto/b.md")


def test_pages_in_several_languages_link_to_each_other(root: Path) -> None:
    assert "[Tiếng Việt](site:../vi/howto/a.html)" in staged(root, "en/howto/a.md")
    assert "[English](site:../../howto/a.html)" in staged(root, "zh/howto/a.md")
    assert "[中文](site:../../zh/howto/a.html)" in staged(root, "vi/howto/a.md")


def test_a_file_that_a_translated_page_links_to_is_copied_for_its_language(root: Path) -> None:
    (root / "docs/howto/a.service").write_text("[Unit]\n", encoding="utf-8")
    page = root / "docs/vi/howto/a.md"
    page.write_text(page.read_text(encoding="utf-8") + "[x](../../howto/a.service)\n", "utf-8")
    assert "[x](../files/docs/howto/a.service)" in staged(root, "vi/howto/a.md")
    assert (root / "build/vi/files/docs/howto/a.service").read_text(encoding="utf-8") == "[Unit]\n"


def test_a_link_whose_words_are_code_is_changed_too_with_more_code_behind_it(root: Path) -> None:
    (root / "docs/howto/b.md").write_text("# B\n", encoding="utf-8")
    page = root / "docs/vi/howto/a.md"
    page.write_text(page.read_text("utf-8") + "[`B`](../../howto/b.md), `c`: `](d.md)`\n", "utf-8")
    assert "[`B`](site:../../howto/b.html), `c`: `](d.md)`" in staged(root, "vi/howto/a.md")


def test_a_line_of_every_language_has_a_place_for_the_address() -> None:
    assert [each.code for each in TRANSLATED.values() if "({original})" not in each.changed] == []


def test_every_translated_page_names_its_original() -> None:
    for code in TRANSLATED:
        for each in translations.pages(ROOT / "docs", code):
            assert each.original.is_file()


def code_of(page: Path) -> list[str]:
    """The code blocks of a page, without comments, which translators may translate."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```.*?^```$", text, re.DOTALL | re.MULTILINE)
    return [re.sub(r" *(#|// ).*", "", block) for block in blocks]


def test_a_translated_page_has_the_code_of_its_original_which_the_tests_run() -> None:
    for code in TRANSLATED:
        for each in translations.pages(ROOT / "docs", code):
            if not each.is_behind:
                assert code_of(each.page) == code_of(each.original), each.page
