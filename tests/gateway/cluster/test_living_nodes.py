"""Which other nodes live, by a clock of numbers."""

from __future__ import annotations

from lineman.gateway.cluster.living_nodes import MAX_ABSENCE, REMEMBERED, LivingNodes


def test_a_node_lives_from_its_first_beat_until_its_silence() -> None:
    nodes = LivingNodes(3.5, 0.0)
    assert nodes.on_beat("a", 1.0)
    assert not nodes.on_beat("a", 2.0)
    assert nodes.silent(5.5) == []
    assert nodes.silent(5.6) == ["a"]
    nodes.on_end("a", was_lost=True, now=5.6)
    assert "a" not in nodes
    assert list(nodes) == []


def test_silence_means_nothing_while_own_messages_do_not_come_either() -> None:
    nodes = LivingNodes(3.5, 0.0)
    nodes.listen_anew(1.0)
    nodes.on_beat("a", 1.0)
    nodes.on_echo(4.0)
    assert nodes.silent(None) == []
    nodes.on_echo(4.6)
    assert nodes.silent(None) == ["a"]
    assert not nodes.on_echo(5.0)
    assert nodes.on_echo(9.0)  # nothing came for more than the silence: all are heard anew
    assert nodes.silent(None) == []


def test_a_node_that_went_without_a_word_is_known_when_it_is_back_and_once() -> None:
    nodes = LivingNodes(3.5, 0.0)
    nodes.on_beat("lost", 0.0)
    nodes.on_beat("ended", 0.0)
    nodes.on_end("lost", was_lost=True, now=1.0)
    nodes.on_end("ended", was_lost=False, now=1.0)
    nodes.on_beat("lost", 9.0)
    nodes.on_beat("ended", 9.0)
    assert [nodes.take_back("lost"), nodes.take_back("lost"), nodes.take_back("ended")] == [
        True, False, False,
    ]  # fmt: skip


def test_a_process_that_stood_still_for_longer_than_the_silence_notices_it() -> None:
    nodes = LivingNodes(3.5, 10.0)
    assert [nodes.pause(11.0), nodes.pause(14.5), nodes.pause(18.1), nodes.pause(18.2)] == [
        0.0, 0.0, 18.1 - 14.5, 0.0,
    ]  # fmt: skip


def test_a_node_that_was_lost_is_away_until_it_is_back_has_ended_or_was_away_for_long() -> None:
    nodes = LivingNodes(3.5, 0.0)
    for name in ("back", "ended", "gone"):
        nodes.on_beat(name, 0.0)
        nodes.on_end(name, was_lost=True, now=10.0)
    assert nodes.away(11.0) == ["back", "ended", "gone"]
    nodes.on_beat("back", 12.0)
    assert nodes.take_back("back")
    nodes.give_up("ended")
    assert nodes.away(10.0 + MAX_ABSENCE) == ["gone"]
    assert nodes.away(11.0 + MAX_ABSENCE) == []


def test_nodes_that_are_lost_again_and_again_take_no_more_and_more_memory() -> None:
    nodes = LivingNodes(3.5, 0.0)
    for number in range(REMEMBERED + 5):
        nodes.on_beat(f"{number}", 0.0)
        nodes.on_end(f"{number}", was_lost=True, now=1.0)
    assert len(nodes.away(1.0)) == REMEMBERED
