"""Colours for code that Pygments does not know by itself."""

from __future__ import annotations

from typing import ClassVar

from pygments.lexer import RegexLexer, inherit
from pygments.lexers import PythonLexer
from pygments.token import Comment, Keyword, String, Text
from sphinx.application import Sphinx


class ShortenedPythonLexer(PythonLexer):
    """Python in which `…` stands for what is left out."""

    tokens: ClassVar = {"root": [("…", Comment), inherit], "expr": [("…", Comment), inherit]}


class HaproxyLexer(RegexLexer):
    """HAProxy's configuration: its comments, its strings, and the first word of a line."""

    name = "HAProxy"
    tokens: ClassVar = {
        "root": [
            (r"^\s*[\w-]+", Keyword),
            (r"#.*", Comment),
            (r'"[^"\n]*"', String),
            (r"[^#\"\n]+|\s|\"", Text),
        ]
    }


def add_lexers(app: Sphinx) -> None:
    """Makes them known to Sphinx."""
    app.add_lexer("python", ShortenedPythonLexer)
    app.add_lexer("haproxy", HaproxyLexer)
