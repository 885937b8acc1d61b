"""What a session of another protocol and its factory may do: hand over, fail, end all."""

from __future__ import annotations

from typing import Any

import pytest

from kit.line_clients import hear, left, say
from kit.lines import Lines
from kit.recorder import Recorder
from kit.site import Serve, echo
from kit.waiting import wait_until
from lineman import Worker
from lineman.net.connection.limits import Limits
from lineman.protocols.interface import Session, Upgrade


class Calling(Lines):
    """Its messages are functions, which give the text of a line."""

    def pieces(self, message: Any) -> tuple[bytes, bytes, bytes]:
        return super().pieces(message())


@pytest.mark.parametrize("policy", ["close", "latest"])
@pytest.mark.parametrize("is_full", [False, True], ids=["all leaves", "the socket is full"])
@pytest.mark.parametrize("word", ["close", "destroy", "send"])
def test_a_message_may_do_anything_while_it_is_encoded(
    serve_lines: Serve, policy: str, is_full: bool, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Worker, "_session_factory", Calling)
    site = serve_lines(slow_readers=policy, max_send_buffer_size=1_000_000)
    client = site.connect(receive_buffer=4096)
    wait_until(lambda: len(site.worker.connections) == 1, "it is there")
    connection = site.connection

    def message() -> str:
        connection.send(lambda: "inner") if word == "send" else getattr(connection, word)()
        return "outer"

    def talk() -> bool:
        while is_full and connection.unsent < 10_000:
            connection.send(lambda: "x" * 999)
            connection.flush()
        return connection.send(message)

    assert site.call(talk) is (word == "send")
    site.call(connection.close)
    if word != "destroy":
        raw = client.receive_all()
        assert raw.lstrip(b"x\n") == (b"inner\nouter\n" if word == "send" else b"")


class Shouting(Lines):
    """Lines in capitals; `quiet` ends them."""

    def next(self, data: memoryview) -> Any:
        event = super().next(data)
        return self.leave() if event == "QUIET" else event

    def leave(self) -> Upgrade:
        return Upgrade(b"quiet now\n", Handing(self.limits), b"")

    def left(self, data: memoryview) -> bytes:
        return b"\n".join([*self._lines, bytes(self._begun)])

    def _one(self) -> Any:
        event = super()._one()
        return event.upper() if isinstance(event, str) else event

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits)
        self.limits = limits

    def on_time(
        self, now: float, last_received: float, is_reading: bool = True
    ) -> tuple[bytes | None, str | None, float]:
        return b"loud now\n", None, 0.0


class Handing(Shouting):
    """Lines as they are; `loud` has them shouted from there on."""

    def next(self, data: memoryview) -> Any:
        event = Lines.next(self, data)
        return self.leave() if event == "loud" else event

    def leave(self) -> Upgrade:
        return Upgrade(b"as you like\n", Shouting(self.limits), b"")

    _one = Lines._one
    on_time = Lines.on_time


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("policy", ["close", "latest"])
def test_one_protocol_hands_over_to_another_in_mid_connection(
    serve_lines: Serve, monkeypatch: pytest.MonkeyPatch, size: int, policy: str
) -> None:
    opened = Recorder()
    monkeypatch.setattr(Worker, "_session_factory", Handing)
    site = serve_lines(
        slow_readers=policy,
        on_connect=lambda connection: opened(connection.id),
        on_message=echo,
    )
    client = site.connect()
    sent = b"a\nloud\nb\nquiet\nc\nloud\nloud\nd\n\n"
    for begin in range(0, len(sent), size):
        client.send_bytes(sent[begin : begin + size])
    said = ["a", "as you like", "loud now", "B", "quiet now", "c", "as you like", "loud now"]
    assert client.receive_all().decode().split("\n") == [*said, "LOUD", "D", "", ""]
    assert len(opened.calls) == 1
    site.wait_until_empty()


def test_what_waits_for_a_slow_reader_leaves_before_another_protocol_begins(
    serve_lines: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Worker, "_session_factory", Handing)
    site = serve_lines(slow_readers="drop_oldest", max_send_buffer_size=1_000_000, on_message=echo)
    client = site.connect(receive_buffer=4096)
    wait_until(lambda: len(site.worker.connections) == 1, "it is there")
    connection = site.connection

    def fill() -> bool:
        for _ in range(50):
            connection.send("x" * 999)
        connection.flush()
        return connection.unsent > 100_000

    wait_until(lambda: site.call(fill), "much waits")
    say(client, "loud", "more", "")
    assert client.receive_all().lstrip(b"x\n") == b"as you like\nloud now\nMORE\n\n"


class Timed(Lines):
    """Says something when it begins; or gives the peer up."""

    answer: tuple[bytes | None, str | None, float]

    def on_time(
        self, now: float, last_received: float, is_reading: bool = True
    ) -> tuple[bytes | None, str | None, float]:
        return self.answer


def test_what_the_clock_says_at_the_beginning_is_done(
    serve_lines: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Recorder()
    monkeypatch.setattr(Worker, "_session_factory", Timed)
    monkeypatch.setattr(Timed, "answer", (b"welcome\n", None, 0.0), raising=False)
    site = serve_lines(on_close=lambda connection, code, reason: told(code, reason))
    assert hear(site.connect()) == ["welcome"]
    monkeypatch.setattr(Timed, "answer", (None, "too late already", 0.0))
    site.connect()
    assert told.wait() == [(1006, "too late already")]


class BrokenError(Exception):
    """What a factory raises."""


def broken(limits: Limits) -> Session:
    raise BrokenError


@pytest.mark.parametrize("factory", [broken, lambda limits: None, lambda limits: Lines])
def test_a_factory_that_fails_costs_one_connection_and_is_told(
    serve_lines: Serve,
    monkeypatch: pytest.MonkeyPatch,
    factory: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    told = Recorder()
    monkeypatch.setattr(Worker, "_session_factory", staticmethod(Lines))
    choose = Recorder()

    def make(limits: Limits) -> Session:
        choose("made")
        made: Session = (factory if len(choose.calls) == 1 else Lines)(limits)
        return made

    monkeypatch.setattr(Worker, "_session_factory", staticmethod(make))
    site = serve_lines(on_message=echo, on_close=lambda connection: told("close"))
    first = site.connect()
    assert left(first) == b""
    second = site.connect()
    say(second, "all is well")
    assert hear(second) == ["all is well"]
    service = site.worker.service
    assert service is not None
    assert service.exceptions == 1
    assert told.calls == []
    assert "protocol raised" in caplog.text
