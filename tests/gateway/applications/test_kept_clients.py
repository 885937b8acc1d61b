"""An application's websockets go on in the next worker when theirs retires."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from kit.gateway import System
from kit.kept_apps import hold, reload, serve
from lineman.testing.client import RawClient


class Chat:
    """A chat in the memory of one worker, as FastAPI's documentation has it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.here: list[Any] = []
        self.told: list[Any] = []
        self.scopes: list[dict[str, Any]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        assert (await receive())["type"] == "websocket.connect"
        self.told.append("lineman.resumed" in scope["extensions"])
        await send({"type": "websocket.accept"})
        self.here.append(send)
        while True:
            event = await receive()
            if event["type"] == "websocket.disconnect":
                self.here.remove(send)
                self.told.append(event["code"])
                return
            for other in list(self.here):
                await other({"type": "websocket.send", "text": f"{self.name} {event['text']}"})


async def accept(receive: Any, send: Any, **more: Any) -> None:
    await receive()
    await send({"type": "websocket.accept", **more})


async def until_the_end(receive: Any) -> int:
    """The code of the disconnect that follows."""
    while (event := await receive())["type"] != "websocket.disconnect":
        pass
    return int(event["code"])


def test_a_client_stays_and_the_new_application_gets_it_with_the_same_scope(
    system: System,
) -> None:
    node = hold(system)
    old, new = Chat("old"), Chat("new")
    first = serve(system, old)
    clients = [system.connect(f"/room/{number}?a=b") for number in range(3)]
    clients[0].send("1")
    assert [client.receive() for client in clients] == ["old 1"] * 3
    reload(system, first, new)
    assert old.told == [False] * 3 + [1012] * 3
    clients[1].send("2")
    assert [client.receive() for client in clients] == ["new 2"] * 3
    assert new.told == [True] * 3
    for before in old.scopes:
        ident = before["extensions"]["lineman.kept"]
        (after,) = (each for each in new.scopes if each["extensions"]["lineman.kept"] == ident)
        assert after["extensions"].pop("lineman.resumed") == {}
        assert after == before
        assert after["query_string"] == b"a=b"
        assert after["client"][0] == "127.0.0.1"
    assert node.dispatch.dropped == 0


def test_nobody_misses_a_message_over_five_reloads_under_traffic(system: System) -> None:
    node = hold(system)
    business = serve(system, Chat("0"))
    clients: list[RawClient] = [system.connect() for _ in range(8)]
    sent = dict.fromkeys(range(8), 0)
    stop = threading.Event()

    def talk(number: int) -> None:
        while not stop.is_set():
            clients[number].send(f"{number} {sent[number]}")
            sent[number] += 1
            stop.wait(0.002)

    talking = [threading.Thread(target=talk, args=(number,)) for number in range(8)]
    for thread in talking:
        thread.start()
    for count in range(1, 6):
        business = reload(system, business, Chat(str(count)))
    stop.set()
    for thread in talking:
        thread.join()
    for client in clients:
        heard: dict[int, list[int]] = {number: [] for number in range(8)}
        names = set()
        for _ in range(sum(sent.values())):
            name, number, count = str(client.receive()).split()
            heard[int(number)].append(int(count))
            names.add(name)
        assert heard == {number: list(range(sent[number])) for number in range(8)}
        assert len(names) > 1, "no reload took place while they talked"
    assert node.dispatch.dropped == 0


def test_what_the_old_application_has_not_asked_for_waits_for_the_new_one(system: System) -> None:
    hold(system)
    begun = asyncio.Event()

    async def stuck(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        await receive()
        begun.set()
        await asyncio.sleep(1000)

    first = serve(system, stuck)
    client = system.connect()
    client.send("taken")
    for number in range(5):
        client.send(str(number))
    system.run(begun.wait())
    reload(system, first, Chat("new"), seconds=0.1)
    assert [client.receive() for _ in range(5)] == [f"new {number}" for number in range(5)]


def test_an_application_that_ignores_a_reload_is_cut_off_by_name(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    hold(system)

    async def deaf(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        while True:
            await asyncio.sleep(0.01)

    first = serve(system, deaf)
    client = system.connect("/deaf")
    reload(system, first, Chat("new"), seconds=0.1)
    client.send("still here")
    assert client.receive() == "new still here"
    assert "deaf (websocket /deaf) has not ended" in caplog.text
    assert "fix: " in caplog.text


def test_an_application_that_only_sends_learns_of_a_reload_by_send(system: System) -> None:
    hold(system)
    told: list[BaseException] = []

    async def ticker(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        try:
            while True:
                await send({"type": "websocket.send", "text": "tick"})
                await asyncio.sleep(0.01)
        except OSError as error:
            told.append(error)
            raise

    first = serve(system, ticker)
    client = system.connect()
    reload(system, first, Chat("new"), seconds=20)
    client.send("hello")
    while client.receive() == "tick":
        pass
    assert getattr(told[0], "code", 0) == 1012


def refuses(**event: Any) -> Any:
    async def refuse(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(event)

    return refuse


async def raises(scope: Any, receive: Any, send: Any) -> None:
    raise ValueError("it needs the first message")


async def returns(scope: Any, receive: Any, send: Any) -> None:
    await receive()


@pytest.mark.parametrize(
    ("app", "why"),
    [
        (refuses(type="websocket.close"), "it refused the websocket"),
        (raises, "it failed before it accepted it"),
        (returns, "it failed before it accepted it"),
        (
            refuses(type="websocket.accept", subprotocol="other"),
            "it chose the subprotocol 'other', and the client speaks ''",
        ),
    ],
)
def test_a_new_application_that_refuses_or_fails_closes_that_client_with_1012(
    system: System, caplog: pytest.LogCaptureFixture, app: Any, why: str
) -> None:
    hold(system)
    first = serve(system, Chat("old"))
    refused, other = system.connect("/refused"), system.connect("/other")
    new = Chat("new")

    async def choose(scope: Any, receive: Any, send: Any) -> None:
        await (app if scope["path"] == "/refused" else new)(scope, receive, send)

    reload(system, first, choose)
    assert refused.receive_close().code == 1012
    other.send("x")
    assert other.receive() == "new x"
    assert f"did not take over <client {new_id(refused, caplog)}" in caplog.text
    assert why in caplog.text


def new_id(client: RawClient, caplog: pytest.LogCaptureFixture) -> str:
    """The id of the client in the log."""
    return caplog.text.partition("did not take over <client ")[2].partition(" ")[0]


def test_the_subprotocol_stays_that_of_the_first_accept(system: System) -> None:
    hold(system)

    async def chosen(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send, subprotocol="b")
        await until_the_end(receive)

    first = serve(system, chosen)
    client = system.connect(subprotocols=("a", "b"))
    new = Chat("new")

    async def again(scope: Any, receive: Any, send: Any) -> None:
        assert scope["subprotocols"] == ["a", "b"]
        await accept(receive, send, subprotocol="b")
        event = await receive()
        await send({"type": "websocket.send", "text": event["text"]})
        new.told.append(await until_the_end(receive))

    second = reload(system, first, again)
    client.send("x")
    assert client.receive() == "x"
    client.close()
    system.wait_until(lambda: new.told, "the end is told")
    system.call(second.close)


def test_a_new_client_is_refused_by_the_answer_of_the_application(system: System) -> None:
    hold(system)
    lines = [(b"x-why", b"because")]

    async def deny(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.http.response.start", "status": 401, "headers": lines})
        await send({"type": "websocket.http.response.body", "body": b"no ", "more_body": True})
        await send({"type": "websocket.http.response.body", "body": b"entry"})

    serve(system, deny)
    with RawClient(system.workers[0].port) as client:
        client.send_bytes(client.handshake_bytes())
        reply = client.receive_all()
    assert reply.startswith(b"HTTP/1.1 401 ")
    assert b"x-why: because" in reply
    assert reply.endswith(b"\r\n\r\n3\r\nno \r\n5\r\nentry\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    ("app", "status"), [(refuses(type="websocket.close"), 403), (raises, 500), (returns, 500)]
)
def test_a_new_client_that_the_application_does_not_accept_is_refused(
    system: System, app: Any, status: int
) -> None:
    hold(system)
    serve(system, app)
    with RawClient(system.workers[0].port) as client:
        assert client.handshake().status == status


def test_what_is_sent_at_once_after_accept_arrives(system: System) -> None:
    hold(system)

    async def greet(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        for number in range(3):
            await send({"type": "websocket.send", "text": str(number)})
        await until_the_end(receive)

    serve(system, greet)
    for _ in range(20):
        client = system.connect()
        assert [client.receive() for _ in range(3)] == ["0", "1", "2"]


def test_send_waits_for_a_client_that_reads_slowly(system: System) -> None:
    hold(system)
    sent: list[int] = []

    async def flood(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        for number in range(200):
            await send({"type": "websocket.send", "bytes": b"x" * 100_000})
            sent.append(number)
        await until_the_end(receive)

    serve(system, flood)
    slow = system.connect()
    system.wait_until(lambda: len(sent) > 3, "it has begun")
    before = -1
    while before != len(sent):
        before = len(sent)
        system.run(asyncio.sleep(0.2))
    assert len(sent) < 190, "send did not wait"
    for _ in range(200):
        assert len(slow.receive()) == 100_000


def test_the_end_of_a_client_is_told_with_its_code_after_its_last_message(system: System) -> None:
    hold(system)
    told: list[Any] = []

    async def listen(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        while not told or told[-1]["type"] == "websocket.receive":
            told.append(await receive())

    serve(system, listen)
    client = system.connect()
    client.send("last")
    client.send_close(3000, "bye")
    system.wait_until(lambda: len(told) == 2, "both are told")
    assert told == [
        {"type": "websocket.receive", "text": "last"},
        {"type": "websocket.disconnect", "code": 3000, "reason": "bye"},
    ]


def test_a_worker_that_stops_tells_applications_1001_and_lets_nobody_go(system: System) -> None:
    hold(system)
    chat = Chat("only")
    business = serve(system, chat, is_reload=False)
    system.connect()
    system.run(business.retire(5))
    assert chat.told == [False, 1001]


def test_a_worker_that_dies_leaves_its_clients_to_the_next_one(system: System) -> None:
    node = hold(system)
    dying = serve(system, Chat("old"))
    client = system.connect()
    client.send("1")
    assert client.receive() == "old 1"

    def die() -> None:
        dying._dialler.stop()
        for link in list(dying._receivers):
            link.fail("killed")

    system.call(die)
    new = Chat("new")
    serve(system, new)
    client.send("2")
    assert client.receive() == "new 2"
    assert new.told == [True]
    assert node.dispatch.dropped == 0
