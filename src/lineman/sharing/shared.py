"""`Shared`: values that all processes of a program read and write."""

from __future__ import annotations

from typing import Any

from lineman.base.joined_names import joined
from lineman.errors import RefusedError, UsageError
from lineman.sharing import event_bus, in_use
from lineman.sharing.shared_values import (
    check_expiry,
    check_key,
    check_number,
    decode_shared,
    encode_shared,
)
from lineman.sharing.store_messages import Operation, StoreReply, StoreRequest


class Shared:
    """Keys with values that every process of the program reads and writes, one operation at a time.

    Make it before `Worker.run_all()`, and use it in callbacks. A key is a text of 1 to 256 bytes; a
    value is text, bytes, a number, a boolean, None, a list or a dictionary, of 1,000,000 bytes at
    most. Each operation is done whole, and those of all processes one after the other.

    With the embedded broker the values are in the memory of the program's hub process: a reload
    keeps them, a stop or the death of the hub loses them; there may be 100,000 keys of 64 MiB
    together. With Redis or NATS they are there, for all machines with the same
    `Worker.service_name`.

    Args:
        name: the values of two `Shared` with different names have nothing in common.

    Raises:
        UsageError: the name is no text of 1 to 100 bytes.
    """

    def __init__(self, name: str = "shared") -> None:
        if not isinstance(name, str) or not 0 < len(check_key(name).encode()) <= 100:
            raise UsageError(f"the name of a Shared is {name!r:.120}; give 1 to 100 bytes of text")
        self.name = name
        in_use.note()

    def __repr__(self) -> str:
        return f"<Shared {self.name}>"

    async def get(self, key: str, default: Any = None) -> Any:
        """The value of a key; `default` if there is none.

        Raises:
            NotReachedError: the broker does not answer.
            UsageError: the key is invalid, or no worker runs here.
        """
        reply = await self._ask("get", key)
        return decode_shared(reply.value) if reply.outcome == "done" else default

    async def set(self, key: str, value: Any, expire: float | None = None) -> None:
        """Sets a key, whether it is there or not.

        Args:
            expire: seconds after which it is deleted; None for never.

        Raises:
            RefusedError: no room is left.
            NotReachedError, UsageError: as for `get`.
        """
        await self._ask("set", key, encode_shared(value), expire)

    async def add(self, key: str, value: Any, expire: float | None = None) -> bool:
        """Sets a key that is not there; returns whether it did. Errors are those of `set`."""
        return await self._is_done("add", key, encode_shared(value), expire)

    async def delete(self, key: str) -> bool:
        """Deletes a key; returns whether it was there. Errors are those of `get`."""
        return await self._is_done("delete", key)

    async def compare_and_set(
        self, key: str, old: Any, new: Any, expire: float | None = None
    ) -> bool:
        """Sets a key whose value is `old`; returns whether it did.

        The numbers 1 and 1.0 are different values, and so are 1 and True. A key that is not there
        has no value: use `add`. Errors are those of `set`.
        """
        expected = encode_shared(old)
        return await self._is_done("compare_and_set", key, encode_shared(new), expire, expected)

    async def increment(self, key: str, by: int = 1, expire: float | None = None) -> int:
        """Adds to a whole number, and returns the sum; a key that is not there counts as 0.

        Args:
            expire: seconds after which a new key is deleted; one that is there keeps its own time.

        Raises:
            RefusedError: the value is no whole number, the sum has more than 64 bits, or no room is
                left.
            NotReachedError, UsageError: as for `get`.
        """
        reply = await self._ask("increment", key, b"", expire, by=check_number("by", by))
        return int(reply.value)

    async def expire(self, key: str, seconds: float | None) -> bool:
        """Has a key deleted after so many seconds from now; None keeps it.

        Returns:
            Whether it is there. Errors are those of `get`.
        """
        return await self._is_done("expire", key, b"", seconds)

    async def _is_done(
        self,
        operation: Operation,
        key: str,
        value: bytes = b"",
        expire: float | None = None,
        expected: bytes | None = None,
    ) -> bool:
        return (await self._ask(operation, key, value, expire, expected)).outcome == "done"

    async def _ask(
        self,
        operation: Operation,
        key: str,
        value: bytes = b"",
        expire: float | None = None,
        expected: bytes | None = None,
        by: int = 0,
    ) -> StoreReply:
        bus = event_bus.here()
        if bus is None:
            raise UsageError(
                f"{self!r} works in the processes of a program: make it before Worker.run_all(), "
                "and use it in on_worker_start or later"
            )
        whole = joined(self.name, check_key(key))
        request = StoreRequest(0, operation, whole, value, expected, check_expiry(expire), by)
        reply = await bus.store.ask(request)
        if reply.outcome == "full":
            raise RefusedError(
                f"there is no room for {key!r:.80}: the store of shared values is full",
                "delete keys, or give them an expiry",
            )
        if reply.outcome == "no number":
            raise RefusedError(
                f"{key!r:.80} holds no whole number, or the sum has more than 64 bits",
                "increment only what increment or a whole number has set",
            )
        return reply
