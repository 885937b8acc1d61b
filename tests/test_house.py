"""The rules of the house that a program can hold: arrows go down, modules stay short."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "src" / "lineman"
TESTS = Path(__file__).parent
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
MAX_LINES = 450

# From the ground up. A room knows itself and the floors below; two rooms on one floor do not know
# each other. `testing` is on the roof: it may know everything, and nobody knows it.
FLOORS: list[set[str]] = [
    {
        "errors",
        "finding",
        "forks",
        "openssl",
        "progress",
        "stdio",
        "tasktime",
        "uncompiled",
        "vocabulary",
        "x500",
    },
    {"address", "home", "open_questions", "unknown"},
    {"unixpath", "unixpeer"},
    {"protocols", "proxy"},
    {"net", "tls", "process", "build"},
    {"gateway"},
    {"worker"},
    {"__init__"},
    {"client"},
    {"doctor"},
    {"cli"},
    {"__main__", "testing"},
]
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

# Files that share a room, because they are parts of one thing.
SHARED_ROOM = dict.fromkeys(
    (
        "certify",
        "child",
        "declared",
        "exporter",
        "functions",
        "gateways",
        "hotswap",
        "inner",
        "inspection",
        "leaving",
        "memory",
        "metrics",
        "options",
        "processoptions",
        "program",
        "recycling",
        "run",
        "serving",
        "slots",
        "starting",
        "surveying",
        "takenport",
        "uncaught",
    ),
    "worker",
)


def room_of(module: str) -> str:
    """The room of a module's path inside the package, such as `net.poller` or `worker`."""
    first = module.split(".")[0] or "__init__"
    return SHARED_ROOM.get(first, first)


def exists(module: str) -> bool:
    """Whether the package has this module, such as `net.poller`."""
    path = PACKAGE.joinpath(*module.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and module (inside the package) of every import, those for type checkers as well."""
    here = ("lineman", *path.with_suffix("").parts)
    for node in ast.walk(ast.parse((PACKAGE / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "lineman":
                    yield node.lineno, alias.name.removeprefix("lineman").lstrip(".")
        elif isinstance(node, ast.ImportFrom):
            start = here[: -node.level] if node.level else ()
            source = [*start, *(node.module or "").split(".")]
            base = ".".join(part for part in source if part)
            if base == "lineman":
                for alias in node.names:
                    yield node.lineno, alias.name if exists(alias.name) else ""
            elif base.startswith("lineman."):
                yield node.lineno, base.removeprefix("lineman.")


def wrong_arrows(path: Path) -> Iterator[str]:
    """Every import of this module that does not go down."""
    room = room_of(".".join(path.with_suffix("").parts))
    for line, module in imported(path):
        other = room_of(module)
        if other != room and not FLOOR_OF[other] < FLOOR_OF[room]:
            yield f"{path}:{line}: {room} may not know {other}"


def test_there_are_modules_to_look_at() -> None:
    assert Path("errors.py") in MODULES


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_every_module_has_a_floor(path: Path) -> None:
    room = room_of(".".join(path.with_suffix("").parts))
    assert room in FLOOR_OF, f"{path}: give {room!r} a place in FLOORS, and in the design"


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_arrows_point_down(path: Path) -> None:
    assert list(wrong_arrows(path)) == []


@pytest.mark.parametrize("path", MODULES, ids=str)
def test_modules_stay_short(path: Path) -> None:
    count = len((PACKAGE / path).read_text(encoding="utf-8").splitlines())
    assert count <= MAX_LINES, f"{path} has {count} lines; more than one idea must be in it"


def borrowed(path: Path) -> Iterator[str]:
    """Every import of a file of the tests from another package of them, or from a test module."""
    own, rooms = path.parts[0], {each.name for each in TESTS.iterdir() if each.is_dir()} - {"kit"}
    for node in ast.walk(ast.parse((TESTS / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            parts = (node.module or "").split(".")
            is_here = TESTS.joinpath(*parts).is_dir() or (TESTS / f"{'/'.join(parts)}.py").is_file()
            if not is_here:
                continue
            if parts[0] in rooms - {own}:
                yield f"{path}:{node.lineno}: {node.module} belongs in tests/kit"
            elif parts[-1].startswith(("test_", "conftest")):
                yield f"{path}:{node.lineno}: {node.module} is no support: put it beside, or in kit"


def test_what_two_packages_of_tests_use_lies_in_the_kit() -> None:
    paths = sorted(path.relative_to(TESTS) for path in TESTS.rglob("*.py"))
    assert [line for path in paths for line in borrowed(path)] == []
