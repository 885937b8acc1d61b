"""The sending half of a UDP socket: what is not sent is counted, and the log says why."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from lineman.errors import UsageError
from lineman.net.connection.callbacks import Callbacks
from lineman.net.connection.context import ConnectionContext
from lineman.net.connection.limits import Limits
from lineman.net.datagrams.datagram_output import MOST, DatagramOutput

HERE = socket.inet_aton("127.0.0.1")
EVERYBODY = socket.inet_aton("255.255.255.255")


def tried(*sent: tuple[bytes, int, bytes]) -> tuple[list[bool], tuple[int, int, int]]:
    """What `send_at` returns for each, and the counts."""

    async def main() -> tuple[list[bool], tuple[int, int, int]]:
        service = ConnectionContext(None, Callbacks(), Limits())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind(("127.0.0.1", 0))
            output = DatagramOutput(service, udp)
            assert output.family == socket.AF_INET
            results = [output.send_at(ip, port, 0, data) for ip, port, data in sent]
            # An answer never goes to everybody: the address that it goes to may be forged.
            assert udp.getsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST) == 0
            output.close()
            output.close()
        tally = service.tally
        service.poller.close()
        return results, (tally.messages_written, tally.bytes_written, service.send_failures)

    return asyncio.run(main())


def test_what_is_sent_is_counted_broadcasts_as_well() -> None:
    sent = (HERE, 9, b"123"), (HERE, 9, b""), (EVERYBODY, 9, b"4")
    assert tried(*sent) == ([True] * 3, (3, 4, 0))


@pytest.mark.parametrize(
    ("ip", "port", "why"),
    [
        (HERE, 0, "port 0 means that the sender takes no answer"),
        (socket.inet_aton("192.0.2.1"), 9, "Invalid argument"),
    ],
)
def test_what_is_not_sent_is_counted_and_logged(
    ip: bytes, port: int, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "lineman")
    assert tried((ip, port, b"12")) == ([False], (0, 0, 1))
    assert f"{socket.inet_ntoa(ip)}:{port}: a datagram of 2 bytes was not sent: " in caplog.text
    assert why in caplog.text


def test_more_than_a_datagram_has_is_an_error() -> None:
    with pytest.raises(UsageError, match=f"a datagram of {MOST + 1} bytes"):
        tried((HERE, 9, bytes(MOST + 1)))


def test_its_address_is_empty_once_it_is_closed() -> None:
    async def main() -> Any:
        service = ConnectionContext(None, Callbacks(), Limits())
        udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        udp.bind(("::1", 0))
        output = DatagramOutput(service, udp)
        port = udp.getsockname()[1]
        found = output.local_address(""), output.local_address("::2")
        output.close()
        service.poller.close()
        return (*found, output.local_address("")), port

    found, port = asyncio.run(main())
    assert found == (f"[::1]:{port}", f"[::2]:{port}", "")
