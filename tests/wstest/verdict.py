"""Reads what Autobahn's test suite has written about a server or a client."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

# The suite's words for what is right. "NON-STRICT" is right in another order than the suite would
# choose, "INFORMATIONAL" no question of right and wrong.
RIGHT = ("OK", "NON-STRICT", "INFORMATIONAL")
CASES = 517


def judged(
    cases: Mapping[str, Mapping[str, Any]], is_strict: bool = False
) -> tuple[Counter[str], list[str]]:
    """How many cases had which result, and what is wrong; a line for each.

    Args:
        cases: by their number, as in the `index.json` of an agent.
        is_strict: what is right only in another order than the suite would choose is wrong.
    """
    right = [word for word in RIGHT if word != "NON-STRICT" or not is_strict]
    counts: Counter[str] = Counter()
    wrong = []
    for name, case in cases.items():
        counts[case["behavior"]] += 1
        wrong += [
            f"case {name}: {question} is {case[question]}"
            for question in ("behavior", "behaviorClose")
            if case[question] not in right
        ]
    if len(cases) != CASES:
        wrong.append(f"{len(cases)} of {CASES} cases have run")
    return counts, wrong
