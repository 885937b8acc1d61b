"""A gateway process that reads slowly from a business worker: the waiting bytes are bounded."""

from __future__ import annotations

import socket
from typing import IO, Any

import pytest

from kit.gateway import Handled, Said, System, said_on
from kit.records import message_record
from kit.waiting import DEADLINE
from lineman import Client, LinkFullError
from lineman.gateway.wire.messages import TO_GATEWAY, IntroduceClient, Send, new_hello
from lineman.links.framing import Message, encode_frames

MIB = 1024 * 1024


class Stuck:
    """Stands in for a gateway process: it speaks, and reads when the test says so."""

    def __init__(self, system: System) -> None:
        path = str(system.directory / "stuck.sock")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()
        system.paths.append(path)
        system.peers.append(self)
        self.socket = self._listener
        self._stream: IO[bytes] | None = None

    def accept(self) -> None:
        """Takes the business worker's link, and introduces itself and client 1."""
        self.socket, _ = self._listener.accept()
        self.socket.settimeout(DEADLINE)
        self._stream = self.socket.makefile("rb")
        introduction = IntroduceClient(1, "ab" * 16, "1.1.1.1", 1, "/", (), None, (), b"\x80", 0)
        self.say(new_hello(0, "abababab"), introduction)

    def say(self, *batch: Message) -> None:
        self.socket.sendall(b"".join(encode_frames(list(batch))[0]))

    def hear(self, count: int, kind: type) -> list[Any]:
        """The next `count` messages of a kind."""
        assert self._stream is not None
        found: list[Any] = []
        for one in said_on(self._stream, TO_GATEWAY):
            found += [one] if isinstance(one, kind) else []
            if len(found) == count:
                break
        return found

    def close(self) -> None:
        """Closes the connection."""
        if self._stream is not None:
            self._stream.close()
        self.socket.close()
        self._listener.close()


def test_who_is_not_read_works_no_more_for_that_gateway_process(system: System) -> None:
    count, answer = 400, "x" * 100_000  # 40 MB of answers to 10 KB
    served = 0

    def on_message(client: Client, message: str) -> None:
        nonlocal served
        if message == "z":
            client.send(message)
            return
        served += 1
        client.send(message + answer)

    stuck = Stuck(system)
    system.add_node("on_message")
    business = system.add_business(on_message=on_message)
    stuck.accept()
    stuck.socket.sendall(b"".join(message_record(1, f"{number:04}") for number in range(count)))
    system.wait_until(lambda: any(link.is_clogged for link in business._receivers), "it is clogged")
    client = system.connect()
    client.send("z")
    assert client.receive() == "z", "others are served meanwhile"
    assert served * len(answer) < 8 * MIB
    replies = stuck.hear(count, Said)
    assert [reply.data[:4] for reply in replies] == [f"{number:04}" for number in range(count)]
    system.wait_until(
        lambda: not any(link.is_clogged for link in business._receivers), "it is free"
    )
    stuck.socket.sendall(message_record(1, "last"))
    assert stuck.hear(1, Said)[0].data[:4] == "last"


def test_every_event_is_acknowledged_however_slowly_the_answers_are_read(system: System) -> None:
    stuck = Stuck(system)
    system.add_business(on_message=lambda client, message: client.send("x" * 100_000))
    stuck.accept()
    stuck.socket.sendall(message_record(1, "y") * 100)
    done = 0
    while done < 100:
        (handled,) = stuck.hear(1, Handled)
        done += handled.count
    assert done == 100


@pytest.mark.parametrize("text", ["x" * MIB, "x" * 100])
def test_a_program_that_sends_more_than_is_taken_is_told_and_nothing_accepted_is_lost(
    system: System, text: str
) -> None:
    stuck = Stuck(system)
    api = system.add_business({"max_unsent": 8 * MIB})
    stuck.accept()
    system.wait_until(lambda: api._links, "they know each other")
    accepted = 0

    def send_much() -> None:
        nonlocal accepted
        for number in range(1_000_000):
            api.send_to_all(f"{number}:{text}")
            accepted += 1

    with pytest.raises(LinkFullError, match=r"8 MiB wait for gateway process.*await gateway.drain"):
        system.call(send_much)
    assert 7 * MIB < accepted * len(text) < 10 * MIB
    sent = stuck.hear(accepted, Send)
    numbers = [int(order.data.partition(":")[0]) for order in sent]
    assert numbers == list(range(accepted))
    system.run(api.drain())
    system.call(api.send_to_all, "and on")
    assert stuck.hear(1, Send)[0].data == "and on"


def test_a_drain_ends_where_the_gateway_process_does(system: System) -> None:
    stuck = Stuck(system)
    api = system.add_business()
    stuck.accept()
    system.wait_until(lambda: api._links, "they know each other")

    async def send_and_drain() -> None:
        for _ in range(10):
            api.send_to_all("x" * MIB)
        stuck.close()
        await api.drain()

    system.run(send_and_drain())
