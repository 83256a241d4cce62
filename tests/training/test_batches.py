from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from aucli.errors import RecipeError
from aucli.training.batches import BatchOptions, Prefetcher
from tests.builders.tiny_training import tiny_batches, tiny_faces


def test_every_picture_once_a_pass_and_the_same_whatever_the_threads() -> None:
    maker = tiny_batches(tiny_faces(60), batch_size=12)
    first, second = (np.concatenate([maker.rows(5 * k + step) for step in range(5)]) for k in (0, 1))
    assert sorted(first) == sorted(second) == list(range(60))
    assert first.tolist() != second.tolist()
    batches = []
    for workers in (1, 3):
        with Prefetcher(maker, 2, 8, workers=workers) as prefetcher:
            batches.append(list(prefetcher))
    assert [len(found) for found in batches] == [6, 6]
    assert all(torch.equal(a.views, b.views) for a, b in zip(*batches, strict=True))
    with Prefetcher(maker, 3, 3) as nothing:
        assert list(nothing) == []


def test_stages_follow_one_another() -> None:
    maker = tiny_batches(tiny_faces(60), batch_size=12)
    assert (maker.steps_per_epoch, maker.total_steps) == (5, 10)
    assert [maker.size_px(step) for step in range(12)] == [32] * 5 + [48] * 7
    assert maker.batch(4).views.shape == (2, 12, 3, 32, 32)
    assert maker.batch(5).views.shape == (2, 12, 3, 48, 48)
    assert tiny_batches(tiny_faces(60), batch_size=12, steps_per_epoch=3).total_steps == 6


def test_processes_share_a_batch_without_overlap() -> None:
    faces = tiny_faces(60)
    parts = [tiny_batches(faces, rank=rank, world_size=3, batch_size=12).batch(4) for rank in range(3)]
    whole = tiny_batches(faces, batch_size=12).batch(4)
    assert torch.equal(torch.cat([part.labels for part in parts]), whole.labels)
    assert torch.equal(torch.cat([part.subjects for part in parts]), whole.subjects)
    with pytest.raises(RecipeError, match=r"shared by 5 processes in optim\.accumulate = 1 parts each; allowed are"):
        tiny_batches(faces, world_size=5, batch_size=12)


def test_identity_balanced_batches() -> None:
    faces = tiny_faces(50, subjects=20)  # ten subjects with three pictures, ten with two
    maker = tiny_batches(faces, batch_size=12, pictures_per_subject=3)
    for step in range(20):
        _, counts = np.unique(maker.subjects[maker.rows(step)], return_counts=True)
        assert counts.tolist() == [3, 3, 3, 3]


def test_too_few_faces_or_subjects_are_refused() -> None:
    with pytest.raises(RecipeError, match=r"optim\.batch_size is 8, but there are 0 faces to train on"):
        tiny_batches(tiny_faces(0))
    with pytest.raises(RecipeError, match=r"optim\.batch_size is 500, but there are 60 faces"):
        tiny_batches(tiny_faces(60), batch_size=500)
    with pytest.raises(RecipeError, match="needs 8 subjects, and there are 7 to train on; allowed is 2 or more"):
        tiny_batches(tiny_faces(60, subjects=7), batch_size=8, pictures_per_subject=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 1}, "greater than or equal to 2"),
        ({"batch_size": 8, "pictures_per_subject": 8}, "pictures_per_subject is 8, the whole batch"),
        ({"batch_size": 8, "accumulate": 3}, "batch_size 8 cannot be shared by accumulate = 3 parts"),
        ({"batch_size": 8, "accumulate": 8}, "batch_size 8 cannot be shared by accumulate = 8 parts"),
        ({"batch_size": 8, "pictures_per_subject": 3}, "batch_size 8 is no multiple of pictures_per_subject = 3"),
    ],
)
def test_batches_that_make_no_sense(options: dict[str, int], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        BatchOptions(**options)
