"""A large answer of one node in parts that a broker carries, each an answer of its own. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from lineman.links.framing import encode_value

# Bytes of a part, encoded: well below the 1 MiB that a NATS server takes by default.
PART = 256 * 1024
# Names or messages that are looked at together at first.
AT_ONCE = 5000


def parts_of(answer: Any, limit: int = PART) -> Iterator[Any]:
    """An answer in parts that merge to the same, at least one.

    What cannot be divided, as one session, is one part even if it is larger.

    Args:
        answer: a list, a dictionary, a page of a history (a tuple with the messages as its third
            element), or one value.
        limit: bytes of a part, encoded.
    """
    if isinstance(answer, tuple):
        for messages in _of_list(answer[2], limit):
            yield (*answer[:2], messages, *answer[3:])
    elif isinstance(answer, list):
        yield from _of_list(answer, limit)
    elif isinstance(answer, dict):
        yield from _of_dict(answer, limit)
    else:
        yield answer


def _of_list(items: list[Any], limit: int) -> Iterator[list[Any]]:
    if not items:
        yield items
    for start in range(0, len(items), AT_ONCE):
        yield from _halves(items[start : start + AT_ONCE], limit)


def _halves(items: list[Any], limit: int) -> Iterator[list[Any]]:
    if len(items) == 1 or len(encode_value(items)) <= limit:
        yield items
        return
    middle = len(items) // 2
    yield from _halves(items[:middle], limit)
    yield from _halves(items[middle:], limit)


def _of_dict(answer: dict[Any, Any], limit: int) -> Iterator[dict[Any, Any]]:
    if not answer:
        yield answer
    pairs = iter(answer.items())
    while some := list(islice(pairs, AT_ONCE)):
        yield from _of_pairs(some, limit)


def _of_pairs(pairs: list[tuple[Any, Any]], limit: int) -> Iterator[dict[Any, Any]]:
    if len(encode_value(dict(pairs))) <= limit:
        yield dict(pairs)
        return
    if len(pairs) > 1:
        middle = len(pairs) // 2
        yield from _of_pairs(pairs[:middle], limit)
        yield from _of_pairs(pairs[middle:], limit)
        return
    ((name, value),) = pairs
    if isinstance(value, list):  # one group may have more members than a part has room for
        for items in _of_list(value, limit):
            yield {name: items}
    else:
        yield {name: value}
