"""Tables of options, from where each option is declared: name, default, meaning, type, unit."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from itertools import pairwise
from typing import Any

from lineman.base.option_kinds import KIB, MIB, Choice, Number
from lineman_site import docstrings


def table(declared: type) -> str:
    """The options of a dataclass as a table of Markdown; empty if it has none."""
    if not is_dataclass(declared) or not fields(declared):
        return ""
    words = _words(declared)
    rows = [
        f"| `{each.name}` | {_cell(default_of(each))} | {words.get(each.name, '')}{_rule(each)} |"
        for each in fields(declared)
    ]
    return "| Option | Default | Meaning |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def _cell(code: str) -> str:
    return f"`{code}`".replace("|", "\\|") if code else ""


def _type(each: Field[Any]) -> str:
    return each.type if isinstance(each.type, str) else getattr(each.type, "__name__", "")


def default_of(each: Field[Any]) -> str:
    """A default as readers write it, with its unit; empty where the option must be given."""
    default, kind = each.default, each.metadata.get("kind")
    if default is MISSING:
        return "" if each.default_factory is MISSING else "None"
    if isinstance(kind, Number) and default is not None and default != 0:
        if kind.unit == "seconds":
            return f"{default} s"
        if kind.unit == "bytes" and default >= KIB:
            size, unit = (MIB, "MiB") if default % MIB == 0 else (KIB, "KiB")
            return f"{default // size} {unit}"
    if each.name == "socket_mode":
        return oct(default)
    return getattr(default, "__name__", "") or repr(default).replace("'", '"')


def _rule(each: Field[Any]) -> str:
    """What the declaration says besides: the type, the unit, the meaning of 0, the values."""
    kind = each.metadata.get("kind")
    rules = [_cell(_type(each))]
    if isinstance(kind, Number):
        rules += [f"in {kind.unit}"] if kind.unit else []
        rules += [f"0: {kind.zero}"] if kind.zero else []
    if isinstance(kind, Choice):
        rules += [", ".join(f"`{value!r}`" for value in kind.values).replace("'", '"')]
    return f" ({'; '.join(rules)})"


def _words(declared: type) -> dict[str, str]:
    """What is written behind each field, or in the section Attributes of the class."""
    found: dict[str, str] = {}
    for each in reversed(declared.__mro__):
        if not is_dataclass(each):
            continue
        for names, words in docstrings.parse(each.__doc__ or "").entries.get("Attributes", []):
            found |= dict.fromkeys((name.strip() for name in names.split(",")), words)
        found |= dict(_behind(each))
    return {name: words.replace("|", "\\|") for name, words in found.items()}


def _behind(declared: type) -> Iterator[tuple[str, str]]:
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(declared))).body
    assert isinstance(node, ast.ClassDef)
    for each, then in pairwise(node.body):
        words = then.value if isinstance(then, ast.Expr) else None
        if isinstance(each, ast.AnnAssign) and isinstance(words, ast.Constant):
            yield ast.unparse(each.target), " ".join(str(words.value).split())
