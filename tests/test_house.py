"""The rules for the source tree: directions of imports, circles, names, lengths of modules."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "src" / "lineman"
TESTS = Path(__file__).parent
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
MAX_LINES = 450

# From the lowest floor up. A room imports itself and the floors below, never another room on the
# same floor. Imports for type checkers count, and so do those inside functions.
FLOORS: list[set[str]] = [
    {"errors"},
    {"base"},
    {"protocols", "tls", "process", "webservers"},
    {"net", "links"},
    {"scheduling"},
    {"brokers", "config"},
    {"asgi", "sharing"},
    {"runtime"},
    {"client", "worker"},
    {"metrics"},
    {"gateway"},
    {"channels"},
    {"__init__"},
    {"doctor", "testing"},
    {"cli"},
    {"__main__"},
]

# The same inside of a package, for those that have rooms of their own. "" is the package itself.
INSIDE: dict[str, list[set[str]]] = {
    "cli": [{"shared"}, {"websocket_client"}, {"load"}, {"commands"}, {"commands.cert"}, {""}],
    "doctor": [{""}, {"checks"}, {"looks"}],
    "gateway": [{"wire"}, {"cluster"}, {"push"}, {"holder", "business"}, {""}],
    "net": [{"loop"}, {"stream"}, {"connection"}, {"datagrams"}, {"listening"}, {""}],
    "process": [{"messages"}, {"child"}, {"rundir"}, {"log"}, {"master"}, {""}],
    "protocols": [{""}, {"http"}, {"proxies"}, {"websocket"}, {"websocket.client", "codecs"}],
    "tls": [{"files", "openssl"}, {"advice", "development", "serving"}, {"acme"}, {""}],
}

# A file's name stands once in the whole package, so that it is found without its folder. These may
# stand more often: what a broker or a web server is called, and the words of the command line.
SAME_ROLE = {"redis", "nats"}
WORDS = "cli/commands"


def name_of(path: Path) -> str:
    """A module's path as a dotted name inside the package, such as `net.loop.poller`."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "__init__"


NAMES = {name_of(path): path for path in MODULES}


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and module (inside the package) of every import, wherever it stands in the file."""
    for node in ast.walk(ast.parse((PACKAGE / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "lineman":
                    yield node.lineno, alias.name.removeprefix("lineman").lstrip(".") or "__init__"
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "lineman":
            base = (node.module or "").removeprefix("lineman").lstrip(".")
            for alias in node.names:
                module = f"{base}.{alias.name}".lstrip(".")
                yield node.lineno, module if module in NAMES else base or "__init__"


@cache
def imports_of(module: str) -> frozenset[str]:
    """The modules that a module imports, its own package excepted, which is only in the way."""
    found = {other for _, other in imported(NAMES[module])}
    return frozenset(other for other in found if other != module)


def room_of(module: str) -> str:
    """The room of a module: `net`, `worker`."""
    return module.split(".")[0]


def place_inside(module: str) -> str:
    """Where in its room a module lies: the deepest of the places that `INSIDE` tells of it."""
    room, *rest = module.split(".")
    if NAMES[module].name != "__init__.py":
        rest = rest[:-1]
    places = set().union(*INSIDE[room])
    while rest and ".".join(rest) not in places:
        rest.pop()
    return ".".join(rest)


def floor(floors: list[set[str]], place: str) -> int:
    """On which floor a place is."""
    for number, places in enumerate(floors):
        if place in places:
            return number
    raise AssertionError(f"give {place!r} a place in the floors, and in the map of the house")


def wrong_arrows(path: Path) -> Iterator[str]:
    """Every import of this module that does not go down."""
    module = name_of(path)
    room = room_of(module)
    for line, other in imported(path):
        target = room_of(other)
        if target != room:
            if floor(FLOORS, target) >= floor(FLOORS, room):
                yield f"{path}:{line}: {room} may not know {target}"
        elif room in INSIDE:
            here, there = place_inside(module), place_inside(other)
            if here != there and floor(INSIDE[room], there) >= floor(INSIDE[room], here):
                yield f"{path}:{line}: {room}.{here} may not know {room}.{there}"


def circles() -> list[list[str]]:
    """Groups of modules that lead to each other: Tarjan's strongly connected components."""
    number: dict[str, int] = {}
    lowest: dict[str, int] = {}
    open_ones: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        number[module] = lowest[module] = len(number)
        open_ones.append(module)
        for other in imports_of(module):
            if other not in number:
                visit(other)
                lowest[module] = min(lowest[module], lowest[other])
            elif other in open_ones:
                lowest[module] = min(lowest[module], number[other])
        if lowest[module] == number[module]:
            group = [open_ones.pop()]
            while group[-1] != module:
                group.append(open_ones.pop())
            if len(group) > 1:
                found.append(sorted(group))

    for module in NAMES:
        if module not in number:
            visit(module)
    return found


def test_there_are_modules_to_look_at() -> None:
    assert {"errors", "net.loop.poller", "cli.commands.start"} <= set(NAMES)


def test_every_module_has_a_floor() -> None:
    for module in NAMES:
        room = room_of(module)
        floor(FLOORS, room)
        if room in INSIDE:
            floor(INSIDE[room], place_inside(module))


def test_arrows_point_down() -> None:
    assert [line for path in MODULES for line in wrong_arrows(path)] == []


def test_no_modules_lead_to_each_other() -> None:
    assert circles() == []


def test_a_files_name_stands_once() -> None:
    count: Counter[str] = Counter()
    for path in MODULES:
        if path.stem != "__init__" and path.stem not in SAME_ROLE and WORDS not in str(path):
            count[path.stem] += 1
    assert [name for name, times in count.items() if times > 1] == []


def test_a_classs_name_stands_once() -> None:
    count: Counter[str] = Counter()
    for path in MODULES:
        parsed = ast.parse((PACKAGE / path).read_text(encoding="utf-8"))
        count.update(each.name for each in parsed.body if isinstance(each, ast.ClassDef))
    assert [name for name, times in count.items() if times > 1] == []


def too_long(folder: Path) -> dict[str, int]:
    """The modules of a folder that hold more than one idea, with their lines."""
    sizes = {path: path.read_text(encoding="utf-8").count("\n") for path in folder.rglob("*.py")}
    return {str(path.relative_to(folder)): size for path, size in sizes.items() if size > MAX_LINES}


def test_modules_stay_short() -> None:
    assert too_long(PACKAGE) == {}


# The tests.


def borrowed(path: Path) -> Iterator[str]:
    """Every import of a file of the tests from another package of them, or from a test module."""
    own, rooms = path.parts[0], {each.name for each in TESTS.iterdir() if each.is_dir()} - {"kit"}
    for node in ast.walk(ast.parse((TESTS / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            parts = (node.module or "").split(".")
            is_here = TESTS.joinpath(*parts).is_dir() or (TESTS / f"{'/'.join(parts)}.py").is_file()
            if is_here and parts[0] in rooms - {own}:
                yield f"{path}:{node.lineno}: {node.module} belongs in tests/kit"
            elif is_here and parts[-1].startswith(("test_", "conftest")):
                yield f"{path}:{node.lineno}: {node.module} is no support: put it beside, or in kit"


def test_what_two_packages_of_tests_use_lies_in_the_kit() -> None:
    paths = sorted(path.relative_to(TESTS) for path in TESTS.rglob("*.py"))
    assert [line for path in paths for line in borrowed(path)] == []


def test_modules_of_tests_stay_short() -> None:
    assert too_long(TESTS) == {}


def test_the_plain_pass_of_the_gate_runs_the_tests_of_every_compiled_room() -> None:
    setup = ast.parse((PACKAGE.parents[1] / "setup.py").read_text(encoding="utf-8"))
    (compiled,) = (
        ast.literal_eval(node.value)
        for node in setup.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "COMPILED"
    )
    gate = (PACKAGE.parents[1] / ".ci" / "run").read_text(encoding="utf-8").replace('"', " ")
    rooms = {name.split("/")[1] for name in compiled}
    assert {room for room in rooms if f" tests/{room} " not in gate} == set()


# A module has its tests beside its name: those of `net/loop/poller.py` are in
# `tests/net/loop/test_poller.py`, or in several that begin so. These modules are tested through
# what uses them, for one of these reasons:
# - they are names, types, protocols or values (`callbacks`, `check_type`, `events`, `interface`,
#   `load_shared`, `program_facts`, `stream_status`, `unopened`, `version`), types for checkers,
#   which `tests/checkers` shows to them (`callback_types`, `client_callback_types`), or fields and
#   messages that are only declared (`history_page`, `master_setting`, `node_messages`,
#   `process_options`, `worker_description`);
# - they are plain twins of functions in C, which one test of their user compares (`epoll`, `steps`,
#   `ticket_answers`, `ticket_callback`, `ticks`, `tlscalls`);
# - they do nothing without a real program, server or line at the other end, as the words of the
#   command line, the looks of the doctor, and a connection's context do.
TESTED_BY = """
brokers/test_nats_history.py
    brokers: jetstream
brokers/test_redis_history.py
    brokers: redis_commands
channels/test_general_channels.py
    channels: message_queue
channels/test_hub_line.py
    channels: loop_end
gateway/cluster/test_node_channel.py
    brokers: heard_senders
cli/commands/test_start.py
    cli/commands: stop
cli/load/test_load_link.py
    cli/load: load_shared
cli/shared/test_standard_output.py
    cli/shared: program_survey
cli/commands/cert/test_authority.py
    cli/commands/cert: obtain renew show
cli/test_main.py
    .: __main__
client/test_connecting.py
    client: client_service
config/test_declared.py
    config: callback_types process_options worker_description
doctor/test_checks.py
    doctor: program_facts stream_facts
    doctor/checks: check_type
e2e/acme/test_acme_job.py
    tls/acme: acme_client acme_job
e2e/test_doctor.py
    doctor/looks: line outside page strangers tls
gateway/test_gateway.py
    gateway: client_callback_types
gateway/test_machines.py
    gateway/wire: node_messages
gateway/holder/test_history.py
    gateway/wire: history_page
net/connection/test_connection.py
    net/connection: callbacks context endpoint peer unopened
    net/stream: stream_status
net/connection/test_piping.py
    net/connection: pipe_ends
net/loop/test_poller.py
    net/loop: epoll steps ticks
net/stream/test_tlsstream.py
    net/stream: tlscalls tlsinfo
net/test_service.py
    net/listening: acceptor arrival
process/master/test_master.py
    process/master: master_setting
protocols/websocket/test_decoder.py
    protocols: events interface
runtime/test_build.py
    base: version
sharing/test_shared.py
    sharing: nats_store redis_store remote_store
sharing/test_store_client.py
    sharing: store_server
sharing/test_value_store.py
    sharing: store_messages
tls/openssl/test_tickets.py
    tls/openssl: ticket_answers ticket_callback
tls/serving/test_live_certificates.py
    tls/serving: loading
"""


def modules_tested_elsewhere() -> Iterator[tuple[str, Path]]:
    """Each test of `TESTED_BY` with a module that it is for."""
    test = ""
    for line in TESTED_BY.split("\n"):
        folder, colon, names = line.strip().partition(": ")
        test = test if colon else folder
        for name in names.split():
            yield test, Path(folder, f"{name}.py")


def test_every_module_has_its_test_file() -> None:
    has_own = {path for path in MODULES if [*(TESTS / path.parent).glob(f"test_{path.stem}*.py")]}
    others = {path for _, path in modules_tested_elsewhere()}
    wanted = {path for path in MODULES if path.name != "__init__.py"}
    assert sorted(map(str, wanted - has_own - others)) == [], "give them tests of their own"
    assert sorted(map(str, others & has_own | others - wanted)) == [], "they are off the list now"
    assert [test for test, _ in modules_tested_elsewhere() if not (TESTS / test).is_file()] == []
