"""Joins the lines of a Chinese paragraph: between Chinese characters a line's end is no space.

HTML shows the end of a line as a space, which Chinese text does not have between its characters,
nor after a comma or a full stop, which are as wide as a character.
"""

from __future__ import annotations

import re

_WIDE = "\u3000-\u303f\uff00-\uffef\u201c\u201d"  # punctuation as wide as a character
_HAN = "\u3400-\u9fff"
# The next line goes on with the paragraph: it begins no item, heading, table, quote or block.
_GOES_ON = r"[ ]*(?![-*+>|#:`]{1,3}(?:[ {]|$)|`{3}|:{3}|\d+[.)] |\s|\|)"
_END = re.compile(
    rf"(?P<fence>^(?P<marks>`{{3,}}).*?^(?P=marks)[ ]*$)"
    rf"|(?<=[{_WIDE}])\n{_GOES_ON}(?=\S)|(?<=[{_HAN}])\n{_GOES_ON}(?=[\[*]*[{_HAN}{_WIDE}])",
    re.MULTILINE | re.DOTALL,
)


def join(text: str) -> str:
    """A page in Markdown whose lines end only where a space may be shown.

    Args:
        text: with lines as they are written; blocks of code are left alone.
    """
    return _END.sub(lambda found: found["fence"] or "", text)
