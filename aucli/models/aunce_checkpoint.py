"""Checkpoints of the AUNCE authors: a plain ``state_dict`` in Microsoft's Swin naming, laid onto `models.network`.

The published network and ours are the same function; only names and places differ:

    backbone.layers.0.downsample.*   the patch merging closes a stage there and opens the next one in timm
    head.class_linears.<i>.*         one module per AU there, one tensor with a leading AU axis here
    full_connect.fc.<i>.{0,1}.*      likewise: the linear heads, in linear-evaluation checkpoints only

Index buffers, attention masks, batch counters and ``head.sc`` (unused) carry nothing learnt. Only tensors are read:
a file that needs pickled code is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from aucli.errors import ModelError, OptionsError
from aucli.faces.alignment import CropSpec
from aucli.facs import AU_NAMES
from aucli.models.network import AUNetwork, EncoderConfig

SWINS: Final[Mapping[tuple[int, int], str]] = {
    (96, 6): "swin_tiny_patch4_window7_224",
    (96, 18): "swin_small_patch4_window7_224",
    (128, 18): "swin_base_patch4_window7_224",
    (192, 18): "swin_large_patch4_window7_224",
}
"""timm's name by width of the first stage and depth of the third. The authors' files hold Swin-Base."""

INPUT_SIZE_PX: Final = 224
PREPARED_SIZE_PX: Final = 256
"""The published faces are 256 px wide, of which the network sees the centre."""

WRAPPINGS: Final = ("state_dict", "model_state_dict", "model")
NOT_LEARNT: Final = re.compile(r"(^head\.sc|\.num_batches_tracked|\.relative_position_index|\.attn_mask)$")
SHOWN: Final = 3


@dataclass(frozen=True, eq=False)
class PublishedModel:
    """What a published checkpoint holds.

    Attributes:
        network: with its weights, in evaluation mode.
        has_heads: False for an encoder alone; the network's heads are then untrained.
    """

    network: AUNetwork
    has_heads: bool


def published_crop() -> CropSpec:
    """The centre 224 px of the 256 px crop that has annotate's usual geometry: the face fills more of it."""
    usual, enlarged = CropSpec(), PREPARED_SIZE_PX / INPUT_SIZE_PX
    return CropSpec(INPUT_SIZE_PX, usual.scale * enlarged, usual.shift_y * enlarged)


def parse_aus(text: str) -> tuple[int, ...]:
    """Action units in the order of a checkpoint's heads: numbers like ``1,2,4``.

    Raises:
        OptionsError: if it is something else.
    """
    try:
        aus = tuple(int(part.casefold().strip().removeprefix("au")) for part in text.split(","))
    except ValueError:
        raise OptionsError(
            f"`aus` is {text!r}; allowed are a benchmark's name, or numbers in the order of the heads, as 1,2,4"
        ) from None
    if unknown := [au for au in aus if au not in AU_NAMES]:
        raise OptionsError(
            f"`aus` names {unknown[0]}, which is no action unit; known are {', '.join(map(str, AU_NAMES))}"
        )
    if len(set(aus)) != len(aus):
        raise OptionsError(f"`aus` is {text!r}: an action unit is there twice")
    return aus


def read_published(path: Path, aus: tuple[int, ...]) -> PublishedModel:
    """Read a published checkpoint.

    Args:
        path: ``torch.save`` of a ``state_dict``, plain or under the key ``state_dict``, with or without the prefix
            ``module.``; or the same tensors as safetensors.
        aus: action units in the order of the heads; see `parse_aus`.

    Raises:
        ModelError: if the file cannot be read, needs pickled code, or its tensors are not those of the published
            network; the message names the first that are not.
    """
    return published_model(read_tensors(path), aus, path)


def published_model(tensors: Mapping[str, Tensor], aus: tuple[int, ...], path: Path) -> PublishedModel:
    """As `read_published`, for tensors that are already read; the path is for messages."""
    config = _config_of(tensors, aus, path)
    network = AUNetwork(config)
    has_heads = any(name.startswith("full_connect.") for name in tensors)
    wanted = {
        name: _published_names(name, len(aus))
        for name in network.state_dict()
        if not NOT_LEARNT.search(name) and (has_heads or not name.startswith("full_connect."))
    }
    state = network.state_dict()
    _require_layout(tensors, {name: (parts, state[name]) for name, parts in wanted.items()}, path)
    _require_swin_indices(tensors, network, path)
    for name, parts in wanted.items():
        joined = torch.stack([tensors[part].float() for part in parts])
        if not joined.isfinite().all():
            raise ModelError(f"{path}: {parts[0]} holds values that are not finite")
        state[name].copy_(joined.reshape(state[name].shape))
    return PublishedModel(network.eval(), has_heads)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read named tensors from a file of torch or safetensors, and nothing but tensors.

    Raises:
        ModelError: if the file cannot be read, or needs pickled code.
    """
    if not path.is_file():
        raise ModelError(f"{path} is not a file")
    loaded: Any
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            loaded = load_file(path)
        else:
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch and safetensors raise a dozen kinds; all mean that these are no tensors
        reason = str(error).split("\n")[0].split(". ")[0][:120]
        reason = reason if any(map(str.isalpha, reason)) else type(error).__name__  # torch's reader says bare numbers
        raise ModelError(
            f"{path} is not a file of plain tensors, or needs pickled code, which is never run ({reason}); "
            "save model.state_dict() with torch.save"
        ) from error
    for key in WRAPPINGS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
            break
    if not isinstance(loaded, Mapping) or not loaded:
        raise ModelError(f"{path} holds {type(loaded).__name__}, not a state_dict of named tensors")
    if strange := [key for key, value in loaded.items() if not isinstance(key, str) or not isinstance(value, Tensor)]:
        raise ModelError(f"{path} is not a state_dict: its entry {strange[0]!r:.80} is no tensor")
    if empty := [key for key, value in loaded.items() if not _is_plain(value)]:
        raise ModelError(f"{path}: {empty[0]!r:.80} is no plain tensor of real numbers; save model.state_dict() anew")
    prefixed = all(name.startswith("module.") for name in loaded)
    return {name.removeprefix("module.") if prefixed else name: value for name, value in loaded.items()}


def _is_plain(tensor: Tensor) -> bool:
    """Whether a tensor holds a real number at every place: torch also saves sparse ones and mere shapes."""
    return tensor.layout is torch.strided and not tensor.is_meta and not tensor.is_quantized and not tensor.is_complex()


def _config_of(tensors: Mapping[str, Tensor], aus: tuple[int, ...], path: Path) -> EncoderConfig:
    """The network that a checkpoint's shapes ask for."""
    needed = ("backbone.patch_embed.proj.weight", "global_linear.fc.weight", "head.class_linears.0.fc.weight")
    if lacking := [name for name in needed if name not in tensors or tensors[name].ndim < 2]:
        raise ModelError(
            f"{path} is not a checkpoint of AUNCE: no {lacking[0]} (it begins with {', '.join(list(tensors)[:SHOWN])})"
        )
    patches, global_linear, class_linear = (tensors[name] for name in needed)
    depth = 1 + _last_index(tensors, r"backbone\.layers\.2\.blocks\.(\d+)\.")
    backbone = SWINS.get((len(patches), depth))
    if backbone is None:
        raise ModelError(
            f"{path} holds a backbone of width {len(patches)} and depth {depth}; known are Swins of "
            + ", ".join(f"{width} and {deep}" for width, deep in SWINS)
        )
    n_aus = 1 + _last_index(tensors, r"head\.class_linears\.(\d+)\.")
    if n_aus != len(aus):
        raise ModelError(f"{path} holds {n_aus} action units, but `aus` names {len(aus)}: {', '.join(map(str, aus))}")
    first = tensors.get("full_connect.fc.0.0.weight")
    head_dim = EncoderConfig.head_dim if first is None or not first.ndim else len(first)
    return EncoderConfig(
        backbone=backbone,
        aus=aus,
        input_size_px=INPUT_SIZE_PX,
        global_dim=len(global_linear),
        embedding_dim=len(class_linear),
        head_dim=head_dim,
    )


def _last_index(names: Mapping[str, Tensor], pattern: str) -> int:
    found = (re.match(pattern, name) for name in names)
    return max((int(match.group(1)) for match in found if match), default=-1)


def _published_names(name: str, n_aus: int) -> tuple[str, ...]:
    """The published name, or one per AU, of a tensor of `AUNetwork`."""
    if name.startswith("full_connect."):
        _, place, kind = name.split(".")
        return tuple(f"full_connect.fc.{i}.{0 if place == 'first' else 1}.{kind}" for i in range(n_aus))
    name = name.removeprefix("encoder.")
    if name.startswith("head.class_linears."):
        rest = name.removeprefix("head.class_linears.")
        return tuple(f"head.class_linears.{i}.{rest}" for i in range(n_aus))
    name = name.replace("backbone.network.", "backbone.")
    if match := re.match(r"backbone\.layers\.(\d+)\.downsample\.(.+)", name):
        return (f"backbone.layers.{int(match.group(1)) - 1}.downsample.{match.group(2)}",)
    return (name,)


def _require_layout(
    tensors: Mapping[str, Tensor], wanted: Mapping[str, tuple[tuple[str, ...], Tensor]], path: Path
) -> None:
    """Every tensor is there in its shape, and no other."""
    shapes: dict[str, tuple[int, ...]] = {}
    for parts, target in wanted.values():
        shape = tuple(target.shape)
        if len(parts) > 1 or re.search(r"\.class_linears\.|^full_connect\.", parts[0]):
            # One AU's part of a tensor with a leading AU axis, or of one that lays the AUs end to end (batch norms).
            shape = shape[1:] if len(shape) > 1 else (shape[0] // len(parts),)
        shapes |= dict.fromkeys(parts, shape)
    missing = [name for name in shapes if name not in tensors]
    unknown = [name for name in tensors if name not in shapes and not NOT_LEARNT.search(name)]
    misshapen = [
        f"{name} is {'x'.join(map(str, tensors[name].shape)) or 'a number'} instead of {'x'.join(map(str, shape))}"
        for name, shape in shapes.items()
        if name in tensors and tuple(tensors[name].shape) != shape
    ]
    problems = [("lacks", missing), ("has unknown", unknown), ("has wrong shapes:", misshapen)]
    told = [f"{verb} {_first(names)}" for verb, names in problems if names]
    if told:
        raise ModelError(f"{path} does not fit the published network: {'; '.join(told)}")


def _first(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _require_swin_indices(tensors: Mapping[str, Tensor], network: AUNetwork, path: Path) -> None:
    """The position indices and window masks that a checkpoint brings along are those that the network computes."""
    for name, buffer in network.named_buffers():
        if not name.endswith(("relative_position_index", "attn_mask")):
            continue
        (published,) = _published_names(name, 1)
        brought = tensors.get(published)
        if brought is not None and not torch.equal(brought.to(buffer.dtype), buffer):
            raise ModelError(f"{path}: {published} is not that of a Swin with windows of 7 at {INPUT_SIZE_PX} px")
