"""Counting durations without keeping them."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineman.cli.load.histogram import Histogram

DURATIONS = st.lists(st.integers(0, 1 << 45), min_size=1, max_size=200)


def filled(*values: int) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    return histogram


def test_an_empty_one_answers_with_zero() -> None:
    histogram = Histogram()
    assert (histogram.count, histogram.min, histogram.max, histogram.mean) == (0, 0, 0, 0.0)
    assert histogram.percentile(50) == 0
    assert histogram.spans(5) == []


def test_small_values_are_exact() -> None:
    histogram = filled(*range(1, 101))
    assert histogram.percentile(1) == 1
    assert histogram.percentile(50) == 50
    assert histogram.percentile(99) == 99
    assert histogram.percentile(100) == 100
    assert histogram.mean == 50.5


def test_a_clock_that_steps_back_counts_as_zero() -> None:
    assert filled(-5).max == 0


def test_one_value_is_every_percentile() -> None:
    histogram = filled(123_456_789)
    assert [histogram.percentile(percent) for percent in (0, 50, 99.9, 100)] == [123_456_789] * 4


def test_the_slow_ones_are_where_they_belong() -> None:
    histogram = filled(*[1_000_000] * 989, *[50_000_000] * 11)
    assert histogram.percentile(98) == pytest.approx(1_000_000, rel=1 / 64)
    assert histogram.percentile(99) == pytest.approx(50_000_000, rel=1 / 64)


@given(DURATIONS, st.floats(0, 100))
def test_a_percentile_is_off_by_less_than_a_64th(values: list[int], percent: float) -> None:
    exact = sorted(values)[max(1, math.ceil(len(values) * percent / 100)) - 1]
    found = filled(*values).percentile(percent)
    assert exact <= found <= exact + exact / 64


@given(DURATIONS)
def test_percentiles_rise_from_the_least_to_the_greatest(values: list[int]) -> None:
    histogram = filled(*values)
    found = [histogram.percentile(percent) for percent in (0, 10, 50, 90, 99, 100)]
    assert found == sorted(found)
    assert found[0] >= histogram.min == min(values)
    assert found[-1] == histogram.max == max(values)


@given(DURATIONS, st.integers(1, 20))
def test_the_spans_hold_every_value_once_and_have_no_gaps(values: list[int], number: int) -> None:
    spans = filled(*values).spans(number)
    assert sum(count for _, _, count in spans) == len(values)
    assert spans[0][0] == min(values)
    assert spans[-1][1] == max(values) + 1
    assert all(before[1] == after[0] for before, after in itertools.pairwise(spans))
    assert len(spans) <= number


def test_spans_grow_by_the_same_ratio() -> None:
    edges = [start for start, _, _ in filled(1_000, 1_000_000).spans(3)]
    assert edges == [1_000, 10_000, 100_000]
