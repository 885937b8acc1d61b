"""The modes, with clients that only record their calls."""

from __future__ import annotations

import tracemalloc
from collections import deque
from typing import Any

import pytest

from lineman.cli.load.load_counts import LoadCounts
from lineman.cli.load.load_plan import Mode, Plan
from lineman.cli.load.modes import WORKS, Broadcast, Connect
from lineman.cli.load.work import Work
from lineman.cli.websocket_client.failures import Failure
from lineman.protocols.websocket.client.client_handshake import ClientOpening
from lineman.protocols.websocket.client.url import parse

SECOND = 1_000_000_000
OPENING = ClientOpening(parse("ws://127.0.0.1:1/"))


class Note:
    """A client whose messages can be read."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.began = 0
        self.pending: deque[int] = deque()
        self.sent = self.owed = self.heard = self.deadline = 0
        self.is_alive = self.is_ready = True
        self.has_gone = False
        self.messages: list[Any] = []

    def send(self, message: str | bytes, count: int, now: int) -> None:
        self.messages += [message] * count

    def say_goodbye(self, now: int, timeout: int) -> None:
        self.has_gone = True
        self.is_alive = self.is_ready = False

    def lose(self) -> None:
        self.is_alive = self.is_ready = False


class Starts:
    """A starter that only records the clients that it should start."""

    def __init__(self) -> None:
        self.due: list[int] = []

    def start_client(self, now: int, due: int) -> None:
        self.due.append(due)


def work_of(mode: Mode, **options: Any) -> tuple[Work, LoadCounts, Starts]:
    tally, starts = LoadCounts(), Starts()
    plan = Plan(OPENING, mode, size=5, **options)
    return WORKS[mode](plan, tally, starts), tally, starts


def started(mode: Mode, clients: int, **options: Any) -> tuple[Any, LoadCounts, list[Note]]:
    work, tally, _ = work_of(mode, connections=clients, **options)
    notes = [Note(number) for number in range(clients + work.extra)]
    work.begin(notes, 1000)
    return work, tally, notes


def answer(work: Work, client: Note, now: int, count: int = 1) -> None:
    """The service sends back the client's last message, `count` times in one read."""
    for _ in range(count):
        work.on_message(client, client.messages[-1], now)
    work.after_read(client, now)


# Echo.


def test_echo_fills_every_connection_up_to_the_depth() -> None:
    work, _, clients = started(Mode.ECHO, 3, depth=4)
    assert [len(client.messages) for client in clients] == [4, 4, 4]
    assert work.unanswered == work.awaited == 12


def test_echo_sends_binary_or_text_as_asked() -> None:
    assert isinstance(started(Mode.ECHO, 1)[2][0].messages[0], bytes)
    text = started(Mode.ECHO, 1, is_text=True)[2][0].messages[0]
    assert isinstance(text, str)
    assert len(text) == 5


def test_each_answer_is_timed_and_followed_by_the_next_message() -> None:
    work, tally, (client,) = started(Mode.ECHO, 1)
    answer(work, client, 3000)
    assert (tally.count, tally.payload, tally.latency.max) == (1, 5, 2000)
    assert len(client.messages) == 2


def test_what_came_in_one_read_is_answered_in_one_go() -> None:
    work, tally, (client,) = started(Mode.ECHO, 1, depth=4)
    answer(work, client, 3000, count=3)
    assert tally.count == 3
    assert len(client.messages) == 7


def test_a_batch_waits_until_all_of_the_last_are_answered() -> None:
    work, _, (client,) = started(Mode.ECHO, 1, depth=3, batch=True)
    answer(work, client, 3000, count=2)
    assert len(client.messages) == 3
    answer(work, client, 4000)
    assert len(client.messages) == 6


def test_a_greeting_is_no_answer() -> None:
    work, tally, (client,) = started(Mode.ECHO, 1)
    work.on_message(client, "welcome", 2000)
    assert (tally.count, tally.others, work.unanswered) == (0, 1, 1)


def test_a_message_that_was_not_asked_for_is_no_answer() -> None:
    work, tally, (client,) = started(Mode.ECHO, 1)
    work.end()
    answer(work, client, 2000, count=2)
    assert (tally.count, tally.others) == (1, 1)


def test_any_reply_counts_where_that_is_asked_for() -> None:
    work, tally, (client,) = started(Mode.ECHO, 1, any_reply=True)
    work.on_message(client, "好", 2000)
    assert (tally.count, tally.payload) == (1, 3)


def test_text_is_no_answer_to_binary() -> None:
    work, tally, (client,) = started(Mode.ECHO, 1)
    work.on_message(client, client.messages[0].decode(), 2000)
    assert (tally.count, tally.others) == (0, 1)


def test_after_the_end_answers_count_and_nothing_is_sent() -> None:
    work, tally, (client,) = started(Mode.ECHO, 1)
    work.end()
    answer(work, client, 2000)
    assert tally.count == 1
    assert len(client.messages) == 1
    assert work.awaited == 0


def test_a_client_that_cannot_write_now_sends_later() -> None:
    work, _, (client,) = started(Mode.ECHO, 1)
    client.is_ready = False
    answer(work, client, 2000)
    assert len(client.messages) == 1
    client.is_ready = True
    work.after_read(client, 3000)
    assert len(client.messages) == 2


def test_lost_clients_are_not_waited_for_but_their_messages_are_missing() -> None:
    work, _, clients = started(Mode.ECHO, 2)
    clients[0].lose()
    assert (work.unanswered, work.awaited) == (2, 1)
    assert not work.is_over
    clients[1].lose()
    assert work.is_over


def test_the_deadline_moves_with_each_answer_and_ends_with_the_last() -> None:
    work, _, (client,) = started(Mode.ECHO, 1, timeout=2.0)
    assert client.deadline == 1000 + 2 * SECOND
    answer(work, client, 5000)
    assert client.deadline == 5000 + 2 * SECOND
    work.end()
    answer(work, client, 6000)
    assert client.deadline == 0


def test_with_a_rate_the_connections_take_turns() -> None:
    work, _, clients = started(Mode.ECHO, 3, rate=1000.0)
    assert [len(client.messages) for client in clients] == [0, 0, 0]
    work.pump(1000 + 3_500_000)
    assert [len(client.messages) for client in clients] == [1, 1, 1]
    assert [client.owed for client in clients] == [1, 0, 0]
    assert work.unanswered == 4


def test_with_a_rate_latency_counts_from_when_the_message_was_due() -> None:
    work, tally, (client,) = started(Mode.ECHO, 1, rate=1000.0)
    # The service answers nothing for 10 ms: ten more messages become due and wait their turn.
    for moment in range(11):
        work.pump(1000 + moment * 1_000_000)
    assert len(client.messages) == 1
    assert client.owed == 10
    now = 1000 + 10_000_000
    for _ in range(11):
        answer(work, client, now)
    assert tally.count == 11
    assert tally.latency.max == 10_000_000
    assert tally.latency.percentile(50) == pytest.approx(5_000_000, rel=1 / 64)
    assert tally.latency.min == 0


def test_what_was_due_and_never_sent_is_unanswered_but_not_waited_for() -> None:
    work, _, (client,) = started(Mode.ECHO, 1, rate=1000.0)
    work.pump(1000 + 5_000_000)
    work.end()
    answer(work, client, 1000 + 5_000_000)
    assert (work.unanswered, work.awaited) == (5, 0)


def test_a_rate_above_what_is_served_costs_a_look_at_each_client_and_no_more() -> None:
    work, _, clients = started(Mode.ECHO, 2, rate=1e6)
    looks: list[Note] = []
    work.after_read = lambda client, now: looks.append(client)
    work.pump(SECOND)
    assert looks == clients
    assert [client.owed for client in clients] == [500_000, 500_000]


# Idle.


def test_idle_clients_send_nothing() -> None:
    work, tally, clients = started(Mode.IDLE, 2)
    work.pump(5000)
    work.on_message(clients[0], "news", 6000)
    assert [client.messages for client in clients] == [[], []]
    assert (tally.others, work.unanswered) == (1, 0)


# Connect.


def test_connect_starts_as_many_as_may_run_and_one_more_for_each_that_has_gone() -> None:
    work, tally, starts = work_of(Mode.CONNECT, connections=3)
    first = Note(0)
    work.begin([first], 1000)
    assert first.has_gone
    assert starts.due == [1000, 1000]
    work.on_gone(first, 2000)
    assert starts.due == [1000, 1000, 2000]
    assert tally.count == 0


def test_an_open_websocket_is_counted_and_closed() -> None:
    work, tally, _ = work_of(Mode.CONNECT, connections=1)
    work.begin([Note(0)], 1000)
    client = Note(1)
    client.began = 2000
    work.on_open(client, 5000)
    assert (tally.count, tally.opened, tally.latency.max) == (1, 1, 3000)
    assert client.has_gone


def test_after_the_end_no_further_one_is_started() -> None:
    work, tally, starts = work_of(Mode.CONNECT, connections=1)
    client = Note(0)
    work.begin([client], 1000)
    work.end()
    work.on_gone(client, 2000)
    late = Note(1)
    work.on_open(late, 3000)
    assert starts.due == []
    assert tally.count == 0


def test_with_a_rate_connections_start_when_they_are_due_or_when_there_is_room() -> None:
    work, _, starts = work_of(Mode.CONNECT, connections=2, rate=1000.0)
    first = Note(0)
    work.begin([first], 0)
    work.pump(3_000_000)
    assert starts.due == [0]
    work.on_gone(first, 4_000_000)
    assert starts.due == [0]
    work.pump(4_000_000)
    assert starts.due == [0, 1_000_000]
    assert work.unanswered == 3


def test_connects_at_a_rate_above_what_is_served_take_no_memory() -> None:
    work, _, starts = work_of(Mode.CONNECT, connections=3, rate=1e6)
    work.begin([Note(0)], 0)
    tracemalloc.start()
    try:
        work.pump(SECOND)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000
    assert starts.due == [0, 1000]
    assert work.unanswered == 1_000_001 - 2


def test_connections_that_are_under_way_at_the_end_are_waited_for_and_count() -> None:
    work, tally, starts = work_of(Mode.CONNECT, connections=2)
    work.begin([Note(0)], 1000)
    work.end()
    assert work.awaited == 2
    client = Note(1)
    client.began = starts.due[0]
    work.on_open(client, 5000)
    work.on_gone(client, 6000)
    assert (tally.count, tally.latency.max, work.awaited) == (1, 4000, 1)


def test_a_service_that_is_gone_is_given_up() -> None:
    work, _, _ = work_of(Mode.CONNECT, connections=1)
    assert isinstance(work, Connect)
    work.begin([Note(0)], 0)
    failure = Failure("connection refused", "x", "y")
    for number in range(Connect.GIVE_UP - 1):
        work.on_failure(Note(number), failure)
    assert not work.is_over
    work.on_open(Note(1), 1)
    work.on_failure(Note(2), failure)
    assert not work.is_over
    for number in range(Connect.GIVE_UP):
        work.on_failure(Note(number), failure)
    assert work.is_over


# Broadcast.


def deliver(work: Broadcast, sender: Note, listeners: list[Note], now: int) -> None:
    """The service gives a copy of the sender's last message to each."""
    for client in listeners:
        work.on_message(client, sender.messages[-1], now)


def test_one_more_client_sends_and_the_others_listen() -> None:
    work, tally, (sender, *listeners) = started(Mode.BROADCAST, 3)
    assert len(listeners) == 3
    assert len(sender.messages) == 1
    assert work.unanswered == 3
    deliver(work, sender, listeners, 3000)
    assert (tally.count, tally.latency.max) == (3, 2000)
    assert len(sender.messages) == 2


def test_the_senders_own_copy_is_neither_counted_nor_missed() -> None:
    work, tally, clients = started(Mode.BROADCAST, 2)
    deliver(work, clients[0], clients, 3000)
    assert (tally.count, tally.others) == (2, 0)


def test_the_next_message_waits_until_the_oldest_has_reached_everybody() -> None:
    work, _, (sender, *listeners) = started(Mode.BROADCAST, 2, depth=2)
    assert len(sender.messages) == 2
    deliver(work, sender, listeners[:1] * 2, 3000)
    assert len(sender.messages) == 2
    deliver(work, sender, listeners[1:], 3000)
    assert len(sender.messages) == 3
    assert work.awaited == 3


def test_news_of_other_people_is_no_copy() -> None:
    work, tally, (sender, *listeners) = started(Mode.BROADCAST, 2)
    work.on_message(listeners[0], "Ada is here", 2000)
    assert (tally.count, tally.others) == (0, 1)
    deliver(work, sender, listeners[:1] * 2, 3000)  # more than there were
    assert (tally.count, tally.others) == (1, 2)


def test_messages_before_the_start_are_none_of_ours() -> None:
    work, tally, _ = work_of(Mode.BROADCAST, connections=2)
    work.on_message(Note(1), "Ada is here", 500)
    assert tally.others == 1
    assert work.unanswered == 0
    assert work.is_over


def test_the_copies_of_a_lost_listener_are_not_waited_for() -> None:
    work, _, (sender, *listeners) = started(Mode.BROADCAST, 2)
    deliver(work, sender, listeners[:1], 3000)
    listeners[1].lose()
    work.on_gone(listeners[1], 4000)
    assert len(sender.messages) == 2
    assert work.awaited == 1


def test_without_a_sender_or_without_listeners_it_is_over() -> None:
    work, _, (sender, *_) = started(Mode.BROADCAST, 2)
    sender.lose()
    assert work.is_over
    work, _, (_, *listeners) = started(Mode.BROADCAST, 1)
    assert not work.is_over
    work.on_gone(listeners[0], 2000)
    assert work.is_over
    assert isinstance(work, Broadcast)


def test_a_broadcast_with_a_rate_counts_from_when_it_was_due() -> None:
    work, tally, (sender, *listeners) = started(Mode.BROADCAST, 1, rate=1000.0)
    work.pump(1000 + 2_000_000)
    assert len(sender.messages) == 1
    assert sender.owed == 2
    assert work.unanswered == 3
    deliver(work, sender, listeners, 1000 + 2_000_000)
    assert tally.latency.max == 2_000_000
    assert len(sender.messages) == 2


def test_a_sender_that_cannot_write_goes_on_when_it_can() -> None:
    work, _, (sender, *listeners) = started(Mode.BROADCAST, 1)
    sender.is_ready = False
    deliver(work, sender, listeners, 3000)
    assert len(sender.messages) == 1
    sender.is_ready = True
    work.after_read(sender, 4000)
    assert len(sender.messages) == 2


# All of them.


@pytest.mark.parametrize("mode", list(Mode))
def test_every_mode_has_its_work(mode: Mode) -> None:
    assert isinstance(work_of(mode)[0], Work)
