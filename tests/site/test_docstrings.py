"""Docstrings become Markdown, and nothing of them is lost."""

from __future__ import annotations

from lineman_site import docstrings

WHOLE = """Sends a message.

    A second paragraph with `code`.

        worker.send("x")
            .again()

    Args:
        message, other: the words, which go on
            in a second line: with a colon.
        **options: further ones.

    Returns:
        True if taken; see `close`.

    Raises:
        UsageError: it cannot be.

    Source: RFC 6455, section 5.
    """


def test_each_section_becomes_a_list() -> None:
    found = docstrings.parse(WHOLE)
    assert found.entries["Args"] == [
        ("message, other", "the words, which go on in a second line: with a colon."),
        ("**options", "further ones."),
    ]
    assert found.entries["Raises"] == [("UsageError", "it cannot be.")]
    assert found.words["Returns"] == "True if taken; see `close`."
    assert found.words["Source"] == "RFC 6455, section 5."


def test_indented_code_becomes_a_block_and_a_block_stays_one() -> None:
    code = '```python\nworker.send("x")\n    .again()\n```'
    assert code in docstrings.parse(WHOLE).text
    fenced = "Says.\n\n    ```python\n    if x:\n        y\n    ```\n"
    assert docstrings.parse(fenced).text == "Says.\n\n```python\nif x:\n    y\n```"


def test_no_word_is_lost() -> None:
    words = docstrings.parse(WHOLE).markdown()
    for each in WHOLE.replace(":", " ").replace(",", " ").split():
        assert each.strip("`.;") in words
