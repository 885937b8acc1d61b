"""What every mode of a load test has in common."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from lineman.cli.load.load_counts import LoadCounts
from lineman.cli.load.load_plan import Plan
from lineman.cli.load.work import Work, wrong_replies
from lineman.cli.websocket_client.failures import Failure
from lineman.protocols.websocket.client.client_handshake import ClientOpening
from lineman.protocols.websocket.client.url import parse

CLIENT: Any = SimpleNamespace(number=7, is_alive=True)


def work(**options: Any) -> Work:
    starter: Any = None
    return Work(Plan(ClientOpening(parse("ws://127.0.0.1:1/")), **options), LoadCounts(), starter)


def test_close_codes_and_failures_are_counted() -> None:
    made = work()
    for code in (1000, 1000, 1006):
        made.on_close_code(code)
    made.on_failure(CLIENT, Failure("lost", "lost", "look"))
    assert made.tally.close_codes == {1000: 2, 1006: 1}
    assert made.tally.failures == {"lost": 1}


def test_a_message_is_as_long_and_of_the_type_that_was_asked_for() -> None:
    assert len(work(size=5).message) == 5
    assert isinstance(work().message, bytes)
    assert isinstance(work(is_text=True).message, str)


def test_the_clients_that_have_opened_are_numbered_anew() -> None:
    made, clients = work(rate=10.0), [SimpleNamespace(number=7, is_alive=True) for _ in range(2)]
    given: Any = clients
    made.begin(given, 0)
    assert [client.number for client in clients] == [0, 1]
    assert made.schedule is not None
    made.end()
    assert not made.is_sending


def test_it_is_over_when_no_client_is_left() -> None:
    made, client = work(), SimpleNamespace(number=0, is_alive=True)
    given: Any = [client]
    made.begin(given, 0)
    assert not made.is_over
    client.is_alive = False
    assert made.is_over


def test_a_service_that_answers_something_else_is_told_of_any_reply() -> None:
    assert "--any-reply" in wrong_replies().fix
