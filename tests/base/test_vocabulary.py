"""The table of names that do not exist, beside the guides and the package itself."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lineman import Client, Connection, Gateway, Request, Worker
from lineman.base import vocabulary
from lineman.config.callback_slots import Slot
from lineman.config.declared import public_names

DOCS = Path(__file__).parents[2] / "docs"

pytestmark = pytest.mark.usefixtures("no_traces")


# The table.


def rows(page: str, heading: str) -> Iterator[list[str]]:
    """The cells of the tables under a heading of a page."""
    text = (DOCS / page).read_text(encoding="utf-8").split(f"\n{heading}\n", 1)[1]
    for line in re.split(r"\n#+ ", text, maxsplit=1)[0].splitlines():
        if line.startswith("|") and not line.startswith("|--"):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


TABLES = (
    *(vocabulary.WORKER, vocabulary.CONNECTION, vocabulary.GATEWAY, vocabulary.CLIENT),
    vocabulary.REQUEST,
)


def spelt(cell: str) -> set[str]:
    """The names in a cell in Workerman's own spelling: `onMessage`, `reusePort`."""
    cell = re.sub(r"Timer::\w+", "", cell)  # the reference of Workerman's names has these
    found = re.findall(r"(?<![$\w\[(])[a-z]+[A-Z]\w*", cell)
    return {name for name in found if f"({name}" not in cell and f"${name})" not in cell}


def test_the_porting_guide_says_what_the_table_says() -> None:
    guide = "howto/porting-from-workerman.md"
    renamed = list(rows(guide, "## Names"))
    assert len(renamed) > 60
    for theirs, ours, *_ in renamed:
        for name in spelt(theirs):
            answers = [a for table in TABLES if (a := vocabulary.lookup(table, name)) is not None]
            assert answers, f"{name} is in the guide and not in the table"
            told = re.findall(r"[a-z_]+", ours)
            assert any(" " in answer or answer in told for answer in answers), (name, ours)


def test_a_gateway_knows_its_own_options() -> None:
    taken = set(inspect.signature(Gateway).parameters) - {"address", "context", "name", "given"}
    assert taken <= set(Gateway._kind.options)


@pytest.mark.parametrize(
    "table", TABLES, ids=["worker", "connection", "gateway", "client", "request"]
)
def test_the_guides_have_every_name_of_the_table(table: dict[str, str]) -> None:
    pages = ("howto/porting-from-workerman.md", "reference/gateway.md")
    text = "\n".join((DOCS / page).read_text(encoding="utf-8") for page in pages)
    assert not {name for name in table if not re.search(rf"\b{name}\b", text)}


def test_what_the_table_calls_ours_is_there() -> None:
    worker, gateway = public_names(Worker), public_names(Gateway)
    for table, has in (
        (vocabulary.WORKER, worker),
        (vocabulary.CONNECTION, set(vocabulary.MEMBERS)),
        (vocabulary.GATEWAY, gateway),
        (vocabulary.CLIENT, set(vocabulary.CLIENT_MEMBERS)),
        (vocabulary.REQUEST, set(vocabulary.REQUEST_MEMBERS)),
    ):
        named = {answer for answer in table.values() if " " not in answer}
        assert named <= has
        assert (
            not {plain for plain in map(vocabulary.plain, table) if plain in table.values()} - has
        )
    assert set(vocabulary.WORKER) >= vocabulary.WORKER_SETTINGS
    assert set(vocabulary.GATEWAY) >= vocabulary.GATEWAY_SETTINGS
    slots = {name for name, value in vars(Gateway).items() if isinstance(value, Slot)}
    assert slots < gateway


def test_the_members_are_those_of_the_reference() -> None:
    shown = {
        name
        for first, *_ in rows("reference/worker.md", "## `Connection`")
        for name in re.findall(r"`(?:await )?([a-z_]+)[`(]", first)
    } - {"async"}
    assert shown == set(vocabulary.MEMBERS)
    for cls, members in (
        (Connection, vocabulary.MEMBERS),
        (Client, vocabulary.CLIENT_MEMBERS),
        (Request, vocabulary.REQUEST_MEMBERS),
    ):
        assert all(inspect.getattr_static(cls, name) is not None for name in members)
        assert {name for name in vars(cls) if name[0] != "_"} - set(members) <= HOUSE[cls]


# The methods that other modules of the package call on them.
HOUSE: dict[type, set[str]] = {
    Request: {"of_handshake"},
    Connection: {
        *("begin", "inbox_is_empty", "keep", "on_deadline", "on_events", "on_turn", "open"),
        *("take", "take_bytes", "upgrade"),
    },
    Client: {
        *("apply", "change", "link", "number", "ordered", "queue", "stored_session"),
        *("server", "tls"),
        "take_session_change",
    },
}
