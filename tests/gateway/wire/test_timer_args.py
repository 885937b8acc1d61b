"""The arguments of named timers: what can be kept, and what is refused in words."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from lineman.errors import UsageError
from lineman.gateway.wire.timer_args import MAX_ARGS, decode_args, encode_args


@pytest.mark.parametrize(
    "args",
    [(), ("a", b"b", 1, -2.5, True, None), ([1, [2]], {"a": {"b": [None]}}), (1 << 63,)],
)
def test_they_come_back_as_they_were(args: tuple[Any, ...]) -> None:
    assert decode_args(encode_args("gateway.after", args)) == list(args)


@pytest.mark.parametrize(
    "value", [object(), datetime.now(), {1, 2}, {1: "a"}, 1 << 200, print, "\ud800"]
)
def test_what_cannot_be_kept_is_refused_with_what_can(value: object) -> None:
    with pytest.raises(UsageError, match=r"gateway\.after: the arguments cannot be kept: .*text"):
        encode_args("gateway.after", ("a", value))


def test_what_is_large_is_refused() -> None:
    encode_args("gateway.after", ("x" * (MAX_ARGS - 10),))
    with pytest.raises(UsageError, match=f"{MAX_ARGS} are allowed; keep what is large elsewhere"):
        encode_args("gateway.after", ("x" * MAX_ARGS,))


def test_what_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(UsageError, match="cannot be kept"):
        encode_args("gateway.after", (loop,))


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x80", b"\x91", b"x", b"\x91\xa1\xff"])
def test_garbage_is_no_arguments(data: bytes) -> None:
    with pytest.raises(UsageError, match="not the arguments of a timer"):
        decode_args(data)
