"""Names of events become topics, and messages of strangers are refused."""

from __future__ import annotations

from typing import Any

import pytest

from lineman.errors import UsageError
from lineman.links.framing import BadMessageError, encode
from lineman.sharing.event_messages import (
    FROM_OTHERS,
    Event,
    ToAllClients,
    clients_topic,
    event_topic,
)


def test_an_event_and_the_clients_of_a_worker_have_topics_of_their_own() -> None:
    assert event_topic("x") == "event:x"
    assert clients_topic("x") == "clients:x"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (7, "is a text, got int"),
        (None, "got NoneType"),
        (print, r'write @worker.on_event\("name"\)'),
        ("", "has 0 bytes"),
        ("é" * 129, "has 258 bytes; give 1 to 256"),
        ("\ud800", "no Unicode text"),
    ],
)
def test_a_name_that_cannot_be_is_an_error(name: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        event_topic(name)


def test_messages_come_out_as_they_went_in() -> None:
    for message in (Event(b"origin", b"\x01"), ToAllClients(b"origin", b"\xa1x", b"\xc0")):
        assert FROM_OTHERS.decode(encode(message)) == message


@pytest.mark.parametrize(
    "payload", [b"", b"hello", b"\x93\x01\x01\x01", b"\x93\x09\xc4\x00\xc4\x00"]
)
def test_what_no_program_sent_is_refused(payload: bytes) -> None:
    with pytest.raises(BadMessageError):
        FROM_OTHERS.decode(payload)
