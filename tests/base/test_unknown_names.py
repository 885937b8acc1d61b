"""A name that a `Worker`, `Gateway` or connection does not have is refused, with the right one."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any, cast

import pytest

from kit.unknown import set_and_read, words_of
from lineman import Client, Gateway, Request, Worker
from lineman.config.declared import public_names
from lineman.errors import ConfigError, UnknownNameError, UsageError
from lineman.gateway.business.business_worker import Business
from lineman.gateway.wire.messages import IntroduceClient
from lineman.links.link import Link

DOCS = Path(__file__).parents[2] / "docs"


WS = "ws://127.0.0.1:0"


pytestmark = pytest.mark.usefixtures("no_traces")


def made_client() -> Client:
    meet = IntroduceClient(1, f"{1:032}", "1.1.1.1", 1, "/", (), None, (), b"\x80", 0)
    return Client(cast(Business, None), cast(Link, None), meet)


WORKER = [
    ("onMessage", "did you mean on_message?"),
    ("onWebSocketConnect", "did you mean on_websocket_connect?"),
    ("on_web_socket_connect", "did you mean on_websocket_connect?"),
    ("onWebSocketConnected", "did you mean on_connect?"),
    ("ONMESSAGE", "did you mean on_message?"),
    ("on_mesage", "did you mean on_message?"),
    ("onMesage", "did you mean on_message?"),
    ("onWorkerReload", "did you mean on_worker_reload?"),
    ("onWorkerExit", "did you mean on_worker_exit?"),
    ("stopAll", "Worker.stop_all() stops the whole service; Workerman's stopAll ends one process"),
    ("onMasterStop", "did you mean on_master_stop?"),
    ("on_open", "there are on_buffer_drain, on_buffer_full, on_close, on_connect"),
    ("maxPackageSize", "did you mean max_message_size?"),
    ("cuont", "did you mean count?"),
    ("Count", "did you mean count?"),
    ("reusePort", "it is always on"),
    ("daemonize", "python app.py start -d"),
    ("pidFile", "did you mean pid_file?"),
    ("stdoutFile", "did you mean log_file?"),
    ("registerAddress", "machines by broker="),
    ("rooms", 'keep your own values in worker.data: worker.data["rooms"]'),
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
        ("onError", "an exception of a callback is logged"),
        ("onBusinessWorkerConnected", "the log and `status` show"),
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
        ("start_tls", "an address with TLS from the first byte: text+tls://"),
        ("publish", "worker.publish(…)"),
        ("on_event", "@worker.on_event(…)"),
        ("broadcast", "did you mean send_to_all?"),
        ("rooms", 'keep your own values in gateway.data: gateway.data["rooms"]'),
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
        ("uid", "uid of a Gateway's client is read-only; write client.bind(uid)"),
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
        (lambda: Worker(WS, port=5), "port of a Worker is read-only; the address contains it"),
        (lambda: Worker(WS, url="a"), "url of a Worker is read-only; the address contains it"),
        (lambda: Worker(WS, connections=1), "connections of a Worker is read-only"),
        (lambda: Worker(WS, start=1), "start is no option of Worker(…); call it: worker.start(…)"),
        (
            lambda: Gateway(WS, current_client=1),
            "is read-only; it is the client whose callback is running",
        ),
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
            with pytest.raises(UsageError, match=f"{name} of a .* is read-only; "):
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


# A value that is set in the wrong place would never be used.


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


REQUESTS = [
    ("get", 'request.query.get("name")'),
    ("header", 'request.headers.get("name")'),
    ("cookie", 'request.cookies.get("name")'),
    ("post", 'request.form.get("name")'),
    ("queryString", "did you mean query_string?"),
    ("rawBody", "did you mean body?"),
    ("getRemoteIp", "did you mean remote_ip?"),
    ("session", "keep your own values in connection.data"),
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
