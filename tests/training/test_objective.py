from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from aucli.training.identity_head import IdentityHead
from aucli.training.losses import AUNCE, Outputs, SupCon, WeightedBCE, au_weights
from aucli.training.objective import LossOptions, Objective

LABELS = torch.tensor([[1, 0], [0, -1], [1, 1], [0, 0]])
SUBJECTS = torch.tensor([0, 1, 2, 0])


def _heads(embeddings: torch.Tensor) -> torch.Tensor:
    return embeddings.sum(dim=-1)


def _embeddings() -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(2, 4, 2, 8, generator=torch.Generator().manual_seed(0)), dim=-1)


def test_the_objective_is_the_sum_of_its_parts() -> None:
    z = _embeddings()
    outputs = Outputs(z, _heads(z))
    identity = IdentityHead(2, 8, 3)
    contrast = SupCon(0.3)(outputs, LABELS)
    for balanced in (True, False):
        options = LossOptions(name="supcon", temperature=0.3, bce_weight=2.0, bce_balanced=balanced)
        cross_entropy = WeightedBCE(au_weights(LABELS) if balanced else None)(outputs, LABELS)
        objective = Objective(options, LABELS, identity=identity, identity_weight=0.5)
        expected = contrast + 2 * cross_entropy + 0.5 * identity(z.flatten(0, 1), SUBJECTS.repeat(2))
        torch.testing.assert_close(objective(z, LABELS, SUBJECTS, heads=_heads), expected)
    alone = Objective(LossOptions(name="supcon", temperature=0.3), LABELS)
    torch.testing.assert_close(alone(z, LABELS, SUBJECTS, heads=_heads), contrast)


def test_cross_entropy_alone_is_not_added_twice() -> None:
    z = _embeddings()
    objective = Objective(LossOptions(name="wbce", bce_weight=1.0), LABELS)
    expected = WeightedBCE(au_weights(LABELS))(Outputs(z, _heads(z)), LABELS)
    torch.testing.assert_close(objective(z, LABELS, SUBJECTS, heads=_heads), expected)


def test_what_a_loss_needs() -> None:
    assert (LossOptions().views, LossOptions().trains_heads) == (2, False)
    assert LossOptions(bce_weight=0.1).trains_heads
    assert (LossOptions(name="wbce").views, LossOptions(name="wbce").trains_heads) == (1, True)
    with pytest.raises(ValidationError, match="authors_code is a variant of aunce; the loss is supcon"):
        LossOptions(name="supcon", authors_code=True)
    loss = Objective(LossOptions(authors_code=True), LABELS).loss
    assert isinstance(loss, AUNCE)
    assert loss.authors_code
