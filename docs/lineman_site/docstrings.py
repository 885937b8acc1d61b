"""Docstrings as Markdown: their sections become lists. Pure."""

from __future__ import annotations

import inspect
import re
import textwrap
from dataclasses import dataclass, field

SECTIONS = ("Args", "Attributes", "Returns", "Yields", "Raises", "Source")
# "    name, other: words", with further lines indented more.
_ENTRY = re.compile(r"^(?P<names>\*{0,2}\w[\w*]*(?:, ?(?:\n +)?\*{0,2}\w[\w*]*)*): ?", re.MULTILINE)


@dataclass
class Docstring:
    """A docstring in its parts.

    Attributes:
        text: what stands before the sections, as Markdown.
        entries: of each section with names (Args, Attributes, Raises): names and words.
        words: of each other section (Returns, Yields, Source).
    """

    text: str = ""
    entries: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)

    def markdown(self, without: tuple[str, ...] = ()) -> str:
        """The whole as Markdown, without some sections."""
        parts = [self.text] if self.text else []
        for section in SECTIONS:
            if section in without:
                continue
            if section in self.entries:
                items = [f"- {_code(names)}: {words}" for names, words in self.entries[section]]
                parts.append(f"**{section}**\n\n" + "\n".join(items))
            if section in self.words:
                parts.append(f"**{section}**: {self.words[section]}")
        return "\n\n".join(parts)


def _code(names: str) -> str:
    return ", ".join(f"`{name.strip()}`" for name in names.split(","))


def _joined(text: str) -> str:
    return " ".join(text.split())


def parse(docstring: str) -> Docstring:
    """Splits a docstring."""
    text = inspect.cleandoc(docstring)
    pieces = re.split(rf"^({'|'.join(SECTIONS)}):[ \n]", text, flags=re.MULTILINE)
    found = Docstring(_fenced(pieces[0].strip()))
    for section, rest in zip(pieces[1::2], pieces[2::2], strict=True):
        body, _, after = _body(rest)
        entries = _entries(inspect.cleandoc("\n" + body))
        if entries and section in ("Args", "Attributes", "Raises"):
            found.entries[section] = entries
        else:
            found.words[section] = _joined(body)
        if after:
            found.text += "\n\n" + _fenced(after)
    return found


def _body(rest: str) -> tuple[str, str, str]:
    """The indented lines of a section, and what follows it."""
    outside = re.search(r"^\S", rest, re.MULTILINE)
    if outside is None or outside.start() == 0:  # `Source: RFC 6455`, in one line
        return rest.partition("\n\n")[0], "", rest.partition("\n\n")[2].strip()
    return rest[: outside.start()], "", rest[outside.start() :].strip()


def _entries(body: str) -> list[tuple[str, str]]:
    starts = list(_ENTRY.finditer(body))
    ends = [each.start() for each in starts[1:]] + [len(body)]
    return [
        (_joined(each["names"]), _joined(body[each.end() : end]))
        for each, end in zip(starts, ends, strict=False)
    ]


# A block of code that has its fence, or indented lines.
_INDENTED = re.compile(r"^(```+).*?^\1|(?P<code>(?:^ {4}[^\n]*\n?(?:\n(?= {4}))?)+)", re.M | re.S)


def _fenced(text: str) -> str:
    """Indented code becomes a block of Python."""

    def replaced(found: re.Match[str]) -> str:
        if found["code"] is None:
            return found[0]
        return f"```python\n{textwrap.dedent(found['code']).rstrip()}\n```\n"

    return _INDENTED.sub(replaced, text)
