"""What a process asks of the store of shared values, and its answers. Pure."""

from __future__ import annotations

from typing import Literal

from lineman.links.framing import Message, WireFormat

Operation = Literal["get", "set", "add", "delete", "compare_and_set", "increment", "expire"]
# done; the key is not there (or, for add, is there; or has another value); the store is full; the
# value is no whole number, or the sum has more than 64 bits.
Outcome = Literal["done", "not done", "full", "no number"]


class StoreRequest(Message, tag=1):
    """One operation.

    Attributes:
        number: the answer has the same.
        value: the new value.
        expected: for `compare_and_set` the old value; None if there must be none.
        seconds: the time after which the key is deleted; None for never.
        by: what `increment` adds.
    """

    number: int
    operation: Operation
    key: str
    value: bytes = b""
    expected: bytes | None = None
    seconds: float | None = None
    by: int = 0


class StoreReply(Message, tag=1):
    """The answer to one operation.

    Attributes:
        value: the value that the key has, for `get` and `increment`.
    """

    number: int
    outcome: Outcome
    value: bytes = b""


TO_STORE = WireFormat(StoreRequest)
FROM_STORE = WireFormat(StoreReply)
