"""Every name that programs use is public: `lineman` exports it, and the reference describes it."""

from __future__ import annotations

import ast
import copy
import functools
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import lineman
from lineman_site.public_members import HIDDEN, SHOWN

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "lineman"
REFERENCE = ROOT / "docs" / "reference"
LISTED = {
    row[1]
    for line in (REFERENCE / "names.md").read_text(encoding="utf-8").split("\n## ")[0].splitlines()
    if (row := re.match(r"\| `(\w+)` \|", line))
}
WORDS = {
    word
    for page in sorted(REFERENCE.glob("*.md"))
    for piece in re.findall(r"`[^`]+`|^```.*?^```", page.read_text(encoding="utf-8"), re.M | re.S)
    for word in re.findall(r"\w+", piece)
}
NAMES = sorted({*lineman.__all__} - {"__version__"})


@dataclass(frozen=True)
class Found:
    """A class, a function or an alias: the module that has it, and its name there."""

    module: str
    name: str


def source(module: str) -> Path:
    """The file of a module inside the package, such as `net.poller`."""
    path = PACKAGE.joinpath(*module.split(".")) if module else PACKAGE
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@functools.cache
def table(module: str) -> dict[str, ast.AST | Found]:
    """What each name at the top of a module stands for; a module of ours has an empty name."""
    names: dict[str, ast.AST | Found] = {}
    nodes = list(ast.parse(source(module).read_text(encoding="utf-8")).body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, (ast.If, ast.Try)):
            nodes += node.body
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "lineman":
            where = str(node.module).removeprefix("lineman").lstrip(".")
            for alias in node.names:
                inner = f"{where}.{alias.name}".lstrip(".")
                is_module = source(inner).is_file()
                found = Found(inner, "") if is_module else Found(where, alias.name)
                names[alias.asname or alias.name] = found
        elif isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            names[node.name] = node
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            names[node.targets[0].id] = node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            names[node.target.id] = node.value
    return names


def defined(module: str, name: str) -> tuple[str, ast.AST] | None:
    """Module and node of what a name stands for; None where it is none of ours."""
    found = table(module).get(name)
    while isinstance(found, Found):
        module, name = found.module, found.name
        found = table(module).get(name)
    return None if found is None else (module, found)


def classes_in(module: str, expression: ast.AST) -> Iterator[str]:
    """The classes of ours that an annotation names, aliases seen through: `module.Name` each."""
    for node in ast.walk(expression):
        pair = None
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if node.value.isidentifier():
                pair = defined(module, node.value)
        elif isinstance(node, ast.Name):
            pair = defined(module, node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            base = table(module).get(node.value.id)
            if isinstance(base, Found) and not base.name:
                pair = defined(base.module, node.attr)
        if pair is None:
            continue
        where, what = pair
        if what is expression:  # the name of a TypeVar, in its own call
            continue
        if isinstance(what, ast.ClassDef):
            yield f"{where}.{what.name}"
        elif what is not expression and not isinstance(
            what, (ast.FunctionDef, ast.AsyncFunctionDef)
        ):  # a type variable has its own name in it
            yield from classes_in(where, what)


def functions_annotations(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.AST]:
    """Those of the arguments, and of what it returns."""
    given = node.args
    for each in (*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg):
        if each is not None and each.annotation is not None:
            yield each.annotation
    if node.returns is not None:
        yield node.returns


def members(module: str, node: ast.ClassDef) -> Iterator[tuple[str, str, list[ast.AST]]]:
    """Name, module and annotations of each member, inherited ones too."""
    for each in node.body:
        if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield each.name, module, list(functions_annotations(each))
        elif isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            yield each.target.id, module, [each.annotation]
    for base in node.bases:
        pair = defined(module, base.id) if isinstance(base, ast.Name) else None
        if pair is not None and isinstance(pair[1], ast.ClassDef):
            yield from members(pair[0], pair[1])


def is_for_programs(name: str, member: str) -> bool:
    """Whether programs see this member of a class that they make themselves."""
    is_public = not member.startswith("_") or member in ("__init__", "__enter__", "__iter__")
    return is_public and member not in HIDDEN.get(name, ())


def public_members(name: str) -> Iterator[tuple[str, str, list[ast.AST]]]:
    """The same of a name that the package exports, without what is not for programs."""
    module, node = defined("", name) or pytest.fail(f"{name} is not imported for checkers")
    if isinstance(node, ast.FunctionDef):
        yield name, module, list(functions_annotations(node))
        return
    assert isinstance(node, ast.ClassDef)
    for each in members(module, node):
        if each[0] in SHOWN[name] if name in SHOWN else is_for_programs(name, each[0]):
            yield each


def addresses() -> set[str]:
    """Where the exported classes are at home: `module.Name` each."""
    pairs = (defined("", name) for name in NAMES)
    return {f"{pair[0]}.{pair[1].name}" for pair in pairs if pair and hasattr(pair[1], "name")}


@pytest.mark.parametrize("name", NAMES)
def test_no_public_annotation_names_a_class_without_a_public_address(name: str) -> None:
    exported = addresses()
    unknown = {
        f"{name}.{member}: {each}"
        for member, where, written in public_members(name)
        if not member.startswith("on_")  # a slot takes a function, and that is told of
        for annotation in written
        for each in classes_in(where, annotation)
        if each not in exported
    }
    assert unknown == set()


def test_what_is_exported_for_checkers_and_at_run_time_is_the_same() -> None:
    assert sorted({*lineman.__all__}) == lineman.__all__
    assert lineman._HOMES.keys() == {*NAMES}
    for name, home in lineman._HOMES.items():
        pair = defined("", name)
        assert pair is not None
        assert getattr(pair[1], "name", None) == name
        assert pair[0] == home
        assert getattr(lineman, name).__name__ == name
    assert {*lineman.__all__} <= {*dir(lineman)}


def test_the_reference_lists_the_public_names_and_no_others() -> None:
    assert {*NAMES} == LISTED


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_tells_of_every_public_member(name: str) -> None:
    told = {member for member, _, _ in public_members(name) if not member.startswith("__")}
    assert told - WORDS == set()


def told_calls(page: str, heading: str) -> Iterator[tuple[str, str, str]]:
    """Whose it is (`client`, `worker`; mostly empty), name and arguments of each call in a part."""
    text = (REFERENCE / page).read_text(encoding="utf-8").split(f"\n{heading}", 1)[1]
    text = re.split(rf"\n#{{1,{heading.index(' ')}}} ", text, maxsplit=1)[0]
    for owner, method, arguments in re.findall(r"`(?:await )?(?:(\w+)\.)?(\w+)\(([^`]*)\)`", text):
        yield owner.lower(), method, arguments


def method_of(name: str, method: str) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """A method of an exported class, wherever in its bases it stands."""
    waiting = [defined("", name)]
    while waiting:
        where, node = waiting.pop(0) or ("", None)
        for each in node.body if isinstance(node, ast.ClassDef) else ():
            if isinstance(each, (ast.FunctionDef, ast.AsyncFunctionDef)) and each.name == method:
                return each
        for base in node.bases if isinstance(node, ast.ClassDef) else ():
            waiting += [defined(where, base.id)] if isinstance(base, ast.Name) else []
    return None


# Arguments that are for the package itself.
INNER_ARGUMENTS = {"start": ", check_files=True", "reload_certificates": "contents=None"}
VALUES = {"closing.NORMAL": "1000", "GOING_AWAY": "1001", "*, ": "", '"': "'"}


def arguments_of(name: str, method: str) -> str | None:
    """The arguments of a method as the reference writes them; None where there is no method."""
    found = method_of(name, method)
    if found is None:
        return None
    arguments = copy.deepcopy(found.args)
    for each in [*arguments.args, *arguments.kwonlyargs, arguments.vararg]:
        if each is not None:
            each.annotation = None
    written = ast.unparse(arguments).removeprefix("self").removeprefix(", ")
    for value, figure in VALUES.items():
        written = written.replace(value, figure)
    return written.removesuffix(INNER_ARGUMENTS.get(method, "\0"))


@pytest.mark.parametrize(
    ("page", "heading", "owners"),
    [
        ("worker.md", "### Methods and attributes", {"": "Worker", "worker": "Worker"}),
        ("worker.md", "## `Connection`", {"": "Connection"}),
        ("gateway.md", "## Functions", {"": "Gateway", "client": "Client"}),
    ],
)
def test_the_reference_tells_of_the_arguments_that_there_are(
    page: str, heading: str, owners: dict[str, str]
) -> None:
    told = [
        (*each, arguments_of(owners.get(each[0], ""), each[1]))
        for each in told_calls(page, heading)
    ]
    known = [each for each in told if each[3] is not None]
    assert len(known) > 3
    assert [each for each in known if each[2].replace('"', "'") != each[3]] == []


@pytest.mark.parametrize("name", [*SHOWN, *HIDDEN])
def test_what_is_shown_or_hidden_exists(name: str) -> None:
    pair = defined("", name)
    assert pair is not None
    assert isinstance(pair[1], ast.ClassDef)
    found = {member for member, _, _ in members(pair[0], pair[1])}
    found |= {each.attr for each in ast.walk(pair[1]) if isinstance(each, ast.Attribute)}
    found |= {*dir(getattr(lineman, name))}
    assert {*SHOWN.get(name, ()), *HIDDEN.get(name, ())} - found == set()


def exceptions() -> list[type]:
    """Every exception of ours that a program may catch."""
    found, waiting = [], [lineman.LinemanError]
    while waiting:
        each = waiting.pop()
        found.append(each)
        waiting += each.__subclasses__()
    return found


def test_an_exception_says_where_it_is_imported_from() -> None:
    public = [each for each in exceptions() if each.__name__ in lineman.__all__]
    assert len(public) > 8
    assert {each.__module__ for each in public} == {"lineman"}


TEXTS = [
    *(ROOT / "CHANGELOG.md", ROOT / "README.md", ROOT / "SECURITY.md"),
    *(
        path
        for shelf in ("howto", "tutorial", "reference")
        for path in (ROOT / "docs" / shelf).glob("*.md")
    ),
    *(ROOT / "examples").rglob("*.py"),
]
SUBMODULES = {
    path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
} - {"__init__", "testing", "__main__"}


def inner_addresses(text: str) -> list[str]:
    """What a text says of modules that are not for programs."""
    found = re.findall(r"\blineman\.([a-z_]+(?:\.[a-z_]+)*)", text)
    return [
        each
        for each in found
        if not each.startswith("testing")
        # What Django's settings name, and the command that supervisors run.
        and each not in ("channels", "channels.hub_process")
        and each.split(".")[0] not in ("service", "socket")
        and any(each == module or each.startswith(f"{module}.") for module in SUBMODULES)
    ]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_document_and_no_example_sends_programs_into_a_submodule(path: Path) -> None:
    assert inner_addresses(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("name", NAMES)
def test_no_public_docstring_sends_programs_into_a_submodule(name: str) -> None:
    what = getattr(lineman, name)
    said = [what.__doc__ or ""]
    if isinstance(what, type):
        said += [
            getattr(member, "__doc__", None) or ""
            for one, member in inspect.getmembers(what)
            if not one.startswith("_") and getattr(type(member), "__module__", "") != "enum"
        ]
    assert [each for text in said for each in inner_addresses(text)] == []
