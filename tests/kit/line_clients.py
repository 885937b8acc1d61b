"""What clients of a service that speaks in lines say and hear."""

from __future__ import annotations

from lineman.testing.client import RawClient


def say(client: RawClient, *words: str) -> None:
    client.send_bytes("".join(f"{word}\n" for word in words).encode())


def hear(client: RawClient, count: int = 1) -> list[str]:
    """The next lines from the service, and nothing behind them."""
    got = b""
    while got.count(b"\n") < count:
        got += client.receive_bytes()
    *found, rest = got.decode().split("\n")
    assert len(found) == count
    assert not rest
    return found


def left(client: RawClient) -> bytes:
    """The service's last bytes before the end; none if it drops unread bytes."""
    try:
        return client.receive_all()
    except ConnectionResetError:
        return b""
