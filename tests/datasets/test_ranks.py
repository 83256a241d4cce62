from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aucli.datasets.ranks import area_under_roc, counts_from_above

PAIRS = st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=1, max_size=30)


@pytest.mark.parametrize("present", [[], [True], [False, False]])
def test_without_some_of_each_there_is_no_area(present: list[bool]) -> None:
    assert math.isnan(area_under_roc(np.zeros(len(present)), np.array(present, dtype=np.bool_)))


@settings(max_examples=50, deadline=None)
@given(PAIRS)
def test_area_under_roc_counts_pairs(pairs: list[tuple[int, bool]]) -> None:
    scores, present = np.array([float(s) for s, _ in pairs]), np.array([p for _, p in pairs])
    higher, lower = scores[present][:, None], scores[~present][None]
    if higher.size and lower.size:
        assert area_under_roc(scores, present) == pytest.approx(((higher > lower) + 0.5 * (higher == lower)).mean())


@settings(max_examples=50, deadline=None)
@given(PAIRS)
def test_counts_are_those_of_a_loop_over_thresholds(pairs: list[tuple[int, bool]]) -> None:
    scores, present = np.array([float(s) for s, _ in pairs]), np.array([p for _, p in pairs])
    hits, alarms = counts_from_above(scores, present)
    thresholds = sorted({score for score, _ in pairs}, reverse=True)
    assert hits.tolist() == [sum(p for s, p in pairs if s >= threshold) for threshold in thresholds]
    assert alarms.tolist() == [sum(not p for s, p in pairs if s >= threshold) for threshold in thresholds]
