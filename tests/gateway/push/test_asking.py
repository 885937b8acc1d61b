"""Unanswered questions: one exception for each cause, for every caller, and nothing is left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from kit.gateway import System, routing_by
from kit.waiting import until
from lineman import (
    AsyncGatewayClient,
    GatewayClient,
    HistoryOptions,
    LinkFullError,
    NotReachedError,
    RefusedError,
)
from lineman.brokers.embedded import Embedded
from lineman.gateway.business.business_worker import Business
from lineman.gateway.cluster.cluster import Cluster, ClusterCalls, ClusterTimes
from lineman.gateway.cluster.presence import homes_of
from lineman.gateway.holder.routing_options import RoutingOptions
from lineman.gateway.push.api import Api
from lineman.gateway.wire import messages
from lineman.gateway.wire.messages import Hello, LinkAnswer, LinkQuestion, new_hello
from lineman.gateway.wire.node_messages import NodeAnswer, NodeQuestion
from lineman.links.framing import MAX_FRAME
from lineman.links.link import Link
from lineman.links.rendezvous import listen

SILENT_NODE = "f" * 8
ITS_CLIENT = SILENT_NODE + "0" * 24
SOON = ClusterTimes(answer=0.2)


class FakeProcess:
    """A gateway process that sends Hello, and the test's answer to each question."""

    def __init__(self, system: System) -> None:
        self.path = str(system.directory / "fake-0.sock")
        self._system = system
        self.says_hello = True
        self.max_frame = MAX_FRAME
        self.links: list[Link] = []
        self.asked: list[LinkQuestion] = []
        self.on_question: Callable[[Link, LinkQuestion], None] = lambda link, asked: None
        self._listener = system.run(listen(self._make, self.path))
        system.peers.append(self)

    def _make(self) -> Link:
        link = Link(
            messages.TO_GATEWAY,
            self._on_batch,
            lambda link, reason: None,
            max_frame=self.max_frame,
        )
        self.links.append(link)
        return link

    def _on_batch(self, link: Link, batch: list[Any]) -> None:
        for message in batch:
            if isinstance(message, Hello) and self.says_hello:
                link.post(new_hello(0, "a" * 8))
            elif isinstance(message, LinkQuestion):
                self.asked.append(message)
                self.on_question(link, message)

    def close(self) -> None:
        async def end() -> None:
            self._listener.close()
            for link in self.links:
                link.fail("the test is over")
            await until(lambda: not any(link.descriptors() for link in self.links))
            await asyncio.sleep(0)  # transports close their sockets in the turn after

        self._system.run(end())


class Asker:
    """Asks over a link as ordinary code does: it blocks until the end."""

    def __init__(self, kind: str, system: System, path: str, timeout: float = 10.0) -> None:
        self._system = system
        self._kind = kind
        self._api: Any
        if kind == "business worker":
            business = self._api = system.call(Business, {}, (path,), 0, ask_timeout=timeout)
            system.businesses.append(business)
            system.run(business.start())
        elif kind == "asyncio client":
            client = self._api = AsyncGatewayClient(f"unix://{path}", timeout=timeout)
            system.run(client.connect())
        else:
            self._api = GatewayClient(f"unix://{path}", timeout=timeout)
            assert self._api.is_online(ITS_CLIENT) is False  # it connects when it is first used

    def ask(self) -> Any:
        found = self._api.is_online(ITS_CLIENT)
        return found if self._kind == "blocking client" else self._system.run(found)

    def cancel(self, is_asked: Callable[[], bool]) -> None:
        """Asks, and cancels the question."""

        async def run() -> None:
            task = asyncio.ensure_future(self._api.is_online(ITS_CLIENT))
            await until(is_asked)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        self._system.run(run())

    def _parts(self) -> tuple[Any, Link]:
        if self._kind == "business worker":
            return self._api._questions, next(iter(self._api._links.values()))
        client = self._api if self._kind == "asyncio client" else self._api._running._client
        return client._route._questions, client._route._link

    @property
    def open(self) -> int:
        return len(self._parts()[0])

    def fill(self) -> None:
        self._parts()[1].is_full = True

    def close(self) -> None:
        if self._kind == "asyncio client":
            self._system.run(self._api.close())
        elif self._kind == "blocking client":
            self._api.close()


def answer_no(link: Link, asked: LinkQuestion) -> None:
    link.post(LinkAnswer(asked.number, False))


KINDS = ["business worker", "asyncio client", "blocking client"]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def asker(kind: str, system: System, process: FakeProcess) -> Iterator[Asker]:
    process.on_question = answer_no
    made = Asker(kind, system, process.path)
    yield made
    made.close()


@pytest.fixture
def hasty(kind: str, system: System, process: FakeProcess) -> Iterator[Asker]:
    """Somebody who does not wait for long."""
    process.on_question = answer_no
    made = Asker(kind, system, process.path, timeout=0.5)
    yield made
    made.close()


@pytest.fixture
def process(system: System) -> FakeProcess:
    return FakeProcess(system)


def test_an_unanswered_question_is_not_reached(hasty: Asker, process: FakeProcess) -> None:
    process.on_question = lambda link, asked: None
    process.asked.clear()
    with pytest.raises(NotReachedError, match=r"'is_online' got no answer within 0\.5 s; fix: "):
        hasty.ask()
    assert hasty.open == 0
    assert len(process.asked) == 1  # nobody asks twice over a link that is there
    number = process.asked[0].number
    process.on_question = lambda link, asked: (
        link.post(LinkAnswer(number, "too late")),
        link.post(LinkAnswer(asked.number, True)),
    )
    assert hasty.ask() is True


def test_an_answer_that_is_too_large_is_an_error_and_no_end(
    kind: str, system: System, process: FakeProcess
) -> None:
    process.max_frame = 150
    process.on_question = answer_no
    asker = Asker(kind, system, process.path)
    process.on_question = lambda link, asked: link.post(LinkAnswer(asked.number, "x" * 200))
    with pytest.raises(RefusedError, match="the answer cannot be sent: it has"):
        asker.ask()
    process.on_question = answer_no
    assert asker.ask() is False
    assert len([link for link in process.links if link.is_up]) == 1
    asker.close()


def test_a_refused_question_says_why(asker: Asker, process: FakeProcess) -> None:
    def refuse(link: Link, asked: LinkQuestion) -> None:
        link.post(LinkAnswer(asked.number, error="there is no question 'is_online'"))

    process.on_question = refuse
    with pytest.raises(RefusedError, match="refused: there is no question 'is_online'; fix: "):
        asker.ask()
    assert asker.open == 0


def test_what_the_gateway_process_could_not_ask_is_not_reached(
    asker: Asker, process: FakeProcess
) -> None:
    process.on_question = lambda link, asked: link.post(
        LinkAnswer(asked.number, error="nobody answered", is_unanswered=True)
    )
    with pytest.raises(NotReachedError, match="nobody answered; fix: "):
        asker.ask()
    assert asker.open == 0


def test_a_question_for_which_there_is_no_room_is_not_asked(
    asker: Asker, process: FakeProcess
) -> None:
    process.asked.clear()
    asker.fill()
    for _ in range(3):
        with pytest.raises(LinkFullError, match="64 MiB wait"):
            asker.ask()
    assert (asker.open, process.asked) == (0, [])


@pytest.mark.parametrize("kind", KINDS[:2])
def test_the_end_of_a_link_ends_what_was_asked_over_it(
    kind: str, system: System, process: FakeProcess
) -> None:
    asker = Asker(kind, system, process.path)
    process.on_question = lambda link, asked: link.fail("the test ends it")
    with pytest.raises(NotReachedError, match="before the end of the connection"):
        asker.ask()
    asker.close()


def test_the_blocking_client_asks_once_more_where_a_link_has_ended(
    system: System, process: FakeProcess
) -> None:
    process.on_question = answer_no
    asker = Asker("blocking client", system, process.path)
    process.asked.clear()

    def end_the_first(link: Link, asked: LinkQuestion) -> None:
        if len(process.asked) == 1:
            link.fail("the test ends it")
        else:
            link.post(LinkAnswer(asked.number, True))

    process.on_question = end_the_first
    assert asker.ask() is True
    assert (len(process.asked), asker.open) == (2, 0)
    asker.close()


@pytest.mark.parametrize("kind", KINDS[:2])
def test_a_cancelled_question_is_forgotten(kind: str, system: System, process: FakeProcess) -> None:
    asker = Asker(kind, system, process.path)
    asker.cancel(lambda: bool(process.asked))
    assert asker.open == 0
    asker.close()


def test_connecting_twice_is_connecting_once(system: System, process: FakeProcess) -> None:
    client = AsyncGatewayClient(f"unix://{process.path}")

    async def connect() -> None:
        await client.connect()
        await client.connect()
        await client.close()
        await asyncio.gather(client.connect(), client.connect())
        assert client.is_connected
        await until(lambda: sum(link.is_up for link in process.links) == 1)
        await client.close()
        await until(lambda: not any(link.is_up for link in process.links))

    system.run(connect())
    assert len(process.links) == 3


def test_who_stops_waiting_for_a_connection_leaves_none_behind(
    system: System, process: FakeProcess
) -> None:
    process.says_hello = False
    client = AsyncGatewayClient(f"unix://{process.path}")

    async def connect() -> None:
        task = asyncio.ensure_future(client.connect())
        await until(lambda: process.links)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until(lambda: not any(link.is_up for link in process.links))
        assert not client.is_connected

    system.run(connect())


# Several nodes: if only one of them can know, its silence is not an answer.


class SilentNode:
    """A live node that answers no question, or answers with a refusal."""

    def __init__(self, system: System, hub: str) -> None:
        calls = ClusterCalls(answer=lambda asked: None, handlers={NodeQuestion: self._on_question})
        self.why = ""

        async def make() -> Cluster:
            made = Cluster(SILENT_NODE, lambda subscriber: Embedded(hub, subscriber), calls)
            await made.start()
            return made

        self._cluster = system.run(make())
        self._system = system
        system.peers.append(self)

    def _on_question(self, asked: NodeQuestion) -> None:
        if self.why:
            answer = LinkAnswer(asked.ask.number, error=self.why)
            self._cluster.tell(asked.origin, NodeAnswer(SILENT_NODE, answer))

    def close(self) -> None:
        self._system.run(self._cluster.stop())


async def named_missing(api: Api, ask: Callable[[], Awaitable[Any]]) -> tuple[Any, set[str]]:
    """The answer to a question, and who is missing in it."""
    with api.answers() as answers:
        found = await asyncio.create_task(ask())  # type: ignore[arg-type]  # also in a task
    assert answers.is_partial is bool(answers.missing)
    return found, answers.missing


async def only_complete(api: Api, ask: Callable[[], Awaitable[Any]]) -> Any:
    with api.answers(complete=True):
        return await ask()


def test_the_silence_of_the_one_node_that_can_know_is_no_answer(system: System, hub: str) -> None:
    options = RoutingOptions(routing_by(hub).make_broker, history=HistoryOptions(), times=SOON)
    node = system.add_node("on_message", routing=options)
    silent = SilentNode(system, hub)
    others = node.routing.cluster
    assert others is not None
    system.wait_until(lambda: len(others.nodes) == 2, "they see each other")
    api = system.add_business()
    group = next(
        name for name in map(str, range(99)) if homes_of(name, others.nodes)[0] == SILENT_NODE
    )
    for ask in (lambda: api.get_session(ITS_CLIENT), lambda: api.get_history(group)):
        with pytest.raises(NotReachedError, match=r"got no answer within 0\.2 s"):
            system.ask(ask())
    silent.why = "it has a bad day"
    with pytest.raises(RefusedError, match="it has a bad day"):
        system.ask(api.is_online(ITS_CLIENT))
    assert system.ask(api.get_all_client_count()) == 0  # of those that answer, as documented
    assert system.ask(named_missing(api, api.get_all_client_count)) == (0, {SILENT_NODE})
    with pytest.raises(NotReachedError, match="'all_client_count' is partial, without ffffffff"):
        system.ask(only_complete(api, api.get_all_client_count))
    assert node.routing.partial_answers == 3
    assert len(others._questions) == 0
    # A node that is gone has no answer, and no question waits for it.
    assert system.ask(api.is_online("e" * 8 + "0" * 24)) is False


def test_a_program_that_pushes_by_a_broker_takes_no_silence_for_an_answer(
    system: System, hub: str
) -> None:
    silent = SilentNode(system, hub)

    async def ask() -> None:
        gateway = AsyncGatewayClient(f"hub://{hub}", timeout=0.2)
        await gateway.keep_connected()
        await until(lambda: gateway.is_connected)
        with pytest.raises(NotReachedError, match="got no answer"):
            await gateway.is_uid_online("anna")
        silent.why = "it has a bad day"
        with pytest.raises(RefusedError, match="it has a bad day"):
            await gateway.get_all_client_count()
        await gateway.close()

    system.run(ask())


def test_a_broker_that_takes_nothing_more_is_full_for_orders_and_questions(
    system: System, hub: str
) -> None:
    SilentNode(system, hub)
    options = RoutingOptions(routing_by(hub).make_broker, times=SOON)
    node = system.add_node("on_message", routing=options)
    others = node.routing.cluster
    assert others is not None
    system.wait_until(lambda: len(others.nodes) == 2, "they see each other")
    api = system.add_business()

    async def push() -> None:
        async with AsyncGatewayClient(f"hub://{hub}") as gateway:
            broker: Any = gateway._route._cluster.broker  # type: ignore[union-attr]
            await until(lambda: broker._link is not None)
            await gateway.get_all_client_count()
            broker._link.is_clogged = True
            with pytest.raises(LinkFullError, match=r"the broker at .*hub\.sock is full"):
                gateway.send_to_uid(["anna", "bert"], "lost")
            with pytest.raises(LinkFullError):
                await gateway.is_uid_online("anna")

    system.run(push())
    broker: Any = others.broker
    system.call(setattr, broker._link, "is_clogged", True)
    with pytest.raises(NotReachedError, match="the queue to the broker"):
        system.ask(api.is_online(ITS_CLIENT))
    assert system.ask(api.get_all_client_count()) == 0  # what is known here
    assert len(others._questions) == 0


def test_a_question_while_no_gateway_process_is_there_is_not_reached(system: System) -> None:
    business = system.call(Business, {}, (str(system.directory / "none.sock"),), 0)
    with pytest.raises(NotReachedError, match="no gateway process is reachable"):
        system.call(business.send_to_all, "x")
    with pytest.raises(NotReachedError, match="no gateway process is reachable"):
        system.run(business.get_all_client_count())
