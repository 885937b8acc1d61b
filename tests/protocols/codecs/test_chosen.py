"""What may be given as a protocol, and the words for what may not."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from lineman.errors import ConfigError
from lineman.net.connection.limits import Limits
from lineman.protocols.codecs.chosen import SESSIONS, check, sessions_of
from lineman.protocols.codecs.codec_session import CodecSession
from lineman.protocols.codecs.ready_made import Lines


class Whole:
    def input(self, buffer: bytes) -> int:
        return len(buffer)

    def decode(self, package: bytes) -> bytes:
        return package

    def encode(self, message: bytes) -> bytes:
        return message


class NoEncode:
    def input(self, buffer: bytes) -> int:
        return 0

    decode = None


class Needs(Whole):
    def __init__(self, size: int) -> None:
        self.size = size


@pytest.mark.parametrize(
    "protocol", [Whole, Lines, Lines(), Lines().json(), partial(Needs, 3), lambda: Needs(3), "tcp"]
)
def test_a_class_or_what_makes_its_objects_is_a_protocol(protocol: Any) -> None:
    check(protocol)
    made = sessions_of(protocol)(Limits())
    assert made is not sessions_of(protocol)(Limits())
    assert type(made) is SESSIONS.get(protocol if isinstance(protocol, str) else "", CodecSession)


@pytest.mark.parametrize(
    ("protocol", "words"),
    [
        (NoEncode, "the class NoEncode, which has no decode and no encode; fix: write input"),
        (Whole(), "an object of Whole; fix: give the class"),
        (5, "of type int"),
        (object, "the class object, which has no input"),
        (Needs, "Needs cannot be made without arguments: missing a required argument: 'size'"),
        ("udp", "'udp'; fix: write one of tcp, text, frame"),
    ],
)
def test_what_is_none_is_refused_with_the_remedy(protocol: Any, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check(protocol)
    assert words in str(caught.value)


def test_a_factory_that_makes_something_else_is_told_of_when_it_is_used() -> None:
    check(lambda: 5)
    with pytest.raises(TypeError, match="protocol made 5, which has no input and no decode"):
        sessions_of(lambda: 5)(Limits())
