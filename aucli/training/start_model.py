"""Starting a training from a model that is there already."""

from __future__ import annotations

import torch
from safetensors.torch import load_file
from torch import Tensor

from aucli.errors import ModelError
from aucli.models.network import AUNetwork
from aucli.models.zoo import find_model, verify

HEADS = "full_connect."
PER_AU = ("encoder.head.class_linears.", "encoder.head.gnn.bnv.", HEADS)
"""Tensors whose first axis runs over action units, or over the channels of each in turn."""


@torch.no_grad()
def load_encoder(model: str, network: AUNetwork) -> tuple[int, ...]:
    """Give a network the encoder of a model, and the heads of the action units that both know.

    Backbone, global block and graph layer are taken over; so are the parts of the action units that both know. Where
    the input's size or normalisation differ, it is the caller's choice that holds. An encoder that was imported alone
    has no heads, and heads of another width are not taken: the network's stay as they are.

    Args:
        model: name of a model or path of a model folder: a trained one, or an encoder that was imported alone.
        network: changed in place.

    Returns:
        The network's action units that the model does not know: their parts keep the values they had.

    Raises:
        ModelError: if there is no such model, it is damaged, or its encoder has another shape.
    """
    found = find_model(model)
    verify(found)
    source = load_file(found.weights)
    theirs, ours = tuple(found.config.encoder.get("aus", found.config.aus)), network.config.aus
    pairs = [(i, theirs.index(au)) for i, au in enumerate(ours) if au in theirs]
    to, of = [i for i, _ in pairs], [k for _, k in pairs]
    targets = {
        name: tensor
        for name, tensor in network.state_dict().items()
        if name.startswith("encoder.") and not name.endswith("num_batches_tracked")
    }
    known = {name for name in source if name.startswith("encoder.")}
    if set(targets) != known:
        different = sorted(set(targets) ^ known)
        raise ModelError(f"the encoder of {model} does not fit: {different[0]} is on one side only; {_shapes(network)}")
    heads = {name: tensor for name, tensor in network.state_dict().items() if name.startswith(HEADS)}
    if all(name in source and source[name].shape[1:] == tensor.shape[1:] for name, tensor in heads.items()):
        targets |= heads
    new: dict[str, Tensor] = {}
    for name, target in targets.items():
        per_au = name.startswith(PER_AU)
        value, current = source[name], target
        if per_au:
            value, current = _by_au(value, len(theirs)), _by_au(target, len(ours))
        if value.shape[per_au:] != current.shape[per_au:]:
            raise ModelError(
                f"the encoder of {model} does not fit: {name} is {tuple(source[name].shape)} there and "
                f"{tuple(target.shape)} here; {_shapes(network)}"
            )
        if per_au:
            joined = current.clone()
            joined[to] = value[of].to(current.dtype)
            value = joined
        new[name] = value.reshape(target.shape)
    for name, value in new.items():
        targets[name].copy_(value)
    return tuple(au for au in ours if au not in theirs)


def _by_au(tensor: Tensor, n_aus: int) -> Tensor:
    """A leading axis over action units, also where they lie end to end."""
    return tensor.reshape(n_aus, -1, *tensor.shape[1:])


def _shapes(network: AUNetwork) -> str:
    config = network.config
    return (
        f"the recipe asks for {config.backbone}, {config.colour}, global_dim {config.global_dim}, "
        f"embedding_dim {config.embedding_dim}"
    )
