"""Every exception of the package says what was seen and how to mend it."""

from __future__ import annotations

import pickle

import pytest

from lineman import errors
from lineman.errors import (
    AddressInUseError,
    ConfigError,
    ConnectionLost,
    HttpError,
    LinemanError,
    ProtocolError,
    UnknownNameError,
)

ALL = [value for value in vars(errors).values() if isinstance(value, type)]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_whoever_catches_the_base_catches_each_and_finds_it_where_it_is_imported(
    kind: type[Exception],
) -> None:
    assert issubclass(kind, LinemanError)
    assert kind.__module__ == "lineman"


def test_what_an_operator_must_mend_comes_with_the_fix() -> None:
    error = ConfigError("the key is missing", "name it with key=")
    assert str(error) == "the key is missing; fix: name it with key="
    assert (error.seen, error.fix) == ("the key is missing", "name it with key=")
    assert AddressInUseError("a port is taken", "stop it", 4711).holder == 4711


def test_what_concerns_the_peer_comes_with_the_code_that_it_is_told() -> None:
    broken = ProtocolError(1002, "a masked frame")
    assert (broken.code, broken.reason) == (1002, "a masked frame")
    assert str(broken) == "a masked frame (close code 1002)"
    refused = HttpError(426, "use wss", (("Upgrade", "websocket"),))
    assert (refused.status, refused.text) == (426, "use wss")
    assert refused.headers == (("Upgrade", "websocket"),)
    lost = ConnectionLost(1006, "the peer is gone")
    assert (lost.code, lost.reason) == (1006, "the peer is gone")


def test_a_name_that_is_not_there_is_what_python_takes_it_for() -> None:
    class Thing:
        def __getattr__(self, name: str) -> object:
            raise UnknownNameError(name)

    assert not hasattr(Thing(), "name")
    assert getattr(Thing(), "name", 7) == 7


def test_they_go_from_process_to_process() -> None:
    error = pickle.loads(pickle.dumps(LinemanError("what was seen")))
    assert (type(error), str(error)) == (LinemanError, "what was seen")
