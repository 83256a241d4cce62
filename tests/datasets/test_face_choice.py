"""Which of the faces found is the coded person's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from aucli.datasets.face_choice import FaceChoice
from aucli.datasets.report import Findings
from aucli.faces.values import Faces


def boxes(*faces: tuple[float, float, float], scores: Sequence[float] | None = None) -> Faces:
    """Square faces by centre and side."""
    found = np.array([[x - s / 2, y - s / 2, x + s / 2, y + s / 2] for x, y, s in faces], np.float32).reshape(-1, 4)
    n = len(faces)
    return Faces(found, np.zeros((n, 5, 2), np.float32), np.array(scores or [0.9] * n, np.float32))


def test_the_largest_face_unless_another_of_like_size_was_followed() -> None:
    choice = FaceChoice()
    assert choice.choose(1, Faces.empty()) is None
    assert choice.choose(2, boxes((50, 50, 40), (200, 50, 60))) == 1
    assert choice.choose(3, boxes((50, 50, 62), (202, 50, 60))) == 1
    assert choice.choose(4, boxes((50, 50, 200), (202, 50, 60))) == 0
    assert choice.counts() == {"without_face": 1, "several_faces": 1, "low_score": 0}


def test_a_doubtful_face_must_continue_one() -> None:
    choice = FaceChoice()
    assert choice.choose(1, boxes((50, 50, 40), scores=[0.4])) is None
    assert choice.choose(2, boxes((50, 50, 40))) == 0
    assert choice.choose(3, boxes((51, 50, 40), scores=[0.4])) == 0
    assert choice.choose(4, boxes((150, 50, 40), scores=[0.4])) is None
    findings = Findings()
    choice.report(findings, "x", 4)
    assert [(f.level, f.kind, f.count, f.detail) for f in findings.items] == [
        ("warning", "no face found", 2, "frames 1, 4"),
        ("note", "face that the detector doubts", 1, "frames 3"),
    ]


@pytest.mark.parametrize(("side", "first", "then"), [("left", 1, 0), ("right", 0, None)])
def test_one_of_two_people(side: Any, first: int, then: int | None) -> None:
    choice = FaceChoice(side)
    assert choice.choose(1, boxes((50, 50, 40))) is None, "nobody knows who is seen alone"
    assert choice.choose(2, boxes((200, 50, 60), (50, 50, 40), (120, 90, 10))) == first
    assert choice.choose(3, boxes((52, 50, 40))) == then
    assert choice.counts()["without_face"] == (1 if side == "left" else 2)
