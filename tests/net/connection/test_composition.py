"""The parts of a connection: calls go downwards only, and no part calls the connection.

Nine files hold the class of a connection; these tests hold which of them may call which.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import lineman

PACKAGE = Path(lineman.__file__).parent
ROOM = PACKAGE / "net" / "connection"
# From the ground up.
CHAIN = (
    "peer",
    "delays",
    "lifecycle",
    "sender",
    "delivery",
    "incoming",
    "own_settings",
    "piping",
    "connection",
)
# Interfaces that other classes implement: a protocol's, a framing's, the poller's and the wheel's.
INTERFACES = {"Session", "StreamSession", "Handler", "Timed"}
# The parts that a connection owns; they must not know it.
OWNED = ("net/stream/stream", "net/connection/send_queue", "protocols/interface")


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def class_of(name: str) -> ast.ClassDef:
    """The class of one of the nine files."""
    found = [each for each in tree_of(ROOM / f"{name}.py").body if isinstance(each, ast.ClassDef)]
    assert len(found) == 1
    return found[0]


def methods(cls: ast.ClassDef) -> set[str]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {each.name for each in cls.body if isinstance(each, kinds)}


def own_names(cls: ast.ClassDef) -> Iterator[tuple[str, bool]]:
    """The names after `self.`, each with whether it is assigned."""
    for node in ast.walk(cls):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self":
            yield node.attr, isinstance(node.ctx, ast.Store)


def assigned(cls: ast.ClassDef) -> set[str]:
    return {name for name, is_stored in own_names(cls) if is_stored}


def only_raises(node: ast.stmt) -> bool:
    """Whether a function only has a docstring and raises, as an interface's does."""
    if not isinstance(node, ast.FunctionDef):
        return False
    body = [each for each in node.body if not isinstance(each, ast.Expr)]
    return len(body) == 1 and isinstance(body[0], ast.Raise)


def test_each_calls_only_itself_and_those_before_it() -> None:
    known = {"filed_tick"}
    for name in CHAIN:
        cls = class_of(name)
        known |= methods(cls) | assigned(cls)
        assert {used for used, _ in own_names(cls)} - known == set(), name


def test_none_overrides_what_another_does() -> None:
    seen: set[str] = set()
    for name in CHAIN:
        own = methods(class_of(name))
        assert own & seen == set(), name
        seen |= own


def test_an_attribute_is_assigned_by_one_of_them_only() -> None:
    seen: set[str] = set()
    for name in CHAIN:
        own = assigned(class_of(name))
        assert own & seen == set(), name
        seen |= own


def test_only_interfaces_have_methods_that_only_raise() -> None:
    found = {
        cls.name
        for room in ("net", "protocols")
        for path in (PACKAGE / room).rglob("*.py")
        for cls in ast.walk(tree_of(path))
        if isinstance(cls, ast.ClassDef) and any(map(only_raises, cls.body))
    }
    assert found == INTERFACES


def test_what_a_connection_owns_does_not_know_it() -> None:
    for owned in OWNED:
        imported = {
            node.module or ""
            for node in ast.walk(tree_of(PACKAGE / f"{owned}.py"))
            if isinstance(node, ast.ImportFrom)
        }
        assert not any(module.rpartition(".")[2] in (*CHAIN, "service") for module in imported)
