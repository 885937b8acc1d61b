"""Names of users, groups and clients, and their topics at brokers."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator

from lineman.errors import UsageError
from lineman.gateway.wire.messages import Deliver, Order, PublishToGroup, Send, Ungroup

MAX_NAME = 256  # bytes of UTF-8
CLIENT_ID = re.compile(r"[0-9a-f]{32}")
NODE = re.compile("[0-9a-f]{8}")
NODE_DIGITS = 8


def check_name(kind: str, value: object) -> str:
    """A uid's or group's name as text.

    Args:
        kind: `uid` or `group`, for the error.
        value: any text of 1 to 256 bytes of UTF-8, or a whole number.

    Raises:
        UsageError: it is something else.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        if value.bit_length() > 8 * MAX_NAME:
            raise UsageError(f"the {kind} is far too large a number; give 1 to {MAX_NAME} digits")
        value = str(value)
    if not isinstance(value, str):
        raise UsageError(f"a {kind} is text or a whole number, got {type(value).__name__}")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise UsageError(f"the {kind} {value!r:.80} cannot be written as UTF-8") from None
    if not 1 <= size <= MAX_NAME:
        raise UsageError(
            f"the {kind} {value[:20]!r}… has {size} bytes; give 1 to {MAX_NAME}"
            if size
            else f"the {kind} is empty; give 1 to {MAX_NAME} bytes"
        )
    return value


def new_node() -> str:
    """A name for a gateway process that no other process has or had: 8 hex digits."""
    return secrets.token_hex(NODE_DIGITS // 2)


def is_node(name: str) -> bool:
    """Whether this can be a gateway process' name."""
    return NODE.fullmatch(name) is not None


def new_client_id(node: str) -> str:
    """An id for a client of this node that nobody can guess: 32 hex digits."""
    return node + secrets.token_hex(16 - NODE_DIGITS // 2)


def node_of(client_id: str) -> str | None:
    """The node that holds or held a client; None if this is not a client's id."""
    if not isinstance(client_id, str) or not CLIENT_ID.fullmatch(client_id):
        return None
    return client_id[:NODE_DIGITS]


UID_TOPIC = "uid:"
NODE_TOPIC = "node:"


def uid_topic(uid: str) -> str:
    """The topic of messages to a user."""
    return UID_TOPIC + uid


GROUP_TOPIC = "group:"


def group_topic(group: str) -> str:
    """The topic of messages to a group."""
    return GROUP_TOPIC + group


def client_name(client: str) -> str:
    """A client in the log, by its id."""
    return f"client:{client}"


def groups_of(topics: Iterable[str]) -> list[str]:
    """The groups among some topics."""
    size = len(GROUP_TOPIC)
    return [topic[size:] for topic in topics if topic.startswith(GROUP_TOPIC)]


def node_topic(node: str) -> str:
    """The topic of messages to one gateway process."""
    return NODE_TOPIC + node


ALL_NODES = "nodes"


def is_private(topic: str) -> bool:
    """Whether a topic is that of one gateway process."""
    return topic.startswith(NODE_TOPIC)


def topics_of(order: Order, node: str) -> Iterator[str]:
    """The topics by which an order of this node reaches the other nodes that it may concern."""
    if isinstance(order, Send):
        if order.is_to_all:
            yield ALL_NODES
            return
        yield from map(uid_topic, order.uids)
        yield from map(group_topic, order.groups)
        clients: tuple[str, ...] = order.clients
    elif isinstance(order, (Ungroup, Deliver, PublishToGroup)):
        yield group_topic(order.group)
        return
    else:
        clients = (order.client,)
    nodes = {node_of(client) for client in clients}
    yield from (node_topic(other) for other in nodes if other and other != node)
