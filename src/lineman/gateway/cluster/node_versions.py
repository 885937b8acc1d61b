"""Which version of the wire each other node speaks, and which nodes are not understood. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from lineman.gateway.wire import versions
from lineman.gateway.wire.names import NODE_TOPIC
from lineman.gateway.wire.node_messages import (
    SINCE_VERSION_5,
    NodeBeat,
    NodeLeaves,
    NodeMessage,
    Numbered,
)
from lineman.gateway.wire.versions import WireVersions

# Seconds after its last beat for which a node that is not understood is reported.
LATELY = 10.0


class _Foreign(NamedTuple):
    versions: WireVersions
    heard_at: float


class NodeVersions:
    """The versions of the other nodes, by their beats.

    A node that has no version in common with this one is none of the others for this one.

    Args:
        on_foreign: called with such a node when it is first heard.
    """

    def __init__(self, on_foreign: Callable[[str], None] = lambda node: None) -> None:
        self._on_foreign = on_foreign
        self._agreed: dict[str, int] = {}
        self._foreign: dict[str, _Foreign] = {}

    def takes(self, message: NodeMessage, now: float) -> bool:
        """Whether a message is of a node that is understood; of a beat it notes the versions.

        Args:
            message: the message.
            now: seconds on a clock that only goes forward.
        """
        if isinstance(message, NodeBeat):
            peer = versions.of_peer(message.oldest, message.newest)
            agreed = versions.agreed_with(peer)
            if not agreed:
                self._agreed.pop(message.origin, None)
                is_new = message.origin not in self._foreign
                self._foreign[message.origin] = _Foreign(peer, now)
                if is_new:
                    self._on_foreign(message.origin)
                return False
            self._agreed[message.origin] = agreed
            self._foreign.pop(message.origin, None)
        if message.origin not in self._foreign:
            return True
        if isinstance(message, NodeLeaves):
            del self._foreign[message.origin]
        return False

    def forget(self, node: str) -> None:
        """A node that was understood is gone."""
        self._agreed.pop(node, None)

    def of(self, node: str) -> int:
        """The version in which a node is spoken to."""
        return self._agreed.get(node, versions.FIRST)

    def may_hear(self, topic: str, message: Numbered) -> bool:
        """Whether all nodes that get a message on a topic know messages of its kind."""
        if not isinstance(message, SINCE_VERSION_5):
            return True
        if topic.startswith(NODE_TOPIC):
            # A program that only pushes sends no beats; one of version 4 is sent no such message.
            return self._agreed.get(topic.removeprefix(NODE_TOPIC)) != versions.FIRST
        return versions.FIRST not in self._agreed.values()

    def refusal(self, now: float) -> str:
        """Why another node is not understood, as a text; empty if all are."""
        for node, foreign in list(self._foreign.items()):
            if now - foreign.heard_at > LATELY:
                del self._foreign[node]
            else:
                why = versions.refusal(foreign.versions)
                return f"the gateway process {node} is not understood: {why}"
        return ""

    def trouble(self, now: float) -> str:
        """`refusal` with its remedy."""
        why = self.refusal(now)
        return why and f"{why}; fix: {versions.REMEDY}"


def new_beat(node: str) -> NodeBeat:
    """The sign of life of this node."""
    return NodeBeat(node, versions.own.oldest, versions.own.newest)
