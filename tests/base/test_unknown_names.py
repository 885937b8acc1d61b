"""What a `Worker`, a `Gateway` or a connection does not have is refused, with what to use."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest

from lineman import Client, Connection, Gateway, Request, Worker
from lineman.base import vocabulary
from lineman.config.callback_slots import Slot
from lineman.config.declared import public_names
from lineman.errors import ConfigError, UnknownNameError, UsageError
from lineman.gateway.business.business_worker import Business
from lineman.gateway.wire.messages import IntroduceClient
from lineman.links.link import Link

DOCS = Path(__file__).parents[2] / "docs"
WS = "ws://127.0.0.1:0"


@pytest.fixture(autouse=True)
def no_traces() -> Iterator[None]:
    """Takes what a test has made off the lists of the program."""
    workers, names = Worker.all_workers[:], set(Gateway.all_names)
    yield
    Worker.all_workers[:] = workers
    Gateway.all_names.clear()
    Gateway.all_names.update(names)


def made_client() -> Client:
    meet = IntroduceClient(1, f"{1:032}", "1.1.1.1", 1, "/", (), None, (), b"\x80", 0)
    return Client(cast(Business, None), cast(Link, None), meet)


def words_of(action: Any, *arguments: Any) -> str:
    """What an unknown name is refused with."""
    with pytest.raises(UnknownNameError) as caught:
        action(*arguments)
    assert isinstance(caught.value, UsageError)
    assert isinstance(caught.value, AttributeError)
    return str(caught.value)


def set_and_read(thing: object, name: str) -> str:
    """The same words, whether it is set or read."""
    words = words_of(setattr, thing, name, print)
    assert words_of(getattr, thing, name) == words
    assert not hasattr(thing, name)
    assert getattr(thing, name, 7) == 7
    return words


WORKER = [
    ("onMessage", "did you mean on_message?"),
    ("onWebSocketConnect", "did you mean on_websocket_connect?"),
    ("on_web_socket_connect", "did you mean on_websocket_connect?"),
    ("onWebSocketConnected", "did you mean on_connect?"),
    ("ONMESSAGE", "did you mean on_message?"),
    ("on_mesage", "did you mean on_message?"),
    ("onMesage", "did you mean on_message?"),
    ("onWorkerReload", "on_worker_stop is called in the old one, on_worker_start in the new one"),
    ("on_worker_reload", "on_worker_stop is called in the old one, on_worker_start in the new one"),
    ("onMasterStop", "the master runs none of the program's code"),
    ("on_open", "there are on_buffer_drain, on_buffer_full, on_close, on_connect"),
    ("maxPackageSize", "did you mean max_message_size?"),
    ("cuont", "did you mean count?"),
    ("Count", "did you mean count?"),
    ("reusePort", "it is always on"),
    ("daemonize", "python app.py start -d"),
    ("pidFile", "did you mean pid_file?"),
    ("stdoutFile", "did you mean log_file?"),
    ("registerAddress", "machines by broker="),
    ("rooms", 'keep your own things in worker.data: worker.data["rooms"]'),
    ("_rooms", 'worker.data["_rooms"]'),
]


@pytest.mark.parametrize(("name", "says"), WORKER)
def test_what_a_worker_does_not_have_is_refused_with_what_to_use(name: str, says: str) -> None:
    words = set_and_read(Worker(WS), name)
    assert words.startswith(f"a Worker has no {name}")
    assert says in words


@pytest.mark.parametrize(("name", "says"), WORKER)
def test_the_class_refuses_it_too(name: str, says: str) -> None:
    assert says in set_and_read(Worker, name)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("onMessage", "did you mean on_message?"),
        ("onWebSocketConnect", "did you mean on_websocket_connect?"),
        ("onWebSocketConnected", "did you mean on_connect?"),
        ("onError", "what a callback raises is logged"),
        ("onBusinessWorkerConnected", "the log and `status` tell"),
        ("count", "processes are gateways=… and workers=…"),
        ("registerAddress", "machines by broker="),
        ("secretKey", "Gateway(…, secret=…)"),
        ("max_message_size", "give it to the constructor: Gateway(…, max_message_size=…)"),
        ("maxPackageSize", "give it to the constructor: Gateway(…, max_message_size=…)"),
        ("ping_data", "give it to the constructor: Gateway(…, ping_data=…)"),
        ("trusted_proxys", "give it to the constructor: Gateway(…, trusted_proxies=…)"),
        ("daemonize", "python app.py start -d"),
        ("pidFile", "it is Worker.pid_file"),
        ("sendToAll", "did you mean send_to_all?"),
        ("destoryClient", "did you mean destroy_client?"),
        ("getAllClientInfo", "did you mean get_all_client_sessions?"),
        ("rooms", 'keep your own things in gateway.data: gateway.data["rooms"]'),
    ],
)
def test_what_a_gateway_does_not_have_is_refused_with_what_to_use(name: str, says: str) -> None:
    gateway = Gateway(WS)
    for thing in (gateway, Gateway):
        words = set_and_read(thing, name)
        assert words.startswith(f"a Gateway has no {name}")
        assert says in words


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("realIP", "remote_ip"),
        ("real_ip", "remote_ip"),
        ("getRemoteIp", "did you mean remote_ip?"),
        ("get_remote_ip", "did you mean remote_ip?"),
        ("onMessage", "callbacks are set on the gateway"),
        ("data", "did you mean session?"),
        ("context", "did you mean session?"),
        ("getRemoteAddress", "did you mean remote_ip?"),
        ("getStatus", "await gateway.is_online(client)"),
    ],
)
def test_what_a_gateways_client_does_not_have_is_refused(name: str, says: str) -> None:
    assert says in set_and_read(made_client(), name)


def test_a_gateways_client_takes_nothing_of_the_programs_own() -> None:
    client = made_client()
    assert 'client.session["nick"]' in words_of(setattr, client, "nick", "me")
    client.session = {"nick": "me"}  # what keeps a value may be set
    assert client.session == {"nick": "me"}
    with pytest.raises(AttributeError):
        client.nick  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("uid", "uid of a Gateway's client is only read; write client.bind(uid)"),
        ("groups", "write client.join(group), or client.leave(group)"),
    ],
)
def test_what_a_call_changes_is_not_set_on_a_gateways_client(name: str, says: str) -> None:
    client = made_client()
    before = getattr(client, name)
    for value in (7, "7", None, before):
        with pytest.raises(UsageError, match=re.escape(says)):
            setattr(client, name, value)
    assert getattr(client, name) == before


# The constructors.


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Worker(WS, certs="a.pem"), "a Worker has no certs; did you mean cert?"),
        (lambda: Worker(WS, onMessage=print), "a Worker has no onMessage; did you mean on_message"),
        (lambda: Worker(WS, on_message=print), "set it: worker.on_message = …"),
        (lambda: Worker(WS, reusePort=True), "it is always on"),
        (lambda: Worker(WS, pid_file="a"), "set it: Worker.pid_file = …"),
        (lambda: Gateway(WS, count=4), "processes are gateways=… and workers=…"),
        (lambda: Gateway(WS, maxPackageSize=4), "Gateway(…, max_message_size=…)"),
        (lambda: Gateway(WS, businessWorkers=2), "Gateway(…, workers=…)"),
        (lambda: Gateway(WS, business_workers=2), "Gateway(…, workers=…)"),
        (lambda: Worker(WS, port=5), "port of a Worker is only read; it stands in the address"),
        (lambda: Worker(WS, url="a"), "url of a Worker is only read; the address says it"),
        (lambda: Worker(WS, connections=1), "connections of a Worker is only read"),
        (lambda: Worker(WS, start=1), "start is no option of Worker(…); call it: worker.start(…)"),
        (lambda: Gateway(WS, current_client=1), "is only read; the one whose callback is at work"),
        (lambda: Gateway(WS, worker=4), "Gateway(…, workers=…)"),
        (lambda: Gateway(WS, on_message=print), "set it: gateway.on_message = …"),
    ],
)
def test_an_option_that_does_not_exist_is_refused_with_what_to_use(make: Any, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        make()
    assert says in str(caught.value)


def test_what_is_only_read_is_refused_in_words() -> None:
    worker, gateway = Worker(WS), Gateway(WS)
    for thing, cls in ((worker, Worker), (gateway, Gateway)):
        base = cast(Any, cls)
        found = {
            name
            for name in public_names(base)
            if isinstance(each := inspect.getattr_static(base, name, None), property)
            and each.fset is None
        }
        assert found == set(base._kind.calls)
        for name in found:
            with pytest.raises(UsageError, match=f"{name} of a .* is only read; "):
                setattr(thing, name, 5)


def test_a_property_of_the_programs_own_is_refused_in_pythons_words() -> None:
    class Mine(Worker):
        @property
        def rooms(self) -> int:
            return 1

    with pytest.raises(AttributeError, match="rooms"):
        Mine(WS).rooms = 2  # type: ignore[misc]


@pytest.mark.parametrize("name", ["gateways", "workers"])
@pytest.mark.parametrize("value", ["2", 0, None, True, 1.5, 5000])
def test_a_number_of_processes_is_refused_under_the_name_that_was_given(
    name: str, value: Any
) -> None:
    with pytest.raises(ConfigError, match=f"{name} is {value!r}; fix: give the number of proc"):
        Gateway(WS, **{name: value})


# What is set in the wrong place would never be looked at.


@pytest.mark.parametrize("name", ["on_message", "on_worker_start"])
def test_a_callback_is_not_set_on_the_class(name: str) -> None:
    for cls in (Worker, Gateway):
        slot = inspect.getattr_static(cls, name)
        with pytest.raises(UsageError, match=rf"{cls.__name__.lower()}\.{name} = …"):
            setattr(cls, name, print)
        assert inspect.getattr_static(cls, name) is slot


@pytest.mark.parametrize("name", ["pid_file", "log_file", "metrics", "all_workers"])
def test_what_is_of_the_whole_program_is_not_set_on_one_worker(name: str) -> None:
    with pytest.raises(UsageError, match=rf"of the whole program: Worker\.{name} = …"):
        setattr(Worker(WS), name, "here")


def test_options_of_the_program_and_defaults_are_set_on_the_class(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Worker, "log_level", "DEBUG")
    monkeypatch.setattr(Worker, "max_message_size", 5)
    assert Worker(WS).max_message_size == 5


# The program's own things.


def test_there_is_a_place_for_the_programs_own() -> None:
    worker, gateway = Worker(WS), Gateway(WS)
    assert worker.data == gateway.data == {}
    worker.data["rooms"] = 1
    assert Worker(WS).data == {}
    gateway.data = worker.data
    assert gateway.data["rooms"] == 1


class Chat(Worker):
    rooms: dict[str, str]
    members = 0
    __slots__ = ("extra",)
    registry: ClassVar[list[str]]

    def __init__(self) -> None:
        super().__init__(WS)
        self.rooms = {}
        self.extra = 1
        self._told: list[str]

    @property
    def told(self) -> list[str]:
        return self._told

    def reply(self, connection: object, message: str) -> None:
        self.members += len(message)


def test_a_subclass_may_declare_more() -> None:
    chat = Chat()
    chat.rooms["a"] = "b"
    chat.members = 5
    chat.extra = 2
    Chat.registry = ["one"]
    chat.on_message = chat.reply
    assert (chat.rooms, chat.members, chat.extra, Chat.registry) == ({"a": "b"}, 5, 2, ["one"])
    words = words_of(setattr, chat, "pepole", 1)
    assert 'worker.data["pepole"], or declare it in Chat' in words
    assert "did you mean rooms?" in words_of(setattr, chat, "Rooms", 1)
    words_of(setattr, Chat, "romms", 1)


def test_a_property_that_fails_says_why_itself() -> None:
    with pytest.raises(AttributeError, match="_told"):
        Chat().told  # noqa: B018


@pytest.mark.parametrize("base", [Worker, Gateway])
def test_a_method_of_a_subclass_that_nobody_would_call_is_refused(base: type[Any]) -> None:
    def method(self: Any, connection: Any, message: Any) -> None: ...

    for name in ("on_message", "on_connect"):
        with pytest.raises(UsageError, match=f"{name} hides the callback.*self.{name} = "):
            type("Mine", (base,), {name: method})
    with pytest.raises(UsageError, match=r"has no onMessage; did you mean on_message\?"):
        type("Mine", (base,), {"onMessage": method})
    type("Mine", (base,), {"onboard": method, "on_paper": 1, "log": method})


BODIES = [
    ("on_messsage", None, r"did you mean on_message\?"),
    ("onMesage", None, r"did you mean on_message\?"),
    ("on_conect", None, r"did you mean on_connect\?"),
    ("on_messgae", 1, r"did you mean on_message\?"),
    ("on_websocket_conect", None, r"did you mean on_websocket_connect\?"),
    ("cuont", 4, r"did you mean count\?"),
    ("max_mesage_sise", 4, r"did you mean max_message_size\?"),
    ("maxPackageSize", 4, r"did you mean max_message_size\?"),
    ("trusted_proxys", ["10.0.0.1"], r"did you mean trusted_proxies\?"),
    ("origin", ["https://a.example"], r"did you mean origins\?"),
    ("daemonize", True, "python app.py start -d"),
    ("protocol", "text", "the address says it"),
    ("logFile", "a.log", r"did you mean log_file\?"),
    ("log_file", "a.log", r"of the whole program: Worker.log_file = …"),
    ("pid_file", "a.pid", r"of the whole program: Worker.pid_file = …"),
    ("context", {}, r"super\(\).__init__\(…, context=…\)"),
    ("address", WS, r"super\(\).__init__\(…, address=…\)"),
    ("data", {}, r"set self.data in __init__, after super\(\)"),
    ("port", 8282, "hides what a Worker has by that name"),
]


@pytest.mark.parametrize(("name", "value", "says"), BODIES)
@pytest.mark.parametrize("mixed", ["alone", "mixed before", "mixed behind"])
def test_what_nobody_would_look_at_is_refused_in_the_body_of_a_class(
    name: str, value: object, says: str, mixed: str
) -> None:
    def method(self: Any, connection: Any, message: Any) -> None: ...

    body = {name: value if value is not None else method}
    mixin = type("Mixin", (), body)
    bases = {"alone": (Worker,), "mixed before": (mixin, Worker), "mixed behind": (Worker, mixin)}
    with pytest.raises(UsageError, match=says) as caught:
        type("Mine", bases[mixed], body if mixed == "alone" else {})
    assert f"{'Mine' if mixed == 'alone' else 'Mixin'}.{name}" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("on_messsage", r"did you mean on_message\?"),
        ("max_message_size", r"Gateway\(…, max_message_size=…\)"),
        ("adress", r"Gateway\(…, address=…\)"),
        ("registerAddress", "machines by broker="),
        ("log_file", "it is Worker.log_file"),
        ("name", r"super\(\).__init__\(…, name=…\)"),
    ],
)
def test_the_same_is_refused_in_a_class_of_gateways(name: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        type("Mine", (Gateway,), {name: "value"})


def test_a_misspelt_setting_is_refused_where_it_is_only_annotated() -> None:
    with pytest.raises(UsageError, match=r"did you mean count\?"):
        type("Mine", (Worker,), {"__annotations__": {"cuont": "int"}})
    with pytest.raises(UsageError, match=r"did you mean count\?"):
        type("Mine", (Worker,), {"__slots__": ("cuont",)})


def test_names_of_ones_own_that_are_not_near_are_allowed() -> None:
    def method(self: Any) -> None: ...

    methods = ("on_chat_message", "on_my_message", "on_close_room", "handle", "run", "listen")
    values = ("users", "names", "keys", "groups", "counts", "counter", "router", "rooms", "PORT")
    own: dict[str, Any] = dict.fromkeys(methods, method)
    own |= dict.fromkeys([*values, "COUNT", "connection", "mount", "_onMessage"], 1)
    own["log"] = logging.getLogger("mine")
    mixin = type("Mixin", (), own)
    type("Mine", (Worker,), own)
    made = type("Mine", (mixin, Worker), {"count": 3, "max_message_size": 5})
    assert made(WS).count == 3
    type("Again", (made,), {"count": 4})
    type("Mine", (Gateway,), {"users": {}, "on_chat_message": method})


@pytest.mark.parametrize("name", ["context", "address", "data", "id"])
def test_what_each_object_has_is_neither_read_nor_set_on_the_class(name: str) -> None:
    says = f"{name} is of each Worker, not of the class: worker.{name}"
    assert words_of(getattr, Worker, name) == says
    with pytest.raises(UsageError, match=says):
        setattr(Worker, name, {})
    assert not hasattr(Worker, name)


def test_what_is_of_the_whole_program_is_not_set_on_a_subclass() -> None:
    with pytest.raises(UsageError, match=r"of the whole program: Worker\.log_file = …"):
        Chat.log_file = "a.log"


def test_a_callback_and_an_option_can_be_deleted_and_others_say_why_not() -> None:
    worker: Any = Chat()
    worker.on_message = print
    del worker.on_message
    del worker.on_message  # as often as one likes
    assert worker.callbacks.on_message is None
    assert not worker.on_message
    worker.count = 3
    del worker.count
    assert worker.count == 1
    del worker.rooms
    for name in ("count", "address", "data", "broadcast"):
        with pytest.raises(UsageError, match=f"{name} of .* stays"):
            delattr(worker, name)
    assert "did you mean on_message?" in words_of(delattr, worker, "onMessage")
    assert "did you mean count?" in words_of(delattr, Worker, "cuont")
    for name in ("on_message", "count", "run_all"):
        with pytest.raises(UsageError, match=f"{name} of Worker stays"):
            delattr(Worker, name)


REQUESTS = [
    ("get", 'request.query.get("name")'),
    ("header", 'request.headers.get("name")'),
    ("cookie", 'request.cookies.get("name")'),
    ("post", "request.body"),
    ("queryString", "did you mean query_string?"),
    ("rawBody", "did you mean body?"),
    ("getRemoteIp", "did you mean remote_ip?"),
    ("session", "keep your own things in connection.data"),
]


@pytest.mark.parametrize(("name", "says"), REQUESTS)
def test_what_a_request_does_not_have_is_refused_with_what_to_use(name: str, says: str) -> None:
    request = Request.of_handshake(b"GET /a HTTP/1.1\r\nHost: b\r\n\r\n")
    assert says in set_and_read(request, name)
    assert name not in dir(request)


def test_a_request_takes_nothing_of_the_programs_own() -> None:
    request: Any = Request.of_handshake(b"GET /a?x=1 HTTP/1.1\r\nHost: b\r\n\r\n")
    assert 'connection.data["user"]' in words_of(setattr, request, "user", 1)
    assert "did you mean headers?" in words_of(setattr, request, "hedaers", 1)
    with pytest.raises(AttributeError) as caught:
        request.path = "/b"
    assert not isinstance(caught.value, UnknownNameError)
    assert (request.path, request.query) == ("/a", {"x": "1"})
    request.target = "/b?x=2"  # what it has may be set as before
    assert (request.path, request.query) == ("/b", {"x": "2"})


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
    """The names in a cell that nobody but Workerman spells so: `onMessage`, `reusePort`."""
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


# What others of the house call on them.
HOUSE: dict[type, set[str]] = {
    Request: {"of_handshake"},
    Connection: {
        *(
            "borrow_cork",
            "give_way",
            "gives_way_in",
            "encode_shared",
            "enlist",
            "is_unopened",
            "leave_idle",
            "return_cork",
        ),
        *("send_encoded", "send_memory", "shows_certificate", "unlist"),
    },
    Client: {
        *("apply", "change", "link", "number", "ordered", "queue", "stored_session"),
        "take_session_change",
    },
}
