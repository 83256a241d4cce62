"""The training losses behind one interface: AUNCE, NT-Xent, supervised contrastive per AU, weighted cross-entropy.

A loss is called with what the network gave for V augmented views of N pictures (`Outputs`) and the labels, and returns
one number. Contrastive losses read the embeddings, cross-entropy reads the log-odds. All of them

- take missing labels (-1 or NaN),
- are finite, with a gradient graph, for a batch in which an AU has one class only or no label at all,
- run in log space and in at least float32, so that half-precision training cannot overflow,
- see the batch of all processes (`gather_batch`),
- need memory linear in the number of AUs and quadratic in the batch only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aucli.errors import RecipeError
from aucli.training.distributed import gather_batch, same_everywhere

LossName = Literal["aunce", "ntxent", "supcon", "wbce"]

SHARES: Final = (0.2, 0.6, 0.2)
BETA_PRESENT: Final = 1.2
BETA_ABSENT: Final = 0.8
"""Of AUNCE, as published."""
MASKED: Final = -1e30
"""Stands for log 0: far below any similarity, but finite, so that an empty sum has no NaN gradient."""


@dataclass(frozen=True)
class Outputs:
    """What the network gave for V views of the same N pictures.

    Attributes:
        embeddings: (V, N, A, D) unit vectors.
        logits: (V, N, A) log-odds of presence, where the heads were run.
    """

    embeddings: Tensor
    logits: Tensor | None = None

    def __post_init__(self) -> None:
        if self.embeddings.ndim != 4:
            raise ValueError(f"embeddings have shape {tuple(self.embeddings.shape)}; expected (V, N, A, D)")
        if self.logits is not None and self.logits.shape != self.embeddings.shape[:3]:
            raise ValueError(
                f"logits have shape {tuple(self.logits.shape)}; expected {tuple(self.embeddings.shape[:3])}"
            )


class AULoss(nn.Module, ABC):
    """A loss over views and labels."""

    needs_logits: ClassVar[bool] = False
    num_views: ClassVar[int] = 2

    def forward(self, outputs: Outputs, labels: Tensor) -> Tensor:
        """Compute the loss of the batch of all processes.

        Args:
            outputs: the network's outputs.
            labels: (N, A), 1 present, 0 absent, -1 or NaN missing.

        Returns:
            A scalar in at least float32, the same on every process.

        Raises:
            ValueError: if shapes disagree or the loss misses views or log-odds.
        """
        views, count, num_aus, _ = outputs.embeddings.shape
        if labels.shape != (count, num_aus):
            raise ValueError(f"labels have shape {tuple(labels.shape)}; expected {(count, num_aus)} as embeddings")
        if views < self.num_views:
            raise ValueError(f"{type(self).__name__} compares {self.num_views} views of a picture; got {views}")
        with torch.autocast(outputs.embeddings.device.type, enabled=False):
            return self._of_whole_batch(outputs, gather_batch(labels))

    @abstractmethod
    def _of_whole_batch(self, outputs: Outputs, labels: Tensor) -> Tensor:
        """The loss, given this process's outputs and all processes' labels."""


class ContrastiveLoss(AULoss):
    """What the contrastive losses share: similarities of 2N embeddings per AU.

    Args:
        temperature: tau in exp(z_i . z_j / tau); above 0.

    Raises:
        RecipeError: if the temperature is not above 0.01, where similarities leave the range of float32.
    """

    def __init__(self, temperature: float = 0.5) -> None:
        super().__init__()
        if not temperature > 0.01:
            raise RecipeError(f"temperature is {temperature}; allowed is above 0.01")
        self.temperature = temperature

    def _of_whole_batch(self, outputs: Outputs, labels: Tensor) -> Tensor:
        views = gather_batch(at_least_float32(outputs.embeddings[:2]), dim=1)
        z = views.flatten(0, 1).transpose(0, 1)  # (A, 2N, D): first views, then second views
        log_s = z @ z.transpose(1, 2) / self.temperature  # (A, 2N, 2N)
        both = labels.T.repeat(1, 2)  # (A, 2N)
        return self._of_similarities(log_s, both)

    @abstractmethod
    def _of_similarities(self, log_s: Tensor, labels: Tensor) -> Tensor:
        """From log similarities (A, 2N, 2N) and labels (A, 2N) to the loss."""


class AUNCE(ContrastiveLoss):
    """The AUNCE loss (arXiv 2402.06165).

    For every AU one draw per batch picks the kind of positive: the most similar sample with the anchor's label, the
    mean over all samples with the anchor's label, or the anchor's own other view. Negatives, the samples with the other
    label, enter as s^beta, harder (beta above 1) for anchors where the AU is present. Per anchor
    -log(pos / (pos + neg)), averaged over anchors, then over AUs.

    An anchor without a label takes part when the draw falls on the other view only; all that is known of it is
    that the other pictures are other pictures, so these are its negatives, with beta 1. It is nobody else's negative.

    Args:
        temperature: tau.
        shares: probabilities of the three kinds (most similar, mean, other view); they sum to 1.
        beta_present: exponent of the negatives of anchors where the AU is present.
        beta_absent: the same where it is absent.
        authors_code: do what the authors' code does, to the letter: the anchor counts among its own positives (so the
            most similar one is itself, a constant), and the "mean" divides by 2N. No label may be missing.

    Raises:
        RecipeError: if the temperature, the shares or an exponent make no sense.
    """

    def __init__(
        self,
        temperature: float = 0.5,
        *,
        shares: Sequence[float] = SHARES,
        beta_present: float = BETA_PRESENT,
        beta_absent: float = BETA_ABSENT,
        authors_code: bool = False,
    ) -> None:
        super().__init__(temperature)
        if len(shares) != 3 or min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
            raise RecipeError(f"shares are {tuple(shares)}; allowed are three numbers from 0 that sum to 1")
        if min(beta_present, beta_absent) <= 0:
            raise RecipeError(f"beta_present {beta_present} and beta_absent {beta_absent} must be above 0")
        self.shares = tuple(shares)
        self.beta_present = beta_present
        self.beta_absent = beta_absent
        self.authors_code = authors_code

    def _of_similarities(self, log_s: Tensor, labels: Tensor) -> Tensor:
        draws = same_everywhere(torch.rand(len(log_s), device=log_s.device))
        return self.of_draws(log_s, labels, draws)

    def of_draws(self, log_s: Tensor, labels: Tensor, draws: Tensor) -> Tensor:
        """The loss for given draws.

        Args:
            log_s: (A, 2N, 2N) cosine similarity divided by tau.
            labels: (A, 2N) 1, 0, or -1 / NaN.
            draws: (A,) uniform in 0..1, one per AU.
        """
        known = labels >= 0  # false for -1 and NaN
        if self.authors_code and not bool(known.all()):
            raise ValueError("AUNCE as the authors' code computes it knows no missing labels; use authors_code=False")
        present = labels == 1
        same = (present.unsqueeze(2) == present.unsqueeze(1)) & known.unsqueeze(2) & known.unsqueeze(1)
        other = (present.unsqueeze(2) != present.unsqueeze(1)) & known.unsqueeze(2) & known.unsqueeze(1)

        use_nearest = (draws < self.shares[0]).unsqueeze(1)  # (A, 1)
        use_own_view = (draws >= self.shares[0] + self.shares[1]).unsqueeze(1)
        log_mean, log_nearest = self._labelled_positives(log_s, same)
        log_pos = torch.where(use_nearest, log_nearest, torch.where(use_own_view, own_view(log_s), log_mean))

        beta = torch.full_like(log_s[:, :, 0], self.beta_absent).masked_fill(present, self.beta_present)
        beta = beta.masked_fill(~known, 1.0)
        negatives = other | (~known.unsqueeze(2) & other_pictures(log_s))
        log_neg = masked_logsumexp(beta.unsqueeze(2) * log_s, negatives)

        takes_part = known | use_own_view
        # -log(pos / (pos + neg)) = log(1 + neg / pos)
        return mean_over_aus(F.softplus(log_neg - log_pos), takes_part)

    def _labelled_positives(self, log_s: Tensor, same: Tensor) -> tuple[Tensor, Tensor]:
        """Log of the mean and of the largest similarity to samples with the anchor's label, each (A, 2N)."""
        candidates = same if self.authors_code else same & not_self(log_s)
        if self.authors_code:
            size = torch.full_like(log_s[:, :, 0], log_s.shape[-1])
        else:
            # Its own other view has the same label, so only an anchor without a label has an empty sum here.
            size = candidates.sum(dim=-1).clamp_min(1).to(log_s.dtype)
        log_mean = masked_logsumexp(log_s, candidates) - size.log()
        return log_mean, log_s.masked_fill(~candidates, MASKED).amax(dim=-1)


class NTXent(ContrastiveLoss):
    """The normalised temperature-scaled cross-entropy of SimCLR (Chen et al. 2020), per AU. Labels are not read."""

    def _of_similarities(self, log_s: Tensor, labels: Tensor) -> Tensor:
        log_all = masked_logsumexp(log_s, not_self(log_s).expand_as(log_s))
        return mean_over_aus(log_all - own_view(log_s), torch.ones_like(labels, dtype=torch.bool))


class SupCon(ContrastiveLoss):
    """The supervised contrastive loss per AU (Khosla et al. 2020, L_out). Samples without a label take no part."""

    def _of_similarities(self, log_s: Tensor, labels: Tensor) -> Tensor:
        known = labels >= 0
        others = not_self(log_s) & known.unsqueeze(2) & known.unsqueeze(1)
        positives = others & ((labels == 1).unsqueeze(2) == (labels == 1).unsqueeze(1))
        log_all = masked_logsumexp(log_s, others)
        size = positives.sum(dim=-1).clamp_min(1)
        mean_positive = (log_s * positives).sum(dim=-1) / size
        return mean_over_aus(log_all - mean_positive, known)


class WeightedBCE(AULoss):
    """Weighted cross-entropy: -w [y log p + (1 - y) log(1 - p)], per AU the mean over known labels, then over AUs.

    Args:
        weights: (A,) weight of each AU, see `au_weights`; None for 1 each.
        min_probability: probabilities are clamped below at this value (published: 1e-3), which bounds the loss of a
            wrong label and takes its gradient away; 0 switches it off.

    Raises:
        RecipeError: if a weight is negative or the clamp is not below 0.5.
    """

    needs_logits: ClassVar[bool] = True
    num_views: ClassVar[int] = 1
    weights: Tensor | None

    def __init__(self, weights: Tensor | None = None, *, min_probability: float = 1e-3) -> None:
        super().__init__()
        if weights is not None and bool((weights < 0).any()):
            raise RecipeError(f"weights are {weights.tolist()}; allowed are numbers from 0")
        if not 0 <= min_probability < 0.5:
            raise RecipeError(f"min_probability is {min_probability}; allowed is 0 to below 0.5")
        self.register_buffer("weights", weights)
        self.min_probability = min_probability

    def _of_whole_batch(self, outputs: Outputs, labels: Tensor) -> Tensor:
        if outputs.logits is None:
            raise ValueError("WeightedBCE reads log-odds; the outputs hold none")
        logits = gather_batch(at_least_float32(outputs.logits), dim=1).transpose(1, 2)  # (V, A, N)
        targets = labels.T.unsqueeze(0).expand_as(logits)
        log_likelihood = F.logsigmoid(torch.where(targets == 1, logits, -logits))
        if self.min_probability > 0:
            floor = torch.tensor(self.min_probability, dtype=logits.dtype).log().item()
            log_likelihood = log_likelihood.clamp_min(floor)
        weights = 1.0 if self.weights is None else self.weights.to(logits.dtype).view(1, -1, 1)
        weighted = (-weights * log_likelihood).transpose(0, 1).flatten(1)  # (A, V N)
        return mean_over_aus(weighted, (targets >= 0).transpose(0, 1).flatten(1))


LOSSES: Final[Mapping[LossName, type[AULoss]]] = {
    "aunce": AUNCE,
    "ntxent": NTXent,
    "supcon": SupCon,
    "wbce": WeightedBCE,
}


def make_loss(name: LossName, *, temperature: float = 0.5, weights: Tensor | None = None, **of_aunce: Any) -> AULoss:
    """A loss by its name, its other constants as in the papers.

    Args:
        name: see `LOSSES`.
        temperature: of the contrastive losses.
        weights: (A,) of cross-entropy.
        of_aunce: what `AUNCE` takes besides; the other losses do not read it.

    Raises:
        RecipeError: if there is no loss of that name.
    """
    if name not in LOSSES:
        raise RecipeError(f"loss is {name!r}; allowed are {', '.join(LOSSES)}")
    if name == "wbce":
        return WeightedBCE(weights)
    if name == "aunce":
        return AUNCE(temperature, **of_aunce)
    return NTXent(temperature) if name == "ntxent" else SupCon(temperature)


def au_weights(labels: Tensor) -> Tensor:
    """Weight of each AU: proportional to 1 / its occurrence rate among known labels, summing to the number of AUs.

    Source: arXiv 2402.06165, after Shao et al. 2018 (JAA-Net). An AU that never occurs counts as occurring once.

    Args:
        labels: (N, A), 1, 0 or -1.
    """
    known = (labels >= 0).sum(dim=0).clamp_min(1).float()
    rate = (labels == 1).sum(dim=0).clamp_min(1).float() / known
    return (1 / rate) * labels.shape[1] / (1 / rate).sum()


def at_least_float32(x: Tensor) -> Tensor:
    """Half precision becomes float32; float64 stays."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def masked_logsumexp(x: Tensor, mask: Tensor) -> Tensor:
    """Log of the sum of exp(x) where the mask is true, over the last axis; about -1e30, no gradient, where none is."""
    return x.masked_fill(~mask, MASKED).logsumexp(dim=-1)


def own_view(log_s: Tensor) -> Tensor:
    """Each sample's similarity to its other view: (A, 2N, 2N) -> (A, 2N)."""
    half = log_s.shape[-1] // 2
    first = log_s.diagonal(offset=half, dim1=1, dim2=2)
    second = log_s.diagonal(offset=-half, dim1=1, dim2=2)
    return torch.cat([first, second], dim=1)


def not_self(log_s: Tensor) -> Tensor:
    """(1, 2N, 2N) true off the diagonal."""
    return ~torch.eye(log_s.shape[-1], dtype=torch.bool, device=log_s.device).unsqueeze(0)


def other_pictures(log_s: Tensor) -> Tensor:
    """(1, 2N, 2N) true between samples of different pictures."""
    picture = torch.arange(log_s.shape[-1], device=log_s.device) % max(log_s.shape[-1] // 2, 1)
    return (picture.unsqueeze(1) != picture.unsqueeze(0)).unsqueeze(0)


def mean_over_aus(terms: Tensor, takes_part: Tensor) -> Tensor:
    """Mean over the samples that take part, per AU (0 where none does), then over AUs: (A, M), (A, M) -> scalar."""
    kept = torch.where(takes_part, terms, 0.0)
    per_au = kept.sum(dim=-1) / takes_part.sum(dim=-1).clamp_min(1)
    return per_au.mean()
