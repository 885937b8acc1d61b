"""The plain HTTP port beside a wss service."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any

import pytest

from kit.waiting import DEADLINE, wait_until
from lineman.net.listening.plainport import PlainPort, answer
from lineman.protocols.http.requests import Request, RequestParser

HOSTS = ("chat.example.com", "www.example.com")


def challenge(token: str) -> bytes | None:
    return b"token.thumbprint" if token == "token" else None


def request(target: str, host: str = "chat.example.com") -> Request:
    parser = RequestParser(8192, 8192)
    return parser.feed(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())[0]


def test_the_authority_gets_its_answer() -> None:
    found = answer(request("/.well-known/acme-challenge/token"), challenge, HOSTS, 443)
    assert (found.status, found.body) == (200, b"token.thumbprint")
    assert ("Content-Type", "application/octet-stream") in found.headers


@pytest.mark.parametrize("token", ["", "other", "../token", "%2e%2e/token", "token/"])
def test_another_token_is_not_found(token: str) -> None:
    found = answer(request(f"/.well-known/acme-challenge/{token}"), challenge, HOSTS, 443)
    assert found.status == 404


@pytest.mark.parametrize(
    ("target", "host", "port", "location"),
    [
        ("/", "chat.example.com", 443, "https://chat.example.com/"),
        ("/a?b=c", "WWW.example.com:80", 443, "https://www.example.com/a?b=c"),
        ("/", "chat.example.com", 8443, "https://chat.example.com:8443/"),
        ("/", "evil.example", 443, "https://chat.example.com/"),  # no open redirect
        ("/", "[2001:db8::1]:80", 443, "https://chat.example.com/"),
        ("//evil.example/x", "chat.example.com", 443, "https://chat.example.com//evil.example/x"),
        ("http://evil.example/x", "evil.example", 443, "https://chat.example.com/"),
    ],
)
def test_everybody_else_is_sent_to_https(target: str, host: str, port: int, location: str) -> None:
    found = answer(request(target, host), challenge, HOSTS, port)
    assert found.status == 308
    assert dict(found.headers)["Location"] == location


def over_the_line(
    talk: Callable[[socket.socket], bytes],
    served: list[PlainPort] | None = None,
    **limits: Any,
) -> bytes:
    """What `talk`, in a thread, gets from a port that is served, and is put into `served`."""

    async def run() -> bytes:
        listener = socket.create_server(("127.0.0.1", 0))
        address = listener.getsockname()
        port = PlainPort(challenge, HOSTS, 443, **limits)
        if served is not None:
            served.append(port)
        await port.start(listener)
        try:

            def connect() -> bytes:
                with socket.create_connection(address, DEADLINE) as plain:
                    return talk(plain)

            return await asyncio.to_thread(connect)
        finally:
            await port.stop()

    return asyncio.run(run())


def everything(plain: socket.socket) -> bytes:
    data = b""
    while piece := plain.recv(4096):
        data += piece
    return data


def ask(*pieces: bytes) -> bytes:
    def talk(plain: socket.socket) -> bytes:
        for piece in pieces:
            plain.sendall(piece)
        return everything(plain)

    return over_the_line(talk)


def test_a_request_is_answered_and_the_line_closed() -> None:
    said = ask(b"GET /.well-known/acme-challenge/token HTTP/1.1\r\n", b"Host: x\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 200 ")
    assert said.endswith(b"\r\n\r\ntoken.thumbprint")
    assert b"Connection: close" in said


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc", b"HTTP/1.1 400 "),  # TLS
        (b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 400 "),  # no Host
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 9000, b"HTTP/1.1 431 "),
        (b"DELETE / HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 405 "),
        (b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 308 "),
    ],
)
def test_what_is_no_ordinary_request_is_answered_too(sent: bytes, status: bytes) -> None:
    assert ask(sent).startswith(status)


def test_one_that_says_nothing_is_dropped() -> None:
    def talk(plain: socket.socket) -> bytes:
        plain.sendall(b"GET / HT")
        try:
            return everything(plain)
        except ConnectionResetError:
            return b""

    assert over_the_line(talk, patience=0.05) == b""


@pytest.mark.parametrize("said", [b"", b"GET /"], ids=["silent", "slow"])
def test_strangers_who_fill_the_port_do_not_keep_the_authority_out(said: bytes) -> None:
    def talk(plain: socket.socket) -> bytes:
        with contextlib.ExitStack() as stack:
            strangers = []
            for _ in range(9):
                stranger = socket.create_connection(plain.getpeername(), DEADLINE)
                strangers.append(stack.enter_context(stranger))
                stranger.sendall(said)
            authority = socket.create_connection(plain.getpeername(), DEADLINE)
            stack.enter_context(authority)
            authority.sendall(b"GET /.well-known/acme-challenge/token HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = everything(authority)
            with contextlib.suppress(ConnectionResetError):
                assert everything(strangers[0]) == b""  # the oldest made way
            return answer

    assert over_the_line(talk, most=4).endswith(b"token.thumbprint")


def test_who_has_said_something_outlives_those_who_came_later_and_say_nothing() -> None:
    served: list[PlainPort] = []

    def talk(plain: socket.socket) -> bytes:
        plain.sendall(b"GET /")
        wait_until(lambda: any([*served[0]._tasks.values()]), "it is heard")
        with contextlib.ExitStack() as stack:
            silent = [
                stack.enter_context(socket.create_connection(plain.getpeername(), DEADLINE))
                for _ in range(6)
            ]
            with contextlib.suppress(ConnectionResetError):
                assert everything(silent[0]) == b""
            plain.sendall(b" HTTP/1.1\r\nHost: x\r\n\r\n")
            return everything(plain)

    assert over_the_line(talk, served, most=3).startswith(b"HTTP/1.1 308 ")
