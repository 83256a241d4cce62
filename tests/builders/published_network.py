"""The published AUNCE network, slowly and plainly, under the published names of its tensors.

Written from its description (Swin: Liu et al. 2021, arXiv 2103.14030; head: Luo et al. 2022; arXiv 2402.06165) as plain
functions of a ``state_dict``: windows are cut out one by one, masks follow from which region a token came from, AUs and
nodes are loops. Shares nothing with `aucli.models.network` or timm.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

State = dict[str, Tensor]
WINDOW = 7
NEIGHBOURS = 4


@dataclass(frozen=True)
class Shape:
    """Swin-Base with 12 AUs, unless said otherwise."""

    width: int = 128
    depths: tuple[int, ...] = (2, 2, 18, 2)
    heads: tuple[int, ...] = (4, 8, 16, 32)
    n_aus: int = 12
    features: int = 1024
    linear: bool = True


def published_state(shape: Shape, *, seed: int) -> State:
    """Random weights under the published names, in the published order."""
    rng = torch.Generator().manual_seed(seed)
    state: State = {}

    def linear(name: str, out: int, inside: int, *, bias: bool = True) -> None:
        state[f"{name}.weight"] = torch.randn(out, inside, generator=rng) / inside**0.5
        if bias:
            state[f"{name}.bias"] = torch.randn(out, generator=rng) * 0.1

    def norm(name: str, size: int, *, batch: bool = False) -> None:
        state[f"{name}.weight"] = 0.7 + 0.6 * torch.rand(size, generator=rng)
        state[f"{name}.bias"] = torch.randn(size, generator=rng) * 0.2
        if batch:
            state[f"{name}.running_mean"] = torch.randn(size, generator=rng) * 0.2
            state[f"{name}.running_var"] = 0.5 + torch.rand(size, generator=rng)
            state[f"{name}.num_batches_tracked"] = torch.tensor(1000)

    state["backbone.patch_embed.proj.weight"] = torch.randn(shape.width, 3, 4, 4, generator=rng) / 48**0.5
    state["backbone.patch_embed.proj.bias"] = torch.randn(shape.width, generator=rng) * 0.1
    norm("backbone.patch_embed.norm", shape.width)
    width, side = shape.width, 56
    for i, (depth, heads) in enumerate(zip(shape.depths, shape.heads, strict=True)):
        for j in range(depth):
            block = f"backbone.layers.{i}.blocks.{j}"
            if j % 2 and side > WINDOW:
                state[f"{block}.attn_mask"] = shifted_masks(side).clone()
            norm(f"{block}.norm1", width)
            state[f"{block}.attn.relative_position_bias_table"] = torch.randn(169, heads, generator=rng) * 0.5
            state[f"{block}.attn.relative_position_index"] = position_index().clone()
            linear(f"{block}.attn.qkv", 3 * width, width)
            linear(f"{block}.attn.proj", width, width)
            norm(f"{block}.norm2", width)
            linear(f"{block}.mlp.fc1", 4 * width, width)
            linear(f"{block}.mlp.fc2", width, 4 * width)
        if i < len(shape.depths) - 1:
            linear(f"backbone.layers.{i}.downsample.reduction", 2 * width, 4 * width, bias=False)
            norm(f"backbone.layers.{i}.downsample.norm", 4 * width)
            width, side = 2 * width, side // 2
    norm("backbone.norm", width)
    d = shape.features
    linear("global_linear.fc", d, width)
    norm("global_linear.bn", d, batch=True)
    state["head.sc"] = torch.randn(shape.n_aus, d, generator=rng)
    for a in range(shape.n_aus):
        linear(f"head.class_linears.{a}.fc", d, d)
        norm(f"head.class_linears.{a}.bn", d, batch=True)
    linear("head.gnn.U", d, d)
    linear("head.gnn.V", d, d)
    norm("head.gnn.bnv", shape.n_aus, batch=True)
    if shape.linear:
        for a in range(shape.n_aus):
            linear(f"full_connect.fc.{a}.0", 32, d)
            linear(f"full_connect.fc.{a}.1", 2, 32)
            state[f"full_connect.fc.{a}.0.weight"] *= 8  # the embeddings are unit vectors; let probabilities spread
    return state


@cache
def position_index() -> Tensor:
    """(49, 49) row of the bias table for each pair of tokens of a window."""
    index = torch.empty(WINDOW**2, WINDOW**2, dtype=torch.int64)
    for p in range(WINDOW**2):
        for q in range(WINDOW**2):
            dy, dx = p // WINDOW - q // WINDOW, p % WINDOW - q % WINDOW
            index[p, q] = (dy + WINDOW - 1) * (2 * WINDOW - 1) + dx + WINDOW - 1
    return index


@cache
def shifted_masks(side: int) -> Tensor:
    """(windows, 49, 49): -100 between tokens that only the cyclic shift brought into one window, else 0."""
    shift = WINDOW // 2

    def region(k: int) -> int:
        return 0 if k < side - WINDOW else (1 if k < side - shift else 2)

    masks = []
    for top in range(0, side, WINDOW):
        for left in range(0, side, WINDOW):
            came = torch.tensor(
                [[region(top + y) * 3 + region(left + x) for x in range(WINDOW)] for y in range(WINDOW)]
            )
            came = came.flatten()
            masks.append((came[:, None] != came[None, :]).float() * -100)
    return torch.stack(masks)


def published_probabilities(state: State, crops: Tensor, shape: Shape) -> Tensor:
    """(B, 3, 224, 224) RGB 0..255 -> (B, A), one picture and one AU at a time."""
    mean = torch.tensor([0.4914, 0.4822, 0.4465], dtype=crops.dtype).view(3, 1, 1)
    std = torch.tensor([0.2023, 0.1994, 0.2010], dtype=crops.dtype).view(3, 1, 1)
    return torch.stack([_one_picture(state, (crop / 255 - mean) / std, shape) for crop in crops])


def _one_picture(state: State, picture: Tensor, shape: Shape) -> Tensor:
    tokens = _swin(state, picture, shape)
    tokens = _batch_norm(state, "global_linear.bn", _linear(state, "global_linear.fc", tokens)).relu()
    nodes = []
    for a in range(shape.n_aus):
        name = f"head.class_linears.{a}"
        nodes.append(_batch_norm(state, f"{name}.bn", _linear(state, f"{name}.fc", tokens)).relu().mean(dim=0))
    u = torch.stack(nodes)
    adjacency = torch.zeros(shape.n_aus, shape.n_aus, dtype=u.dtype)
    for a in range(shape.n_aus):
        similar = torch.stack([u[a] @ u[b] for b in range(shape.n_aus)])
        adjacency[a] = (similar >= similar.sort(descending=True).values[NEIGHBOURS - 1]).to(u.dtype)
    degree = torch.diag(adjacency.sum(dim=1) ** -0.5)
    heard = degree @ adjacency @ degree @ _linear(state, "head.gnn.V", u) + _linear(state, "head.gnn.U", u)
    normed = _batch_norm(state, "head.gnn.bnv", heard.T).T
    z = (u + normed).relu()
    probabilities = []
    for a in range(shape.n_aus):
        unit = z[a] / z[a].norm()
        logits = _linear(state, f"full_connect.fc.{a}.1", _linear(state, f"full_connect.fc.{a}.0", unit))
        probabilities.append(logits.softmax(dim=0)[0])
    return torch.stack(probabilities)


def _swin(state: State, picture: Tensor, shape: Shape) -> Tensor:
    """(3, 224, 224) -> (49, C)."""
    name = "backbone.patch_embed"
    weight = state[f"{name}.proj.weight"]
    side, width = picture.shape[1] // 4, len(weight)
    patches = picture.reshape(3, side, 4, side, 4).permute(1, 3, 0, 2, 4).reshape(side, side, 48)
    x = _layer_norm(state, f"{name}.norm", patches @ weight.reshape(width, 48).T + state[f"{name}.proj.bias"])
    for i, (depth, heads) in enumerate(zip(shape.depths, shape.heads, strict=True)):
        for j in range(depth):
            x = _block(state, f"backbone.layers.{i}.blocks.{j}", x, heads, shifted=j % 2 == 1)
        if i < len(shape.depths) - 1:
            name = f"backbone.layers.{i}.downsample"
            corners = [x[0::2, 0::2], x[1::2, 0::2], x[0::2, 1::2], x[1::2, 1::2]]
            merged = _layer_norm(state, f"{name}.norm", torch.cat(corners, dim=-1))
            x = merged @ state[f"{name}.reduction.weight"].T
    return _layer_norm(state, "backbone.norm", x).reshape(-1, x.shape[-1])


def _block(state: State, name: str, x: Tensor, heads: int, *, shifted: bool) -> Tensor:
    side = x.shape[0]
    shift = WINDOW // 2 if shifted and side > WINDOW else 0
    moved = torch.roll(_layer_norm(state, f"{name}.norm1", x), (-shift, -shift), dims=(0, 1))
    masks = shifted_masks(side).to(x.dtype) if shift else None
    attended = torch.empty_like(moved)
    number = 0
    for top in range(0, side, WINDOW):
        for left in range(0, side, WINDOW):
            here = slice(top, top + WINDOW), slice(left, left + WINDOW)
            window = moved[here].reshape(WINDOW**2, -1)
            mask = masks[number] if masks is not None else None
            attended[here] = _attention(state, f"{name}.attn", window, heads, mask).reshape(WINDOW, WINDOW, -1)
            number += 1
    x = x + torch.roll(attended, (shift, shift), dims=(0, 1))
    hidden = torch.nn.functional.gelu(_linear(state, f"{name}.mlp.fc1", _layer_norm(state, f"{name}.norm2", x)))
    return x + _linear(state, f"{name}.mlp.fc2", hidden)


def _attention(state: State, name: str, window: Tensor, heads: int, mask: Tensor | None) -> Tensor:
    width = window.shape[1]
    size = width // heads
    q, k, v = _linear(state, f"{name}.qkv", window).chunk(3, dim=1)
    bias = state[f"{name}.relative_position_bias_table"][state[f"{name}.relative_position_index"]]
    heard = []
    for h in range(heads):
        part = slice(h * size, (h + 1) * size)
        scores = q[:, part] @ k[:, part].T / size**0.5 + bias[:, :, h]
        if mask is not None:
            scores = scores + mask
        heard.append(scores.softmax(dim=1) @ v[:, part])
    return _linear(state, f"{name}.proj", torch.cat(heard, dim=1))


def _linear(state: State, name: str, x: Tensor) -> Tensor:
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def _layer_norm(state: State, name: str, x: Tensor) -> Tensor:
    centred = x - x.mean(dim=-1, keepdim=True)
    scaled = centred / (centred.square().mean(dim=-1, keepdim=True) + 1e-5).sqrt()
    return scaled * state[f"{name}.weight"] + state[f"{name}.bias"]


def _batch_norm(state: State, name: str, x: Tensor) -> Tensor:
    """With the running statistics; channels last."""
    scaled = (x - state[f"{name}.running_mean"]) / (state[f"{name}.running_var"] + 1e-5).sqrt()
    return scaled * state[f"{name}.weight"] + state[f"{name}.bias"]
