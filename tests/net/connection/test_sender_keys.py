"""What waits for a slow reader when a key, or a close, does something unexpected."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kit.slow_readers import DROPPING, Slow, everything, numbered
from lineman import UsageError
from lineman.protocols.websocket.decoder import Close, Decoder
from lineman.testing.client import RawClient


class Key:
    """A key of messages, equal to every other one; comparing it once does something."""

    def __init__(self, act: Callable[[], object] | None = None) -> None:
        self._act = act

    def act(self) -> None:
        act, self._act = self._act, None
        if act is not None:
            act()

    def __hash__(self) -> int:
        return 7

    def __eq__(self, other: object) -> bool:
        self.act()
        return isinstance(other, Key)


class Hashed(Key):
    """Does it when it is asked for its hash a second time."""

    asked = 0

    def __hash__(self) -> int:
        self.asked += 1
        if self.asked > 1:
            self.act()
        return 7

    __eq__ = Key.__eq__


class Freed(Key):
    """Does it when nobody needs it any more."""

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __del__(self) -> None:
        self.act()


def up_to_the_close(client: RawClient) -> bytes:
    """What the client gets, which answers the close frame."""
    decoder, raw = Decoder(1_000_000, False, None), b""
    while True:
        raw += (came := client.receive_bytes())
        if any(isinstance(event, Close) for event in decoder.feed(came)):
            client.send_close()
            return raw + client.receive_all()


@pytest.mark.parametrize("kind", [Key, Hashed, Freed])
@pytest.mark.parametrize("word", ["close", "destroy", "send"])
def test_a_key_may_do_anything_and_no_message_follows_the_close_frame(
    slow: Slow, kind: type[Key], word: str
) -> None:
    site, client, connection = slow("latest")

    def act() -> None:
        if word == "send":
            connection.send("inner", Key())
        else:
            getattr(connection, word)()

    def talk() -> None:
        for number in range(3):
            connection.send(f"first {number}", kind(act) if number == 1 else number)
        for number in range(3):
            connection.send(f"second {number}", Key() if number == 1 else number)
        if kind is Freed:
            for number in range(300):
                connection.send(numbered(number))
        connection.close()

    site.call(talk)
    if word != "destroy":
        raw = up_to_the_close(client)
        assert raw.endswith(b"\x88\x02\x03\xe8")
    site.wait_until_empty()


@pytest.mark.parametrize("policy", ["close", *DROPPING])
def test_a_close_that_cannot_be_said_changes_nothing(slow: Slow, policy: str) -> None:
    site, client, connection = slow(policy)
    site.call(connection.send, "waits")
    with pytest.raises((UsageError, TypeError)):
        site.call(connection.start_close, 1005 + 1, "never sent")
    with pytest.raises((UsageError, AttributeError, TypeError)):
        site.call(connection.start_close, 1000, 5)
    assert connection in site.worker.connections.values()
    assert (connection.is_open, connection.close_code) == (True, 0)
    assert site.call(connection.send, "last")
    assert everything(client, "last")[-2:] == ["waits", "last"]
