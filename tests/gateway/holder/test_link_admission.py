"""Who may open a link to a gateway process, and what those hear who may not."""

from __future__ import annotations

import pytest

from gateway.peers import Peer, worker
from kit.gateway import System
from lineman.gateway.wire import versions
from lineman.gateway.wire.messages import Hello, LinkPong


@pytest.mark.parametrize("newest", [0, 5, 6, 77])
def test_a_link_uses_the_newest_version_that_both_have(system: System, newest: int) -> None:
    node = system.add_node("on_message")
    peer = Peer(system)
    peer.say(Hello(4, slot=0, newest=newest))
    assert peer.wait_for(Hello).versions == versions.own
    agreed = min(max(newest, 4), versions.own.newest)
    assert list(node._admission.versions.values()) == [agreed]
    assert node.dispatch.workers == 1


def test_one_of_another_version_hears_which_are_understood(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    node = system.add_node("on_message")
    peer = Peer(system)
    peer.say(Hello(8, slot=0, newest=9))
    (hello,) = peer.hear()  # and then the link is over
    assert hello.versions == versions.own
    assert not node.links
    assert not node.dispatch.workers
    assert "a link was refused: it speaks versions 8 to 9" in caplog.text


def test_one_that_does_not_say_hello_hears_nothing(system: System) -> None:
    node = system.add_node("on_message")
    worker(system)
    peer = Peer(system)
    peer.say(LinkPong())
    assert list(peer.hear()) == []
    assert len(node.links) == 1
