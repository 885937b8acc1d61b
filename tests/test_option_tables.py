"""An option is written once; each has its row in the reference, with its default and its unit."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import MISSING, Field, FrozenInstanceError, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from lineman import (
    AcmeOptions,
    ConfigError,
    DeflateOptions,
    Gateway,
    GatewayOptions,
    GuardOptions,
    HistoryOptions,
    Worker,
    WorkerOptions,
)
from lineman.base.option_kinds import KIB, MIB, Number
from lineman.config import checked_options
from lineman.config.options import OPTIONS, ServiceFields
from lineman.gateway.push.push_endpoint import MIN_TOKEN
from lineman.net.connection.limits import HITS, LimitFields, Limits
from lineman.process.messages.process_rules import Rules
from lineman.tls.serving.tls_options import TlsOptions

PACKAGE = Path(__file__).parents[1] / "src" / "lineman"
REFERENCE = Path(__file__).parents[1] / "docs" / "reference"
Rows = dict[str, list[str]]


def cells_of(line: str) -> list[str]:
    """The cells of a row."""
    return [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]


def rows(page: str, heading: str = "", without: str = "\0") -> Rows:
    """The rows of the tables of options on a page, by option.

    Args:
        page: its file.
        heading: below which they stand; empty for the whole page.
        without: a heading in there whose table is another one's.
    """
    text = (REFERENCE / page).read_text(encoding="utf-8")
    if heading:
        text = text.split(f"\n{heading}", 1)[1]
        text = re.split(rf"\n#{{1,{heading.index(' ')}}} ", text, maxsplit=1)[0]
    before, _, after = text.partition(f"\n{without}")
    text = before + after.partition("\n#")[2]
    found: Rows = {}
    is_table = False
    for line in text.splitlines():
        is_table = line.startswith("|") and (is_table or line.startswith("| Option |"))
        cells = cells_of(line)
        if is_table:
            found |= dict.fromkeys(re.findall(r"`([a-z]\w*)`", cells[0]), cells)
    return found


def written(each: Field[Any]) -> str:
    """A default as the tables have it."""
    default, kind = each.default, each.metadata.get("kind")
    if isinstance(kind, Number):
        if default == 0 and kind.zero:
            return "off"
        if kind.unit == "seconds":
            return f"{default:.1f} s"
        if kind.unit == "bytes" and default is not None:
            size, unit = (MIB, "MiB") if default % MIB == 0 else (KIB, "KiB")
            return f"{default // size} {unit}"
    if each.name == "socket_mode":
        return oct(default)
    if callable(default):
        return str(default.__name__)
    return f'"{default}"' if isinstance(default, str) else str(default)


OF_WORKER = fields(ServiceFields)
LIMITS = rows("limits.md")
TABLES: dict[type, tuple[Rows, ...]] = {
    WorkerOptions: (
        rows("worker.md", "## `Worker(", "#### `AcmeOptions("),
        {name: cells for name, cells in LIMITS.items() if name != "authenticate_within"},
    ),
    GatewayOptions: (rows("gateway.md", "## `Gateway("),),
    AcmeOptions: (rows("worker.md", "#### `AcmeOptions("),),
    DeflateOptions: (rows("names.md", "## `DeflateOptions`"),),
    HistoryOptions: (rows("names.md", "## `HistoryOptions`"),),
}


def options_of(declared: type) -> Iterator[Field[Any]]:
    """The options that the tables of a class tell of."""
    for each in fields(declared):
        is_a_workers = declared is GatewayOptions and any(each is other for other in OF_WORKER)
        if each.name not in ("address", "context", "email") and not is_a_workers:
            yield each


CASES = [(declared, each) for declared in TABLES for each in options_of(declared)]


def name_of(value: object) -> str:
    """For the names of cases."""
    return value.name if isinstance(value, Field) else getattr(value, "__name__", "")


@pytest.mark.parametrize(("declared", "each"), CASES, ids=name_of)
def test_every_option_has_its_row_with_its_default_and_unit(
    declared: type, each: Field[Any]
) -> None:
    (cells,) = (table[each.name] for table in TABLES[declared] if each.name in table)
    assert each.default is not MISSING
    assert cells[1].strip("`") == written(each)
    kind = each.metadata.get("kind")
    if isinstance(kind, Number) and kind.unit and written(each) in ("off", "None"):
        assert kind.unit in cells[2], "the unit is not told"


@pytest.mark.parametrize("declared", TABLES, ids=name_of)
def test_the_tables_have_no_other_rows(declared: type) -> None:
    told = [name for table in TABLES[declared] for name in table]
    assert sorted(told) == sorted(each.name for each in options_of(declared))


def test_the_least_length_of_a_token_is_told() -> None:
    (table,) = TABLES[GatewayOptions]
    assert re.search(rf"\b{MIN_TOKEN} ASCII characters at least", table["push_token"][2])


@pytest.mark.parametrize("name", ["pid_file", "metrics", "log_file", "log_format", "log_level"])
def test_what_is_of_the_whole_program_has_its_row_and_default(name: str) -> None:
    page = (REFERENCE / "worker.md").read_text(encoding="utf-8").splitlines()
    (row,) = (cells_of(line) for line in page if line.startswith(f"| `Worker.{name}` |"))
    default = getattr(Worker, name)
    assert row[1].strip("`") == (f'"{default}"' if isinstance(default, str) else str(default))


# Declared once: the name, its type, default, check and words stand in one place.


def declarations() -> Iterator[tuple[str, str, bool]]:
    """Class and name of each option, and whether words of its own follow."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            body = node.body if isinstance(node, ast.ClassDef) else []
            for each, then in pairwise([*body, None]):
                if isinstance(each, ast.AnnAssign) and "= option(" in ast.unparse(each):
                    is_said = isinstance(then, ast.Expr) and isinstance(then.value, ast.Constant)
                    yield getattr(node, "name", ""), ast.unparse(each.target), is_said


def test_an_option_is_declared_once() -> None:
    again = {
        "ca_file",  # of the clients, and of the authority's own API
        "name",  # a gateway has one without being given it
        "ping_interval",  # of websocket pings, and of a gateway's own
        "reloadable",  # a gateway's holders are not, unless that is said
        "start_timeout",  # of a process, and of its first certificate
    }
    found = Counter(name for _, name, _ in declarations())
    assert {name: count for name, count in found.items() if count > 1} == dict.fromkeys(again, 2)
    assert {*OPTIONS} <= found.keys()


def test_every_option_has_words_where_it_is_declared() -> None:
    found = list(declarations())
    assert len(found) > 85
    assert [each for each in found if not each[2]] == []


@pytest.mark.parametrize("name", OPTIONS)
def test_an_option_of_a_worker_is_an_attribute_and_an_argument_and_is_checked(name: str) -> None:
    (declared,) = (each for each in fields(WorkerOptions) if each.name == name)
    assert getattr(Worker, name) == declared.default
    wrong = object()
    worker = Worker("wss://127.0.0.1:0", **{name: wrong})
    assert getattr(worker, name) is wrong
    with pytest.raises(ConfigError, match=rf"^(the )?{name}\b") as caught:
        checked_options.read(worker)
    assert caught.value.fix


@pytest.mark.parametrize("name", [each.name for each in options_of(GatewayOptions)])
def test_an_option_of_a_gateway_is_an_argument_and_is_checked(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"^(the )?{name}\b") as caught:
        Gateway("ws://127.0.0.1:0", **{name: object()})
    assert caught.value.fix


@pytest.mark.parametrize("name", [each.name for each in options_of(AcmeOptions)])
def test_an_option_of_acme_is_checked(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        AcmeOptions("", **{name: object()})
    assert caught.value.fix


# Limits.


def test_every_counter_stands_beside_the_limit_that_it_counts() -> None:
    page = (REFERENCE / "limits.md").read_text(encoding="utf-8").splitlines()
    (descriptors,) = (line for line in page if line.startswith("| none: `ulimit -n` |"))
    table = {**LIMITS, "descriptors": cells_of(descriptors)}
    counters = [found[1] for row in table.values() if (found := re.fullmatch(r"`(\w+)`", row[4]))]
    own = [name for name in counters if not name.endswith("_total")]
    assert sorted(own) == sorted(HITS)
    beside = {name: row[4].strip("`") for name, row in table.items()}
    assert [name for name, counter in beside.items() if counter in HITS and counter != name] == []


def test_every_limit_is_in_the_table_of_limits() -> None:
    assert LIMITS.keys() == {each.name for each in fields(LimitFields)} | {"authenticate_within"}
    (of_gateway,) = (each for each in fields(GuardOptions) if each.name == "authenticate_within")
    assert LIMITS["authenticate_within"][1] == written(of_gateway)


def test_nothing_that_counts_by_address_is_on_by_default() -> None:
    counted = [each for each in fields(LimitFields) if each.name.endswith("_per_ip")]
    assert len(counted) == 4
    assert [each.name for each in counted if each.default] == []


@pytest.mark.parametrize("made", [Limits(), Rules(), TlsOptions(), GuardOptions()])
def test_options_that_were_checked_cannot_be_changed(made: object) -> None:
    name = fields(made)[0].name  # type: ignore[arg-type]
    for refused in (name, "misspelt"):
        with pytest.raises(FrozenInstanceError):
            setattr(made, refused, 1)
    with pytest.raises(FrozenInstanceError):
        delattr(made, name)
