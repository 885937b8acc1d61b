"""A connection whose turn comes late, or whose number gets the turn of another one."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from typing import Any

from kit.site import Serve
from kit.waiting import wait_until
from lineman import Connection
from lineman.testing.client import RawClient, encode

PROXY = b"PROXY TCP4 192.0.2.7 198.51.100.1 5000 443\r\n"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def test_a_request_that_ended_with_the_handshake_is_not_unfinished(serve: Serve) -> None:
    site = serve(
        False,
        on_message=lambda connection, message: None,
        on_request=lambda request: "ok",
        unfinished_timeout=0.5,
        ping_interval=0,
    )
    client = site.plain()
    client.send_bytes(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
    wait_until(lambda: len(site.worker.service.unfinished) == 1, "it began")  # type: ignore[union-attr]
    client.send_bytes(b"cd" + client.handshake_bytes())
    assert client.receive_reply().status == 200
    assert client.receive_reply().status == 101
    assert site.call(lambda: len(site.worker.service.unfinished)) == 0  # type: ignore[union-attr]


def test_a_client_that_resets_while_the_program_decides_costs_no_cpu(serve: Serve) -> None:
    used: list[float] = []

    async def slow(request: object) -> str:
        began = time.process_time()
        await asyncio.sleep(1)
        used.append(time.process_time() - began)
        return "ok"

    site = serve(False, on_request=slow)
    client = site.plain()
    body = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n" + b"x" * 8000
    client.send_bytes(GET + body)
    time.sleep(0.2)  # the program is asked meanwhile
    client.reset()
    wait_until(lambda: used, "it has come")
    assert used[0] < 0.5


def test_a_turn_that_comes_to_another_with_the_same_number_harms_nobody(serve: Serve) -> None:
    lines: list[Connection] = []
    made: list[socket.socket] = []

    def pause(connection: Connection, message: str) -> None:
        if message == "first":
            lines.append(connection)
            connection.pause_recv()

    site = serve(False, on_message=pause, proxy_protocol="required", trusted_proxies=["127.0.0.1"])
    client = RawClient(site.port, preamble=PROXY).open()
    client.send_bytes(encode("first") + encode("x") * 3000)  # the rest is kept
    wait_until(lambda: lines, "it has come")

    def make_way() -> None:
        newcomer = socket.socket()
        lines[0].resume_recv()  # its number stands in the queue,
        lines[0].destroy()  # and is free
        newcomer.connect(("127.0.0.1", site.port))
        made.append(newcomer)

    site.call(make_way)
    with made[0] as newcomer:
        newcomer.settimeout(20)
        newcomer.sendall(PROXY + GET)
        assert newcomer.recv(100).startswith(b"HTTP/1.1 426 ")
    client.close()


def test_what_came_before_the_stop_is_handled_and_then_the_close_frame_is_sent(
    serve: Serve,
) -> None:
    heard: list[Any] = []
    ends: list[int] = []

    async def hear(connection: Connection, message: str) -> None:
        heard.append(message)
        await asyncio.sleep(0)

    site = serve(False, on_message=hear, on_close=lambda connection, code: ends.append(code))
    client = site.open()
    site.call(lambda: client.send_bytes(encode("x") * 5000))
    wait_until(lambda: heard, "it has come")
    site.stop()
    assert len(heard) == 5000
    assert ends == [1001]


def test_a_connection_that_is_closed_has_no_bytes_waiting_whoever_has_its_number(
    serve: Serve,
) -> None:
    lines: list[Connection] = []
    told: list[tuple[bool, int]] = []

    def look(connection: Connection, message: str) -> None:
        if message == "first":
            lines.append(connection)
        else:
            connection.send("x" * 100)
            told.append((connection.fd == lines[0].fd, lines[0].unsent))

    site = serve(False, on_message=look)
    client = site.open()
    client.send("first")
    wait_until(lambda: lines, "it has come")
    newcomer = socket.socket()

    def replace() -> None:
        lines[0].destroy()
        newcomer.connect(("127.0.0.1", site.port))

    site.call(replace)
    with newcomer:
        newcomer.sendall(client.handshake_bytes())
        newcomer.sendall(encode("second"))
        wait_until(lambda: told, "it has come")
    assert told == [(True, 0)]


def test_what_is_sent_when_the_buffer_drains_leaves_also_where_reading_is_put_off(
    serve: Serve,
) -> None:
    told: list[str] = []
    got: list[bytes] = []

    def hear(connection: Connection, message: str) -> None:
        if message != "last":
            return
        while "full" not in told:  # it was put off within this second, and the socket is full now
            connection.send("." * 10_000)
            connection.flush()
        asyncio.get_running_loop().call_soon(make_ready)

    def make_ready() -> None:
        client.plain.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                got.append(client.plain.recv(1_000_000))
        client.plain.settimeout(20)
        client.send("next")  # the socket is ready to be read and to be written to at once
        told.append("ready")

    def drained(connection: Connection) -> None:
        connection.send("drained")

    site = serve(
        False,
        slow_readers="drop_oldest",
        max_send_buffer_size=50_000,
        on_message=hear,
        on_buffer_full=lambda connection: told.append("full"),
        on_buffer_drain=drained,
    )
    client = site.open()
    client.send_bytes(encode("x") * 30_000 + encode("last"))
    wait_until(lambda: "ready" in told, "both are ready")
    while not b"".join(got).endswith(b"drained"):
        got.append(client.receive_bytes())
