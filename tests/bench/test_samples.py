"""The ratios and medians of the samples."""

from __future__ import annotations

from sidebyside.samples import Sample, Samples


def of(base: str, *rounds: dict[str, float]) -> Samples:
    """Samples of the row `a`, round by round."""
    made = [{("a", server): Sample(cost) for server, cost in one.items()} for one in rounds]
    return Samples(base, made)


def test_the_ratio_is_the_median_of_the_ratios_within_each_round() -> None:
    samples = of(
        "c",
        {"c": 1.0, "ours": 1.5},
        {"c": 10.0, "ours": 12.0},  # another program used the machine
        {"c": 2.0, "ours": 2.2},
    )
    assert samples.ratio("a", "ours") == 1.2
    assert samples.ratio("a", "c") == 1.0
    assert samples.cost("a", "ours") == 2.2


def test_a_round_that_lacks_one_of_the_two_does_not_count() -> None:
    samples = of("c", {"ours": 9.0}, {"c": 2.0}, {"c": 2.0, "ours": 3.0})
    assert samples.ratio("a", "ours") == 1.5


def test_without_a_common_round_there_is_no_ratio() -> None:
    samples = of("c", {"ours": 9.0}, {"c": 2.0})
    assert samples.ratio("a", "ours") is None
    assert samples.ratio("b", "ours") is None
    assert samples.cost("b", "ours") is None
    assert samples.latency("b", "ours") is None


def test_a_base_that_cost_nothing_gives_no_ratio() -> None:
    assert of("c", {"c": 0.0, "ours": 1.0}).ratio("a", "ours") is None


def test_latency_is_the_median_of_the_rounds() -> None:
    rounds = [{("a", "ours"): Sample(1.0, 10.0, p50, p50 * 2)} for p50 in (30.0, 10.0, 20.0)]
    assert Samples("ours", rounds).latency("a", "ours") == (20.0, 40.0)


def test_winners_are_clearly_cheaper_and_the_cheapest_comes_first() -> None:
    samples = of("ours", {"ours": 10.0, "tie": 9.5, "good": 8.0, "best": 5.0, "worse": 20.0})
    others = ["tie", "good", "best", "worse", "absent"]
    assert samples.winners("a", "ours", others) == [("best", 0.5), ("good", 0.8)]


def test_winners_are_found_round_by_round_too() -> None:
    samples = of("c", {"ours": 1.0, "b": 2.0}, {"ours": 100.0, "b": 50.0}, {"ours": 1.0, "b": 2.0})
    assert samples.winners("a", "ours", ["b"]) == []
