"""What counts as a failure of Autobahn's suite."""

from __future__ import annotations

from wstest.verdict import CASES, judged

GOOD = {"behavior": "OK", "behaviorClose": "OK"}


def test_a_run_without_a_failure_is_right() -> None:
    cases = {f"1.{number}": GOOD for number in range(CASES)}
    cases["1.0"] = {"behavior": "INFORMATIONAL", "behaviorClose": "NON-STRICT"}
    counts, wrong = judged(cases)
    assert (counts["OK"], counts["INFORMATIONAL"], wrong) == (CASES - 1, 1, [])


def test_another_order_is_wrong_where_the_suite_is_strict() -> None:
    cases = {f"1.{number}": GOOD for number in range(CASES)}
    cases["2.1"] = {"behavior": "NON-STRICT", "behaviorClose": "OK"}
    del cases["1.0"]
    assert judged(cases)[1] == []
    assert judged(cases, is_strict=True)[1] == ["case 2.1: behavior is NON-STRICT"]


def test_each_failure_and_a_run_that_was_cut_are_named() -> None:
    bad = {"behavior": "FAILED", "behaviorClose": "UNCLEAN"}
    assert judged({"9.1.1": bad, "9.1.2": GOOD})[1] == [
        "case 9.1.1: behavior is FAILED",
        "case 9.1.1: behaviorClose is UNCLEAN",
        f"2 of {CASES} cases have run",
    ]
