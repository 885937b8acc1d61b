"""Which uids other nodes may hold too: what is not known counts as held elsewhere."""

from __future__ import annotations

from lineman.gateway.cluster.uids_elsewhere import UidsElsewhere


def known(*nodes: str) -> UidsElsewhere:
    """What a node knows when all homes have listed nothing."""
    uids = UidsElsewhere()
    uids.begin(nodes)
    for node in nodes:
        uids.on_list(node, uids.round, (), True)
    assert uids.is_known
    return uids


def test_a_node_without_others_holds_everything_alone() -> None:
    uids = UidsElsewhere(is_alone=True)
    assert uids.is_here_only("anna")
    assert uids.tally({"anna": 1, "bert": 1}.keys()) == [2]


def test_nothing_is_known_until_every_home_has_listed_everything_of_this_round() -> None:
    uids = UidsElsewhere()
    uids.begin(("a", "b"))
    held = ["anna", "bert", "cora"]
    uids.on_list("a", uids.round, ["anna"], False)
    uids.on_list("a", uids.round, [], True)
    uids.on_list("b", uids.round - 1, [], True)  # of an earlier round
    uids.on_list("x", uids.round, [], True)  # no home
    assert not uids.is_known
    assert not uids.is_here_only("bert")
    assert uids.tally(held) == [0, "anna", "bert", "cora"]
    uids.on_list("b", uids.round, [], True)
    assert uids.is_known
    assert [uids.is_here_only(uid) for uid in held] == [False, True, True]
    assert uids.tally(held) == [2, "anna"]
    uids.begin(("a",))
    assert not uids.is_here_only("bert")


def test_a_new_uid_is_here_only_when_its_home_says_so_of_this_batch() -> None:
    uids = known("a")
    uids.gain(["anna"], 1)
    assert not uids.is_here_only("anna")
    uids.lose(["anna"])
    uids.gain(["anna"], 2)
    uids.on_alone("anna", 1)  # meanwhile another node may hold it
    assert not uids.is_here_only("anna")
    uids.on_alone("anna", 2)
    assert uids.is_here_only("anna")
    uids.on_shared("anna")
    uids.on_alone("anna", 2)
    assert not uids.is_here_only("anna")
    assert uids.tally(["anna"]) == [0, "anna"]


def test_what_is_said_while_homes_list_is_not_forgotten() -> None:
    uids = UidsElsewhere()
    uids.begin(("a", "b"))
    uids.gain(["new", "confirmed", "gone"], 1)
    uids.on_list("a", uids.round, ["listed", "left"], True)
    uids.on_shared("shared")
    uids.on_alone("confirmed", 1)
    uids.lose(["gone", "left"])
    uids.on_list("b", uids.round, [], True)
    unsure = [uid for uid in ("new", "confirmed", "listed", "shared", "gone", "left")
              if not uids.is_here_only(uid)]  # fmt: skip
    assert unsure == ["new", "listed", "shared"]
    assert sorted(uids.tally({"new", "confirmed", "listed", "other"}), key=str) == [
        2, "listed", "new",
    ]  # fmt: skip
