from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from aucli.faces.alignment import CropSpec
from aucli.training.halves import BLEND, SPANNING_AUS, UPPER_AUS, mix_halves

AUS = (1, 4, 6, 9, 12, 25, 43)
CROP = CropSpec(size_px=48)


def _batch(count: int, n_views: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    """Faces of one even grey level each, so that every pixel tells whose it is."""
    levels = torch.arange(count, dtype=torch.float32) * 4 + 100
    views = levels.view(1, count, 1, 1, 1).expand(n_views, count, 3, 48, 48).clone()
    labels = torch.from_numpy(np.random.default_rng(3).integers(-1, 2, (count, len(AUS))).astype(np.int8))
    return views, labels


def _rng(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_no_face_and_nobody_chosen() -> None:
    for count, share in ((0, 1.0), (1, 1.0), (5, 0.0)):
        views, labels = _batch(count)
        mixed, theirs = mix_halves(views, labels, AUS, CROP, share, _rng())
        assert torch.equal(mixed, views)
        assert torch.equal(theirs, labels)


@given(seed=st.integers(0, 10_000), count=st.integers(2, 12))
def test_labels_go_with_the_pixels(seed: int, count: int) -> None:
    """The slow way: draw as the function draws, and go through faces and action units one by one."""
    views, labels = _batch(count)
    before = labels.clone()
    # What is drawn: whose lower half, and who is chosen.
    rng = _rng(seed)
    other = torch.randperm(count, generator=rng).tolist()
    chosen = (torch.rand(count, generator=rng) < 0.5).tolist()
    mixed, new = mix_halves(views, labels, AUS, CROP, 0.5, _rng(seed))
    assert torch.equal(labels, before)
    seam = int(CROP.template_xy()[2, 1])
    edge = int(np.ceil(BLEND * CROP.size_px)) + 1
    for face in range(count):
        is_mixed = chosen[face] and other[face] != face
        for column, au in enumerate(AUS):
            mine, theirs = int(labels[face, column]), int(labels[other[face], column])
            expected = mine
            if is_mixed and au in SPANNING_AUS:
                expected = mine if mine == theirs else -1
            elif is_mixed and au not in UPPER_AUS:
                expected = theirs
            assert int(new[face, column]) == expected
        # Above the seam nothing changes; even faces meet at the seam's level, so the lower half takes it.
        assert torch.equal(mixed[:, face, :, : seam - edge], views[:, face, :, : seam - edge])
        if not is_mixed:
            assert torch.equal(mixed[:, face], views[:, face])


def test_the_mouth_is_the_other_faces() -> None:
    views, labels = _batch(6, n_views=1)
    # A dot for a mouth, of another height in each face.
    for face in range(6):
        views[0, face, :, 44, 4 * face : 4 * face + 4] = 250
    mixed, _ = mix_halves(views, labels, AUS, CROP, 1.0, _rng(2))
    other = torch.randperm(6, generator=_rng(2)).tolist()
    for face in range(6):
        assert int(mixed[0, face, 0, 44].argmax()) == 4 * other[face]
