"""Every finding has a heading with its name in the reference, and no heading is left over."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
CHECKS = ROOT / "src" / "lineman" / "doctor" / "checks"
VERDICT = ROOT / "src" / "lineman" / "tls" / "advice" / "verdict.py"
REFERENCE = ROOT / "docs" / "reference" / "doctor.md"
MAKERS = {"ok": 0, "info": 0, "warning": 0, "error": 0, "Finding": 1, "Refusal": 0}

# A certificate for addresses alone is told by `host-is-address` and `wechat-name-needed`.
ELSEWHERE = {"cert-for-addresses"}


def calls(path: Path) -> Iterator[ast.Call]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def texts(node: ast.AST) -> set[str]:
    found = (each.value for each in ast.walk(node) if isinstance(each, ast.Constant))
    return {text for text in found if isinstance(text, str)}


def names() -> set[str]:
    found: set[str] = set()
    for path in CHECKS.glob("*.py"):
        for call in calls(path):
            makers = {node.id for node in ast.walk(call.func) if isinstance(node, ast.Name)}
            for maker in makers & set(MAKERS):
                found |= texts(call.args[MAKERS[maker]])
    for call in calls(VERDICT):
        if isinstance(call.func, ast.Name) and call.func.id == "Judgement":
            found |= texts(call.args[1])
    return found - ELSEWHERE - {""}  # what is as it should be has no name


def test_each_name_is_a_heading_and_each_heading_a_name() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    headings = set(re.findall(r"^### `(.+)`$", text, re.MULTILINE))
    found = names()
    assert len(found) > 70
    assert sorted(found - headings) == []
    assert sorted(headings - found) == []


def test_no_message_points_to_a_file_that_an_installation_does_not_have() -> None:
    for path in (ROOT / "src" / "lineman").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                is_shown = id(node) not in docstrings
                assert not (is_shown and re.search(r"\w\.md\b", node.value)), (path, node.value)
