"""What the clients of a load test take for a message, by protocol."""

from __future__ import annotations

import pytest

from lineman.cli.load.load_talk import StreamOpening, StreamTalk
from lineman.client.stream_target import StreamTarget, parse


def talk(url: str, piece: int = 0) -> StreamTalk:
    target = parse(url)
    assert isinstance(target, StreamTarget)
    return StreamTalk(StreamOpening(target, piece))


@pytest.mark.parametrize(
    ("protocol", "message", "wire"),
    [
        ("text", "hi", b"hi\n"),
        ("frame", b"hi", b"\0\0\0\x06hi"),
        ("tcp", b"hi", b"hi"),
    ],
)
def test_a_message_goes_and_comes_as_the_protocol_has_it(
    protocol: str, message: str | bytes, wire: bytes
) -> None:
    one = talk(f"{protocol}://h:1", 2 if protocol == "tcp" else 0)
    assert one.encode(message) == wire
    whole = wire * 3
    for cut in range(len(whole) + 1):
        assert one.feed(whole[:cut]) + one.feed(memoryview(whole)[cut:]) == [message] * 3


def test_without_a_size_bytes_count_as_they_are_read() -> None:
    one = talk("tcp://h:1")
    assert one.feed(b"abc") + one.feed(b"d") == [b"abc", b"d"]
