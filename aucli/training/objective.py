"""What the encoder's training minimises: the loss, cross-entropy beside it, and an adversary that names subjects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import Field, model_validator
from torch import Tensor, nn

from aucli.training.identity_head import IdentityHead
from aucli.training.losses import (
    BETA_ABSENT,
    BETA_PRESENT,
    LOSSES,
    SHARES,
    LossName,
    Outputs,
    WeightedBCE,
    au_weights,
    make_loss,
)
from aucli.training.settings import Settings

Share = Annotated[float, Field(ge=0, le=1)]


class LossOptions(Settings):
    """Which loss.

    Attributes:
        name: aunce, ntxent, supcon, or wbce: weighted cross-entropy alone, end to end.
        temperature: of the contrastive losses.
        authors_code: AUNCE as the authors' code computes it, to the letter; see `aucli.training.losses.AUNCE`.
        shares: of AUNCE's kinds of positives: the most similar, the mean, the own other view; they sum to 1.
        beta_present, beta_absent: exponents of AUNCE's negatives, by the anchor's label.
        bce_weight: above 0 adds so much cross-entropy through the heads to a contrastive loss.
        bce_balanced: whether cross-entropy, alone or beside another loss, weighs AUs by 1 / occurrence rate.
    """

    name: LossName = "aunce"
    temperature: float = Field(default=0.5, gt=0.01)
    authors_code: bool = False
    shares: tuple[Share, Share, Share] = SHARES
    beta_present: float = Field(default=BETA_PRESENT, gt=0)
    beta_absent: float = Field(default=BETA_ABSENT, gt=0)
    bce_weight: float = Field(default=0.0, ge=0)
    bce_balanced: bool = True

    @model_validator(mode="after")
    def _makes_sense(self) -> LossOptions:
        if self.authors_code and self.name != "aunce":
            raise ValueError(f"authors_code is a variant of aunce; the loss is {self.name}")
        if abs(sum(self.shares) - 1) > 1e-6:
            raise ValueError(f"shares are {self.shares}; allowed are three numbers from 0 that sum to 1")
        return self

    @property
    def trains_heads(self) -> bool:
        """Whether the heads learn together with the encoder."""
        return self.name == "wbce" or self.bce_weight > 0

    @property
    def views(self) -> int:
        """How many random views of each picture the loss compares."""
        return LOSSES[self.name].num_views


class Objective(nn.Module):
    """The whole of what is minimised.

    Args:
        options: which loss.
        labels: (N, A) of all training faces, for the weights of rare AUs: 1, 0, or -1 not known.
        identity: the adversary, see `aucli.training.identity_head`; None for none.
        identity_weight: of its cross-entropy.
    """

    def __init__(
        self,
        options: LossOptions,
        labels: Tensor,
        *,
        identity: IdentityHead | None = None,
        identity_weight: float = 0.0,
    ) -> None:
        super().__init__()
        weights = au_weights(labels)
        self.options = options
        plain = options.name == "wbce" and not options.bce_balanced
        self.loss = make_loss(
            options.name,
            temperature=options.temperature,
            weights=None if plain else weights,
            authors_code=options.authors_code,
            shares=options.shares,
            beta_present=options.beta_present,
            beta_absent=options.beta_absent,
        )
        beside = options.bce_weight > 0 and not self.loss.needs_logits
        self.cross_entropy = WeightedBCE(weights if options.bce_balanced else None) if beside else None
        self.identity, self.identity_weight = identity, identity_weight

    def forward(self, z: Tensor, labels: Tensor, subjects: Tensor, *, heads: Callable[[Tensor], Tensor]) -> Tensor:
        """The loss of a batch.

        Args:
            z: (V, N, A, D) unit vectors of V views of N pictures.
            labels: (N, A).
            subjects: (N,) number of each picture's subject, from 0.
            heads: (M, A, D) embeddings -> (M, A) log-odds of presence.

        Returns:
            A scalar with a graph.
        """
        logits = heads(z.flatten(0, 1)).view(z.shape[:3]) if self.options.trains_heads else None
        outputs = Outputs(z, logits)
        total: Tensor = self.loss(outputs, labels)
        if self.cross_entropy is not None:
            total = total + self.options.bce_weight * self.cross_entropy(outputs, labels)
        if self.identity is not None:
            total = total + self.identity_weight * self.identity(z.flatten(0, 1), subjects.repeat(len(z)))
        return total
