"""The options that a class of workers may declare, and attributes that would have no effect."""

from __future__ import annotations

import logging
from typing import Any, ClassVar

import pytest

from kit.unknown import words_of
from lineman import Gateway, Worker
from lineman.errors import UsageError

WS = "ws://127.0.0.1:0"

pytestmark = pytest.mark.usefixtures("no_traces")


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
