"""Change a configuration for a test, by replacing words in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

HOWTO = Path(__file__).parents[3] / "docs" / "howto"


def render(text: str, replacements: Mapping[str, str]) -> str:
    """The text with every replacement made, in one pass.

    Raises:
        AssertionError: a word to replace is not in the text: it changed, and the test would no
            longer try what it says.
    """
    if not replacements:
        return text
    for old in replacements:
        assert old in text, f"the configuration no longer holds {old!r}"
    # Longest first, so that `listen 443` does not eat the start of a longer word.
    words = sorted(replacements, key=len, reverse=True)
    pattern = re.compile("|".join(re.escape(word) for word in words))
    return pattern.sub(lambda match: replacements[match.group()], text)
