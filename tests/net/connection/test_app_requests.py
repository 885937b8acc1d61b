"""Requests and handshakes that an object in place of the callbacks answers."""

from __future__ import annotations

from typing import Any

from kit.site import Serve, Site
from kit.waiting import wait_until
from lineman import Worker
from lineman.net.connection.callbacks import Callbacks


class Answers:
    """Notes what it is told; the test answers."""

    takes_requests = takes_websockets = True
    websocket_callbacks = Callbacks()
    has_begun = is_blocked = waits_for_body = False
    is_events = True

    def __init__(self) -> None:
        self.stages: list[Any] = []
        self.told: list[Any] = []

    def is_full(self) -> bool:
        return False

    def begin_request(self, stage: Any, connection: Any, request: Any) -> Answers:
        self.stages.append(stage)
        return self

    begin_websocket = begin_request

    def note_body(self) -> None:
        self.told.append("body")

    def note_disconnected(self, code: int, reason: str) -> None:
        self.told.append("gone")


def site_of(serve: Serve, answers: Answers, **options: Any) -> Site:
    def begin(worker: Worker) -> None:
        worker.callbacks.app = answers

    return serve(on_worker_start=begin, **options)


def test_an_answer_in_pieces_and_the_next_request(serve: Serve) -> None:
    answers = Answers()
    site = site_of(serve, answers)
    client = site.connect()
    for _ in range(2):
        client.send_bytes(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: answers.stages, "it is asked")
        stage = answers.stages.pop()
        assert site.call(stage.send_head, 200, b"", 4, False)
        site.call(stage.send_piece, b"ab")
        site.call(stage.send_piece, b"cd")
        site.call(stage.end_answer, b"")
        assert client.receive_reply().text == "abcd"
    assert answers.told == []


def test_more_of_a_body_is_told(serve: Serve) -> None:
    answers = Answers()
    site = site_of(serve, answers)
    client = site.connect()
    client.send_bytes(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n")
    wait_until(lambda: answers.stages, "it is asked")
    client.send_bytes(b"abcd")
    wait_until(lambda: answers.told == ["body"], "it is told")
    site.call(answers.stages[0].send_whole, 200, b"", 0, b"", True)
    assert client.receive_reply().headers["connection"] == "close"
    client.assert_ended()


def test_a_client_that_ends_its_side_is_told_and_gets_its_answer(serve: Serve) -> None:
    answers = Answers()
    site = site_of(serve, answers)
    client = site.connect()
    client.send_bytes(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    wait_until(lambda: answers.stages, "it is asked")
    client.end_writing()
    wait_until(lambda: answers.told == ["gone"], "it is told")
    site.call(answers.stages[0].send_whole, 200, b"", 2, b"ok", False)
    assert client.receive_all().endswith(b"ok")


def test_events_end_at_a_drain(serve: Serve) -> None:
    answers = Answers()
    site = site_of(serve, answers)
    client = site.connect()
    client.send_bytes(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    wait_until(lambda: answers.stages, "it is asked")
    site.call(answers.stages[0].send_head, 200, b"", -1, False)
    assert site.worker.service is not None
    site.run(site.worker.service.drain(0, 3))
    assert client.receive_all().endswith(b"\r\n\r\n0\r\n\r\n")
    assert answers.told == ["gone"]


def test_a_websocket_is_opened_with_the_callbacks_of_the_object(serve: Serve) -> None:
    answers = Answers()
    site = site_of(serve, answers)
    client = site.connect()
    client.send_bytes(client.handshake_bytes())
    wait_until(lambda: answers.stages, "it is asked")
    assert site.call(answers.stages[0].accept_websocket, None, [("X-A", "b")])
    assert client.receive_reply().headers["x-a"] == "b"
    assert site.connection.data is answers


def test_a_client_that_leaves_while_it_is_decided_is_told(serve: Serve) -> None:
    answers = Answers()
    site = site_of(serve, answers)
    client = site.connect()
    client.send_bytes(client.handshake_bytes())
    wait_until(lambda: answers.stages, "it is asked")
    client.reset()
    wait_until(lambda: answers.told == ["gone"], "it is told")
    assert not site.call(answers.stages[0].accept_websocket, None, [])
