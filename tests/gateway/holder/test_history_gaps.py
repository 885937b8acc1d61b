"""Who is told that members may have missed messages of a group's history, and how often."""

from __future__ import annotations

from collections.abc import Callable

from lineman.gateway.cluster.presence import homes_of
from lineman.gateway.holder.history_gaps import EPOCHS, HistoryGaps, ToldGaps
from lineman.gateway.wire.node_messages import GapKind, GapSeen

ME, OTHER = "00000001", "00000002"
NODES = [ME, OTHER]
MINE = next(f"g{n}" for n in range(99) if homes_of(f"g{n}", NODES)[0] == ME)
THEIRS = next(f"g{n}" for n in range(99) if homes_of(f"g{n}", NODES)[0] == OTHER)


class Watched:
    """The gaps of one node, and what comes of them."""

    def __init__(self, *, has_callback: bool = True) -> None:
        self.told: list[tuple[str, str, str]] = []
        self.seen: list[GapSeen] = []
        self.sent: list[tuple[str, GapSeen]] = []
        self.gaps = HistoryGaps(
            ME,
            lambda group: homes_of(group, NODES)[0],
            lambda node, seen: self.sent.append((node, seen)),
            self.seen.append,
            (lambda *gap: self.told.append(gap)) if has_callback else None,
        )


def test_a_gap_goes_to_the_home_of_its_group() -> None:
    watched = Watched()
    for group in (MINE, THEIRS):
        assert watched.gaps.accept(group, "old", 1)
        assert watched.gaps.accept(group, "new", 1)
        assert watched.gaps.accept(group, "new", 3)
    kinds = [GapKind.MOVED, GapKind.MISSED]
    assert [(seen.group, seen.epoch, seen.kind) for seen in watched.seen] == [
        (MINE, epoch, kind) for epoch, kind in zip(("old", "new"), kinds, strict=True)
    ]
    assert [(node, seen.group, seen.kind) for node, seen in watched.sent] == [
        (OTHER, THEIRS, kind) for kind in kinds
    ]


def test_a_late_message_of_an_epoch_that_is_over_is_told_as_two_histories() -> None:
    watched = Watched(has_callback=False)
    for place in (("old", 1), ("new", 1)):
        assert watched.gaps.accept(MINE, *place)
    assert not watched.gaps.accept(MINE, "old", 2)
    assert not watched.gaps.accept(MINE, "new", 1), "twice: no reason to begin anew"
    assert [seen.kind for seen in watched.seen] == [GapKind.REPLACED]


def test_where_a_home_moves_its_members_are_reported() -> None:
    watched = Watched()
    for group in (MINE, THEIRS):
        watched.gaps.accept(group, "e", 1)
    watched.gaps.on_nodes(NODES)
    assert not watched.seen, "these are the first nodes that it knows"
    watched.gaps.on_nodes([ME])
    assert [(node, seen.group, seen.epoch) for node, seen in watched.sent] == [
        (OTHER, THEIRS, "e")
    ], "to the home by the nodes of this test, which stay the same"
    watched.gaps.on_missed()
    assert [seen.kind for seen in watched.seen] == [GapKind.MISSED]


def test_the_program_is_told_once_of_each_new_epoch_however_many_nodes_report_it() -> None:
    watched = Watched()
    for node in ("00000003", "00000004"):
        watched.gaps.tell(GapSeen(node, MINE, "old", GapKind.MOVED), "new")
    assert watched.told == [(MINE, "old", "new")]
    watched.gaps.tell(GapSeen(OTHER, MINE, "old", GapKind.MISSED), "new")
    assert len(watched.told) == 2, "these members were cut off when the others were told"
    for _ in range(2):
        watched.gaps.tell(GapSeen(OTHER, MINE, "new", GapKind.MOVED), "new")
    assert watched.told[2:] == [(MINE, "new", "new")] * 2
    assert watched.gaps.count == len(watched.told)


def test_a_program_without_the_callback_causes_no_reports() -> None:
    watched = Watched(has_callback=False)
    watched.gaps.accept(MINE, "e", 1)
    watched.gaps.accept(MINE, "e", 5)
    watched.gaps.on_missed()
    watched.gaps.on_nodes(NODES)
    watched.gaps.on_nodes([ME])
    watched.gaps.tell_all([(MINE, "e", "f")])
    assert (watched.seen, watched.sent, watched.told) == ([], [], [])
    assert watched.gaps.count == 1  # the metrics show it all the same


def test_a_report_for_another_home_is_not_answered_here() -> None:
    watched = Watched()
    for group in (MINE, THEIRS):
        watched.gaps.on_report(GapSeen(OTHER, group, "e", GapKind.MOVED))
    assert [seen.group for seen in watched.seen] == [MINE]


def test_what_was_told_takes_bounded_memory() -> None:
    told = ToldGaps(limit=2)
    assert [told.is_new("a", "e") for _ in range(2)] == [True, False]
    for number in range(2 * EPOCHS):
        told.is_new("b", f"e{number}")
    assert len(told._told["b"]) == EPOCHS
    told.is_new("c", "e")
    assert list(told._told) == ["b", "c"]


def test_what_several_nodes_report_of_one_fault_is_told_once() -> None:
    told: list[tuple[str, str, str]] = []
    later: list[Callable[[], None]] = []
    gaps = HistoryGaps(
        ME,
        lambda group: ME,
        lambda node, seen: None,
        lambda seen: gaps.tell(seen, "third"),
        lambda *gap: told.append(gap),
        lambda seconds, function: later.append(function),
    )
    gaps.tell_all([("a", "first", "second"), ("b", "first", "second"), ("a", "second", "third")])
    for origin in ("00000003", "00000004"):
        gaps.on_report(GapSeen(origin, "a", "first", GapKind.MISSED))
    assert told == []
    (tell,) = later
    tell()
    assert told == [("a", "first", "third"), ("b", "first", "second")]
    gaps.tell_lost([("a", "third")])
    later[1]()
    assert told[2:] == [("a", "third", "third")]
