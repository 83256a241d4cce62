from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from aucli.errors import RecipeError
from aucli.training.losses import (
    AUNCE,
    LossName,
    NTXent,
    Outputs,
    SupCon,
    WeightedBCE,
    au_weights,
    make_loss,
    mean_over_aus,
)

FIXTURE = Path(__file__).parents[1] / "fixtures" / "aunce_loss.npz"


def _fixed_draws(monkeypatch: pytest.MonkeyPatch, draws: Tensor) -> None:
    monkeypatch.setattr("aucli.training.losses.same_everywhere", lambda _: draws)


@pytest.mark.parametrize("case", range(4))
def test_aunce_as_the_authors_code_reproduces_their_values_and_gradients(
    case: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = np.load(FIXTURE)
    views = [torch.tensor(data[f"case{case}_view{v}"], requires_grad=True) for v in (1, 2)]
    _fixed_draws(monkeypatch, torch.tensor(data[f"case{case}_u"]))
    outputs = Outputs(torch.stack(views).transpose(2, 3))  # N x D x A -> N x A x D
    loss = AUNCE(authors_code=True)(outputs, torch.tensor(data[f"case{case}_labels"]))
    loss.backward()
    assert abs(loss.item() - float(data[f"case{case}_loss"])) < 1e-9
    for v, view in enumerate(views, start=1):
        assert view.grad is not None
        np.testing.assert_allclose(view.grad.numpy(), data[f"case{case}_grad_view{v}"], rtol=0, atol=1e-9)


# --- slow versions, written from the papers -------------------------------------------------------------------------


def _slow_aunce(z: Tensor, labels: Tensor, draws: Tensor, tau: float, authors_code: bool) -> Tensor:
    """z (2, N, A, D), labels (N, A), in loops over AUs, anchors and samples."""
    _, count, num_aus, _ = z.shape
    total = z.sum() * 0.0
    for a in range(num_aus):
        samples = [(v, n) for v in range(2) for n in range(count)]
        terms = []
        for v, n in samples:
            y = float(labels[n, a])
            kind = "nearest" if draws[a] < 0.2 else "mean" if draws[a] < 0.8 else "own view"
            known = y in (0.0, 1.0)
            if not known and kind != "own view":
                continue
            s = {(w, m): torch.exp(z[v, n, a] @ z[w, m, a] / tau) for w, m in samples}
            positives = [s[w, m] for w, m in samples if float(labels[m, a]) == y and (authors_code or (w, m) != (v, n))]
            if kind == "own view":
                pos = s[1 - v, n]
            elif kind == "nearest":
                pos = torch.stack(positives).max()
            else:
                pos = torch.stack(positives).sum() / (2 * count if authors_code else len(positives))
            beta = {1.0: 1.2, 0.0: 0.8}.get(y, 1.0)
            if known:
                negatives = [s[w, m] for w, m in samples if float(labels[m, a]) == 1.0 - y]
            else:
                negatives = [s[w, m] for w, m in samples if m != n]
            neg = sum((x**beta for x in negatives), torch.zeros((), dtype=z.dtype))
            terms.append(-torch.log(pos / (pos + neg)))
        if terms:
            total = total + torch.stack(terms).mean() / num_aus
    return total


def _slow_ntxent(z: Tensor, tau: float) -> Tensor:
    _, count, num_aus, _ = z.shape
    terms = []
    for a in range(num_aus):
        for v in range(2):
            for n in range(count):
                s = {(w, m): torch.exp(z[v, n, a] @ z[w, m, a] / tau) for w in range(2) for m in range(count)}
                del s[v, n]
                terms.append(-torch.log(s[1 - v, n] / torch.stack(list(s.values())).sum()))
    mean: Tensor = torch.stack(terms).mean()
    return mean


def _slow_supcon(z: Tensor, labels: Tensor, tau: float) -> Tensor:
    _, count, num_aus, _ = z.shape
    total = z.sum() * 0.0
    for a in range(num_aus):
        samples = [(v, n) for v in range(2) for n in range(count) if float(labels[n, a]) in (0.0, 1.0)]
        terms = []
        for v, n in samples:
            s = {(w, m): torch.exp(z[v, n, a] @ z[w, m, a] / tau) for w, m in samples if (w, m) != (v, n)}
            everything = torch.stack(list(s.values())).sum()
            logs = [torch.log(x / everything) for (w, m), x in s.items() if labels[m, a] == labels[n, a]]
            terms.append(-torch.stack(logs).mean())
        if terms:
            total = total + torch.stack(terms).mean() / num_aus
    return total


def _slow_wbce(logits: Tensor, labels: Tensor, weights: Tensor, floor: float) -> Tensor:
    views, count, num_aus = logits.shape
    total = logits.sum() * 0.0
    for a in range(num_aus):
        terms = []
        for v in range(views):
            for n in range(count):
                y = float(labels[n, a])
                if y in (0.0, 1.0):
                    present = 1 / (1 + torch.exp(-logits[v, n, a]))
                    p = present if y == 1.0 else 1 - present
                    terms.append(-weights[a] * torch.log(p.clamp_min(floor)))
        if terms:
            total = total + torch.stack(terms).mean() / num_aus
    return total


def _unit(generator: torch.Generator, *shape: int) -> Tensor:
    z = torch.randn(*shape, generator=generator, dtype=torch.float64)
    return torch.nn.functional.normalize(z, dim=-1)


def _labels(generator: torch.Generator, count: int, num_aus: int, classes: list[float]) -> Tensor:
    picks = torch.randint(len(classes), (count, num_aus), generator=generator)
    return torch.tensor(classes, dtype=torch.float64)[picks]


def _agree(fast: Tensor, slow: Tensor, z: Tensor) -> None:
    torch.testing.assert_close(fast, slow, rtol=1e-9, atol=1e-9)
    (fast_grad,) = torch.autograd.grad(fast, z, retain_graph=True)
    (slow_grad,) = torch.autograd.grad(slow, z)
    torch.testing.assert_close(fast_grad, slow_grad, rtol=1e-8, atol=1e-9)


class_sets = st.sampled_from(
    [[0.0, 1.0], [0.0, 1.0, -1.0], [1.0, math.nan], [1.0], [0.0], [-1.0], [0.0, 0.0, 1.0, math.nan]]
)


@settings(max_examples=40, deadline=None)
@given(
    count=st.integers(1, 5),
    num_aus=st.integers(1, 4),
    classes=class_sets,
    tau=st.sampled_from([0.1, 0.5, 1.0]),
    seed=st.integers(0, 10_000),
)
def test_contrastive_losses_agree_with_loops(
    count: int, num_aus: int, classes: list[float], tau: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    z = _unit(generator, 2, count, num_aus, 6).requires_grad_()
    labels = _labels(generator, count, num_aus, classes)
    draws = torch.rand(num_aus, generator=generator)
    outputs = Outputs(z)
    log_s = z.flatten(0, 1).transpose(0, 1) @ z.flatten(0, 1).permute(1, 2, 0) / tau
    both = labels.T.repeat(1, 2)
    _agree(AUNCE(tau).of_draws(log_s, both, draws), _slow_aunce(z, labels, draws, tau, authors_code=False), z)
    if set(classes) <= {0.0, 1.0}:
        as_authors = AUNCE(tau, authors_code=True).of_draws(log_s, both, draws)
        _agree(as_authors, _slow_aunce(z, labels, draws, tau, authors_code=True), z)
    _agree(NTXent(tau)(outputs, labels), _slow_ntxent(z, tau), z)
    _agree(SupCon(tau)(outputs, labels), _slow_supcon(z, labels, tau), z)


@settings(max_examples=40, deadline=None)
@given(
    views=st.integers(1, 2),
    count=st.integers(1, 5),
    num_aus=st.integers(1, 4),
    classes=class_sets,
    floor=st.sampled_from([0.0, 1e-3]),
    seed=st.integers(0, 10_000),
)
def test_weighted_bce_agrees_with_loops(
    views: int, count: int, num_aus: int, classes: list[float], floor: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = (torch.randn(views, count, num_aus, generator=generator, dtype=torch.float64) * 5).requires_grad_()
    labels = _labels(generator, count, num_aus, classes)
    weights = torch.rand(num_aus, generator=generator, dtype=torch.float64)
    outputs = Outputs(torch.zeros(views, count, num_aus, 2), logits)
    fast = WeightedBCE(weights, min_probability=floor)(outputs, labels)
    _agree(fast, _slow_wbce(logits, labels, weights, floor), logits)


ALL_LOSSES: list[LossName] = ["aunce", "ntxent", "supcon", "wbce"]


@pytest.mark.parametrize("name", ALL_LOSSES)
@pytest.mark.parametrize("fill", [1.0, 0.0, -1.0, math.nan])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_one_class_batches_are_finite_with_a_graph(name: LossName, fill: float, dtype: torch.dtype) -> None:
    z = torch.nn.functional.normalize(torch.randn(2, 4, 3, 8), dim=-1).to(dtype).requires_grad_()
    logits = torch.randn(2, 4, 3, dtype=dtype, requires_grad=True)
    loss = make_loss(name, temperature=0.05)(Outputs(z, logits), torch.full((4, 3), fill))
    loss.backward()
    assert loss.dtype == torch.float32
    assert math.isfinite(loss.item())
    read = logits if name == "wbce" else z
    assert read.grad is not None
    assert bool(read.grad.isfinite().all())


def test_one_class_gives_zero_aunce(monkeypatch: pytest.MonkeyPatch) -> None:
    z = torch.nn.functional.normalize(torch.randn(2, 4, 3, 8), dim=-1)
    _fixed_draws(monkeypatch, torch.tensor([0.1, 0.5, 0.9]))
    for authors_code in (False, True):
        assert AUNCE(authors_code=authors_code)(Outputs(z), torch.ones(4, 3)).item() == 0.0


@pytest.mark.parametrize(("draw", "moves"), [(0.1, False), (0.5, False), (0.9, True)])
def test_missing_labels_take_part_in_the_self_supervised_kind_only(
    draw: float, moves: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    z = torch.nn.functional.normalize(torch.randn(2, 4, 1, 8), dim=-1).requires_grad_()
    _fixed_draws(monkeypatch, torch.tensor([draw]))
    AUNCE()(Outputs(z), torch.tensor([[1.0], [0.0], [1.0], [-1.0]])).backward()
    assert z.grad is not None
    assert bool((z.grad[:, 3] != 0).any()) is moves
    assert bool((z.grad[:, :3] != 0).any())


def test_labels_as_integers_and_as_floats_mean_the_same() -> None:
    z = torch.nn.functional.normalize(torch.randn(2, 4, 2, 8), dim=-1)
    as_int = torch.tensor([[1, 0], [0, -1], [1, 1], [-1, 0]], dtype=torch.int8)
    as_nan = as_int.float().masked_fill(as_int < 0, math.nan)
    torch.testing.assert_close(SupCon()(Outputs(z), as_int), SupCon()(Outputs(z), as_nan))


def test_autocast_does_not_lower_the_precision() -> None:
    z = torch.nn.functional.normalize(torch.randn(2, 16, 2, 8), dim=-1)
    labels = torch.randint(0, 2, (16, 2))
    plain = SupCon(0.05)(Outputs(z), labels)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(SupCon(0.05)(Outputs(z), labels), plain)


def test_saved_memory_is_linear_in_aus_and_quadratic_in_the_batch() -> None:
    def saved_bytes(count: int, num_aus: int) -> int:
        storages: dict[int, int] = {}

        def pack(tensor: Tensor) -> Tensor:
            storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        z = torch.nn.functional.normalize(torch.randn(2, count, num_aus, 4), dim=-1).requires_grad_()
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            AUNCE()(Outputs(z), torch.randint(0, 2, (count, num_aus)))
        return sum(storages.values())

    base = saved_bytes(32, 4)
    assert saved_bytes(32, 8) < 2.2 * base
    assert saved_bytes(64, 4) < 4.4 * base


# --- bad input ------------------------------------------------------------------------------------------------------


def test_shapes_that_disagree_are_refused() -> None:
    z = torch.zeros(2, 4, 3, 8)
    with pytest.raises(ValueError, match=r"labels have shape \(3, 4\); expected \(4, 3\)"):
        AUNCE()(Outputs(z), torch.zeros(3, 4))
    with pytest.raises(ValueError, match="compares 2 views"):
        AUNCE()(Outputs(z[:1]), torch.zeros(4, 3))
    with pytest.raises(ValueError, match="expected \\(V, N, A, D\\)"):
        Outputs(z[0])
    with pytest.raises(ValueError, match="logits have shape"):
        Outputs(z, torch.zeros(2, 4, 2))
    with pytest.raises(ValueError, match="reads log-odds"):
        WeightedBCE()(Outputs(z), torch.zeros(4, 3))
    with pytest.raises(ValueError, match="no missing labels"):
        AUNCE(authors_code=True)(Outputs(z), torch.full((4, 3), -1))


def test_senseless_constants_are_refused() -> None:
    with pytest.raises(RecipeError, match="temperature is 0"):
        AUNCE(0)
    with pytest.raises(RecipeError, match="sum to 1"):
        AUNCE(shares=(0.5, 0.6, 0.2))
    with pytest.raises(RecipeError, match="above 0"):
        AUNCE(beta_absent=0)
    with pytest.raises(RecipeError, match=r"min_probability is 0\.5"):
        WeightedBCE(min_probability=0.5)
    with pytest.raises(RecipeError, match="numbers from 0"):
        WeightedBCE(torch.tensor([-1.0]))
    with pytest.raises(RecipeError, match="allowed are aunce"):
        make_loss("triplet")  # type: ignore[arg-type]


def test_mean_over_aus_of_nothing_is_zero() -> None:
    assert mean_over_aus(torch.ones(2, 3), torch.zeros(2, 3, dtype=torch.bool)).item() == 0.0


def test_au_weights_are_inverse_to_occurrence() -> None:
    labels = torch.tensor([[1, 1], [0, 1], [0, 0], [0, -1], [-1, -1]])
    torch.testing.assert_close(au_weights(labels), torch.tensor([4.0, 1.5]) * 2 / 5.5)
    torch.testing.assert_close(au_weights(labels[:0]), torch.ones(2))  # nobody knows: no AU counts more
