"""Stretches to draw: the exact ones, and the bins that hold anything."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from aucli.results.report.timeline import binned_stretches, exact_stretches, stretches

NONE = np.zeros(0, np.int64)


def test_nothing_gives_nothing() -> None:
    assert exact_stretches(NONE, NONE).shape == (0, 2)
    assert binned_stretches(NONE, NONE, from_us=0, until_us=100, n_bins=4).shape == (0, 2)


def test_frames_that_touch_are_one_stretch() -> None:
    begin, shown = np.array([0, 40, 80, 200]), np.array([40, 40, 40, 40])
    chosen = np.array([True, True, False, True])
    assert stretches(begin, shown, chosen, from_us=0, until_us=240, n_bins=None).tolist() == [[0, 80], [200, 240]]


def test_a_single_frame_fills_its_bin_and_a_long_one_all_of_its_bins() -> None:
    begin, shown = np.array([10, 500]), np.array([1, 250])
    chosen = np.array([True, True])
    got = stretches(begin, shown, chosen, from_us=0, until_us=1000, n_bins=10)
    assert got.tolist() == [[0, 100], [500, 800]]


spans = st.lists(st.tuples(st.integers(0, 999), st.integers(1, 300)), min_size=1, max_size=30)


@settings(max_examples=60, deadline=None)
@given(spans, st.integers(1, 40))
def test_a_bin_is_drawn_exactly_if_something_in_it_is_present(given_spans: list[tuple[int, int]], n_bins: int) -> None:
    begin = np.array(sorted(b for b, _ in given_spans), np.int64)
    end = np.minimum(begin + np.array([n for _, n in given_spans]), 1000)
    got = binned_stretches(begin, end, from_us=0, until_us=1000, n_bins=n_bins)
    edges = [k * 1000 // n_bins for k in range(n_bins + 1)]
    slow = [
        any(
            b * n_bins < (k + 1) * 1000 and e * n_bins > k * 1000
            for b, e in zip(begin.tolist(), end.tolist(), strict=True)
        )
        for k in range(n_bins)
    ]
    drawn = [any(b <= edges[k] and edges[k + 1] <= e for b, e in got.tolist()) for k in range(n_bins)]
    assert drawn == slow
    assert (got[1:, 0] > got[:-1, 1]).all(), "stretches that touch are joined"


@settings(max_examples=60, deadline=None)
@given(spans)
def test_the_exact_stretches_are_the_union(given_spans: list[tuple[int, int]]) -> None:
    begin = np.array(sorted(b for b, _ in given_spans), np.int64)
    end = begin + np.array([n for _, n in given_spans])
    got = exact_stretches(begin, end)
    covered = {t for b, e in zip(begin.tolist(), end.tolist(), strict=True) for t in range(b, e)}
    assert {t for b, e in got.tolist() for t in range(b, e)} == covered
    assert (got[1:, 0] > got[:-1, 1]).all()
