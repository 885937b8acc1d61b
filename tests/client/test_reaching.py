"""The addresses of a name are tried side by side."""

from __future__ import annotations

import asyncio
import errno
import socket
from pathlib import Path
from typing import Any

import pytest

from kit.program import free_ports
from lineman import ConnectError, Worker, connect
from lineman.client import reaching
from lineman.client.reaching import NoAddressError, first_of, in_turns


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def full_listener() -> tuple[socket.socket, list[socket.socket], tuple[str, int]]:
    """A listener that accepts none, and whose queue is full: a further SYN is not answered."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    waiting = []
    for _ in range(4):
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(listener.getsockname())
        waiting.append(sock)
    return listener, waiting, listener.getsockname()


def test_the_families_take_turns() -> None:
    six = [(socket.AF_INET6, (f"::{number}", 1)) for number in range(3)]
    four = [(socket.AF_INET, (f"127.0.0.{number}", 1)) for number in range(1)]
    assert in_turns([*six, *four]) == [six[0], four[0], six[1], six[2]]
    assert in_turns([*four, *six]) == [four[0], *six]


def test_an_address_that_does_not_answer_costs_little_and_its_socket_is_closed() -> None:
    listener, waiting, silent = full_listener()
    before = descriptors()

    async def main() -> None:
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as good:
            places: list[Any] = [
                (socket.AF_INET, silent),
                (socket.AF_INET6, good.getsockname()),
            ]
            # Without a second attempt beside it this would take the whole time, and fail.
            sock = await first_of(places, asyncio.get_running_loop().time() + 60.0)
            assert sock.getpeername()[:2] == good.getsockname()[:2]
            sock.close()

    asyncio.run(main())
    assert descriptors() == before
    for each in (listener, *waiting):
        each.close()


def test_an_address_that_refuses_has_the_next_one_tried_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reaching, "DELAY", 1000.0)
    port = free_ports(1)[0]

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as good:
            places: list[Any] = [
                (socket.AF_INET6, ("::1", port, 0, 0)),
                (socket.AF_INET, good.getsockname()),
            ]
            (await first_of(places, asyncio.get_running_loop().time() + 60.0)).close()

    asyncio.run(main())


def test_all_that_failed_is_told() -> None:
    listener, waiting, silent = full_listener()
    port = free_ports(1)[0]

    async def main() -> None:
        places: list[Any] = [(socket.AF_INET, silent), (socket.AF_INET6, ("::1", port, 0, 0))]
        with pytest.raises(NoAddressError) as caught:
            await first_of(places, asyncio.get_running_loop().time() + 0.8)
        (first, late), (second, refused) = caught.value.failures
        assert (first, late, second) == ("127.0.0.1", None, "::1")
        assert refused is not None
        assert refused.errno == errno.ECONNREFUSED
        assert caught.value.is_late

    before = descriptors()
    asyncio.run(main())
    assert descriptors() == before
    for each in (listener, *waiting):
        each.close()


def two_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name of two addresses, whatever the machine's file of hosts says."""

    async def found(self: Any, host: str, port: int, **_: Any) -> Any:
        assert host == "two.example"
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        ]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", found)


def test_a_name_whose_first_address_refuses_is_connected_to_the_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    two_addresses(monkeypatch)

    async def main() -> None:
        worker = Worker("ws://127.0.0.1:0")
        await worker.start()
        async with connect(worker.url.replace("127.0.0.1", "two.example")) as line:
            assert line.remote_ip == "127.0.0.1"
        await worker.stop(1.0)

    asyncio.run(main())


def test_an_error_names_every_address(monkeypatch: pytest.MonkeyPatch) -> None:
    two_addresses(monkeypatch)
    port = free_ports(1)[0]

    async def main() -> None:
        with pytest.raises(ConnectError) as caught:
            await connect(f"ws://two.example:{port}")
        assert caught.value.seen == (
            f"nothing listens on two.example, port {port} (::1, 127.0.0.1): connection refused"
        )

    asyncio.run(main())
