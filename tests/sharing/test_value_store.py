"""The store does each operation whole or not at all, forgets in time, and is bounded."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from lineman.links.framing import BadMessageError, encode
from lineman.sharing.store_messages import TO_STORE, StoreReply, StoreRequest
from lineman.sharing.value_store import STALE_DEADLINES, ValueStore


class Trial:
    """A store with a clock that the test moves."""

    def __init__(self, **limits: int) -> None:
        self.now = 0.0
        self.store = ValueStore(lambda: self.now, **limits)
        self._numbers = count()

    def do(self, operation: Any, key: str = "k", value: bytes = b"", **more: Any) -> StoreReply:
        number = next(self._numbers)
        reply = self.store.apply(StoreRequest(number, operation, key, value, **more))
        assert reply.number == number
        return reply

    def get(self, key: str = "k") -> bytes | None:
        reply = self.do("get", key)
        return reply.value if reply.outcome == "done" else None


@pytest.fixture
def trial() -> Trial:
    return Trial()


def test_a_key_that_is_set_is_there_until_it_is_deleted(trial: Trial) -> None:
    assert trial.get() is None
    assert trial.do("set", value=b"one").outcome == "done"
    assert trial.do("set", value=b"two").outcome == "done"
    assert trial.get() == b"two"
    assert trial.do("delete").outcome == "done"
    assert trial.do("delete").outcome == "not done"
    assert trial.get() is None
    assert len(trial.store) == 0


def test_add_sets_only_what_is_not_there(trial: Trial) -> None:
    assert trial.do("add", value=b"one").outcome == "done"
    assert trial.do("add", value=b"two").outcome == "not done"
    assert trial.get() == b"one"


def test_compare_and_set_wants_the_old_value(trial: Trial) -> None:
    swap = "compare_and_set"
    assert trial.do(swap, value=b"new", expected=b"old").outcome == "not done"
    trial.do("set", value=b"old")
    assert trial.do(swap, value=b"new", expected=b"other").outcome == "not done"
    assert trial.do(swap, value=b"new", expected=b"old").outcome == "done"
    assert trial.do(swap, value=b"x", expected=None).outcome == "not done"
    assert trial.get() == b"new"


def test_increment_counts_from_nothing_and_refuses_what_is_no_number(trial: Trial) -> None:
    assert trial.do("increment", by=5).value == b"5"
    assert trial.do("increment", by=-7).value == b"-2"
    assert trial.get() == b"-2"
    trial.do("set", "text", b"mx")
    assert trial.do("increment", "text", by=1).outcome == "no number"
    trial.do("set", "big", b"%d" % (2**63 - 1))
    assert trial.do("increment", "big", by=1).outcome == "no number"
    assert trial.get("big") == b"%d" % (2**63 - 1)


def test_a_key_ends_at_its_deadline_and_not_before(trial: Trial) -> None:
    trial.do("set", value=b"x", seconds=10.0)
    trial.now = 9.999
    assert trial.get() == b"x"
    trial.now = 10.0
    assert trial.get() is None
    assert trial.do("add", value=b"y").outcome == "done"


def test_a_key_that_is_written_again_has_the_new_deadline(trial: Trial) -> None:
    trial.do("set", value=b"x", seconds=10.0)
    trial.do("set", value=b"y", seconds=None)
    trial.now = 20.0
    assert trial.get() == b"y"
    assert trial.do("expire", seconds=5.0).outcome == "done"
    trial.now = 24.0
    assert trial.do("expire", seconds=5.0).outcome == "done"
    trial.now = 26.0
    assert trial.get() == b"y"
    trial.now = 29.0
    assert trial.get() is None
    assert trial.do("expire", seconds=5.0).outcome == "not done"


def test_increment_keeps_the_deadline_of_a_key_that_is_there(trial: Trial) -> None:
    trial.do("increment", by=1, seconds=10.0)
    trial.now = 5.0
    trial.do("increment", by=1, seconds=10.0)
    trial.now = 10.0
    assert trial.do("increment", by=1).value == b"1"


def test_a_full_store_refuses_and_keeps_what_it_has() -> None:
    trial = Trial(max_keys=2, max_bytes=10)
    assert trial.do("set", "a", b"1").outcome == "done"
    assert trial.do("set", "b", b"1").outcome == "done"
    assert trial.do("set", "c", b"1").outcome == "full"
    assert trial.do("increment", "c", by=1).outcome == "full"
    assert trial.do("set", "b", b"x" * 8).outcome == "full"
    assert trial.get("b") == b"1"
    assert trial.do("set", "b", b"x" * 7).outcome == "done"
    trial.do("delete", "a")
    assert trial.do("add", "c", b"1").outcome == "done"


def test_an_expired_key_makes_room() -> None:
    trial = Trial(max_keys=1)
    trial.do("set", "a", b"1", seconds=1.0)
    trial.now = 1.0
    assert trial.do("set", "b", b"1").outcome == "done"


def test_a_key_that_is_written_often_leaves_no_deadlines_behind(trial: Trial) -> None:
    for _ in range(10_000):
        trial.do("set", value=b"x", seconds=1000.0)
    assert len(trial.store._deadlines) <= STALE_DEADLINES + 65
    trial.now = 1000.0
    assert trial.get() is None


def test_requests_of_strangers_are_refused() -> None:
    request = StoreRequest(1, "get", "k")
    assert TO_STORE.decode(encode(request)) == request
    bad: Any = "drop"
    with pytest.raises(BadMessageError):
        TO_STORE.decode(encode(StoreRequest(1, bad, "k")))
