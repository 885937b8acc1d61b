"""Pictures are drawn from the text beside the pages, and tell what they show to all readers."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

import pytest

from lineman_site import pictures
from lineman_site.pictures import PictureError

PICTURES = sorted((Path(__file__).parents[2] / "docs" / "pictures").glob("*.dot"))
DOT = '// A goes to B & C.\ndigraph { a [label="A"]; a -> b; subgraph cluster_c { c } }\n'


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_every_picture_is_drawn_in_the_colours_of_the_page(path: Path) -> None:
    drawn = pictures.draw(path, "A caption")
    assert 'stroke="currentColor"' in drawn
    assert re.findall(r'(?:fill|stroke)="(?!none|currentColor)[^"]*"', drawn) == []
    assert "\n\n" not in drawn  # an empty line would end the block of HTML in the page


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_every_picture_is_shown_on_a_page(path: Path) -> None:
    pages = (Path(__file__).parents[2] / "docs").rglob("*.md")
    link = f"pictures/{path.name})"
    assert any(link in page.read_text(encoding="utf-8") for page in pages)


def test_a_line_that_is_a_link_becomes_the_picture_with_its_words(tmp_path: Path) -> None:
    (tmp_path / "docs" / "pictures").mkdir(parents=True)
    (tmp_path / "docs" / "pictures" / "a.dot").write_text(DOT, encoding="utf-8")
    text = "Before.\n\n[The way](../pictures/a.dot)\n\nSee [the way](../pictures/a.dot).\n"
    page = pictures.insert(tmp_path, PurePosixPath("docs/howto/x.md"), text)
    assert 'role="img" aria-label="The way. A goes to B &amp; C."' in page
    assert "<figcaption>The way</figcaption>" in page
    assert page.endswith("See [the way](../pictures/a.dot).\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [(DOT.split("\n", 1)[1], "begin it with //"), ("// A.\ndigraph {", "syntax error")],
)
def test_a_picture_without_words_or_with_a_mistake_is_refused(
    tmp_path: Path, text: str, words: str
) -> None:
    (tmp_path / "a.dot").write_text(text, encoding="utf-8")
    with pytest.raises(PictureError, match=words):
        pictures.draw(tmp_path / "a.dot", "A")
