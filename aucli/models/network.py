"""The AUNCE network: one embedding per face and action unit, and the linear heads that read it.

    crops (B, 3, S, S), RGB 0..255
      -> backbone    tokens (B, T, C), any timm network
      -> global block, then one block per AU, averaged over tokens: nodes (B, A, D)
      -> one graph layer over the A nodes, L2-normalised: z (B, A, D)
      -> per-AU linear heads D -> 32 -> 2: probability of "present" (B, A)

Source: Shang et al., "Learning Contrastive Feature Representations for Facial Action Unit Detection"
(arXiv 2402.06165); its head is the AU-relationship head of Luo et al. 2022 (ME-GraphAU) without edge features.
The A linear maps of a stage are stored as one tensor with a leading AU axis and run as one product.
"""

from __future__ import annotations

import difflib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from aucli.errors import ModelError
from aucli.facs import AU_NAMES

CLASS_PRESENT: Final = 0
"""Which of a head's two classes means "the AU is present" (the published checkpoints' order)."""

LUMA_BT601: Final = (0.299, 0.587, 0.114)
"""Weights of R, G and B in the grey value, as Pillow and JPEG use them (ITU-R BT.601)."""


MIN_INPUT_PX: Final = 32
"""Smallest crop that the backbones can take: they halve it five times."""


@dataclass(frozen=True)
class EncoderConfig:
    """Everything that fixes the network's shape and its input.

    Attributes:
        backbone: name of a timm model.
        aus: action units in the order of the outputs.
        input_size_px: side of the square crops. Networks with windows or position embeddings are built for it;
            convolutional ones accept others too.
        colour: "rgb", or "grey": the crop's luma is all the network sees.
        mean: subtracted from the crop's channels scaled to 0..1, in the order R, G, B; "grey" reads the first.
        std: divides the result.
        global_dim: width after the global block.
        embedding_dim: width D of the AU embeddings. The published network has 1024 for both.
        neighbours: how many most similar nodes the graph layer listens to, itself included.
        head_dim: width between the two linear maps of a head.
        drop_path: stochastic depth of the backbone while training, 0 where the backbone knows none.
    """

    backbone: str
    aus: tuple[int, ...]
    input_size_px: int = 224
    colour: Literal["rgb", "grey"] = "rgb"
    mean: tuple[float, float, float] = (0.4914, 0.4822, 0.4465)
    std: tuple[float, float, float] = (0.2023, 0.1994, 0.2010)
    global_dim: int = 1024
    embedding_dim: int = 1024
    neighbours: int = 4
    head_dim: int = 32
    drop_path: float = 0.0

    def __post_init__(self) -> None:
        if not timm.is_model(self.backbone):
            near = difflib.get_close_matches(self.backbone, timm.list_models(), n=3) or ["timm.list_models()"]
            raise ModelError(f"backbone is {self.backbone!r}, which is no model of timm; near it are {', '.join(near)}")
        if unknown := [au for au in self.aus if au not in AU_NAMES]:
            allowed = ", ".join(map(str, AU_NAMES))
            raise ModelError(f"aus names AU {unknown[0]}, which is not known; allowed are {allowed}")
        if not self.aus or len(set(self.aus)) != len(self.aus):
            raise ModelError(f"aus is {list(self.aus)}; allowed are one or more action units, each once")
        if self.colour not in ("rgb", "grey"):
            raise ModelError(f"colour is {self.colour!r}; allowed are 'rgb' and 'grey'")
        if self.input_size_px < MIN_INPUT_PX:
            raise ModelError(f"input_size_px is {self.input_size_px}; a backbone needs at least {MIN_INPUT_PX}")
        for name in ("global_dim", "embedding_dim", "head_dim", "neighbours"):
            if getattr(self, name) < 1:
                raise ModelError(f"{name} is {getattr(self, name)}; allowed is 1 or more")
        if len(self.mean) != 3:
            raise ModelError(f"mean is {self.mean}; it needs three values")
        if len(self.std) != 3 or min(self.std) <= 0:
            raise ModelError(f"std is {self.std}; it needs three values above 0")
        if not 0.0 <= self.drop_path < 1.0:
            raise ModelError(f"drop_path is {self.drop_path}; allowed is 0 to below 1")


class PerAULinear(nn.Module):
    """A linear maps side by side, one per AU: weight (A, out, in), bias (A, out)."""

    def __init__(self, num_aus: int, in_features: int, out_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_aus, out_features, in_features))
        self.bias = nn.Parameter(torch.zeros(num_aus, out_features))
        bound = 1.0 / math.sqrt(in_features)
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def shared(self, x: Tensor) -> Tensor:
        """Apply every AU's map to the same input: (N, in) -> (N, A, out), as one product."""
        num_aus, out_features, _ = self.weight.shape
        return F.linear(x, self.weight.flatten(0, 1), self.bias.flatten()).view(-1, num_aus, out_features)

    def forward(self, x: Tensor) -> Tensor:
        """Apply each AU's map to that AU's input: (B, A, in) -> (B, A, out)."""
        return torch.einsum("bai,aoi->bao", x, self.weight) + self.bias


class LinearBlock(nn.Module):
    """Linear, batch norm over channels, ReLU, on tokens (B, T, C)."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.fc = nn.Linear(in_features, out_features)
        self.bn = nn.BatchNorm1d(out_features)
        nn.init.normal_(self.fc.weight, 0.0, math.sqrt(2.0 / out_features))
        nn.init.zeros_(self.fc.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, out)."""
        batch, num_tokens, channels = tokens.shape
        flat = self.bn(self.fc(tokens.reshape(batch * num_tokens, channels)))
        return F.relu(flat).view(batch, num_tokens, self.fc.out_features)


class PerAUBlocks(nn.Module):
    """A linear blocks on the same tokens, each averaged over the tokens: (B, T, C) -> (B, A, D)."""

    def __init__(self, num_aus: int, in_features: int, out_features: int) -> None:
        super().__init__()
        self.fc = PerAULinear(num_aus, in_features, out_features)
        self.bn = nn.BatchNorm1d(num_aus * out_features)
        nn.init.normal_(self.fc.weight, 0.0, math.sqrt(2.0 / out_features))
        nn.init.zeros_(self.fc.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T, C) -> (B, A, D)."""
        batch, num_tokens, channels = tokens.shape
        per_au = self.fc.shared(tokens.reshape(batch * num_tokens, channels))
        activated = F.relu(self.bn(per_au.flatten(1)))
        return activated.view(batch, num_tokens, *per_au.shape[1:]).mean(dim=1)


class AUGraph(nn.Module):
    """One graph layer: each AU's node hears the k nodes most similar to it.

    out = ReLU(U + BN(adj V(U) + U'(U))), batch norm over the A nodes, adj normalised by degree on both sides.
    """

    def __init__(self, num_aus: int, features: int, neighbours: int) -> None:
        super().__init__()
        self.neighbours = min(neighbours, num_aus)
        self.U = nn.Linear(features, features)
        self.V = nn.Linear(features, features)
        self.bnv = nn.BatchNorm1d(num_aus)
        for linear in (self.U, self.V):
            nn.init.normal_(linear.weight, 0.0, math.sqrt(2.0 / features))
            nn.init.zeros_(linear.bias)

    def adjacency(self, nodes: Tensor) -> Tensor:
        """(B, A, D) -> (B, A, A) float: 1 / sqrt(degree_i degree_j) between neighbours, else 0. No gradient."""
        fixed = nodes.detach()
        similarity = fixed @ fixed.transpose(1, 2)
        weakest = similarity.topk(self.neighbours, dim=-1).values[..., -1:]
        adjacency = (similarity >= weakest).to(nodes.dtype)  # ties at the k-th place all stay
        scale = adjacency.sum(dim=-1).rsqrt()
        return scale.unsqueeze(2) * adjacency * scale.unsqueeze(1)

    def forward(self, nodes: Tensor) -> Tensor:
        """(B, A, D) -> (B, A, D)."""
        heard = self.adjacency(nodes) @ self.V(nodes) + self.U(nodes)
        return F.relu(nodes + self.bnv(heard))


class AUHead(nn.Module):
    """Per-AU blocks and the graph layer: tokens (B, T, C) -> unit vectors (B, A, D)."""

    def __init__(self, num_aus: int, in_features: int, features: int, neighbours: int) -> None:
        super().__init__()
        self.class_linears = PerAUBlocks(num_aus, in_features, features)
        self.gnn = AUGraph(num_aus, features, neighbours)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, T, C) -> (B, A, D)."""
        return F.normalize(self.gnn(self.class_linears(tokens)), dim=-1)


class Backbone(nn.Module):
    """A timm network without its classifier: normalised pictures in, tokens (B, T, C) out."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.name = config.backbone
        self.network = _timm_network(config)
        # timm says "NHWC" where channels come last; what is neither is told apart by its dimensions.
        self.channels_last = getattr(self.network, "output_fmt", "NCHW") == "NHWC"
        self.num_prefix_tokens = int(getattr(self.network, "num_prefix_tokens", 0))
        self.num_features = int(self.network.num_features)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, channels, S, S) -> (B, T, C), after the network's final norm, not pooled."""
        features = self.network.forward_features(pictures)
        if not isinstance(features, Tensor):
            raise ModelError(f"backbone {self.name} gives several sets of features side by side; choose another one")
        if features.ndim == 3:
            return features[:, self.num_prefix_tokens :]
        if self.channels_last:
            return features.flatten(1, 2)
        return features.flatten(2).transpose(1, 2)


class AUEncoder(nn.Module):
    """Crops in, one unit vector per action unit out."""

    channel_mean: Tensor
    channel_std: Tensor
    luma: Tensor

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        channels = 1 if config.colour == "grey" else 3
        # Fixed by the config, so kept out of the weights: no second place that could disagree.
        self.register_buffer("channel_mean", _per_channel(config.mean[:channels]), persistent=False)
        self.register_buffer("channel_std", _per_channel(config.std[:channels]), persistent=False)
        self.register_buffer("luma", _per_channel(LUMA_BT601), persistent=False)
        self.backbone = Backbone(config)
        self.global_linear = LinearBlock(self.backbone.num_features, config.global_dim)
        self.head = AUHead(len(config.aus), config.global_dim, config.embedding_dim, config.neighbours)

    def normalise(self, crops: Tensor) -> Tensor:
        """RGB 0..255 (B, 3, S, S) -> what the backbone sees: (B, 1 or 3, S, S), about zero mean, unit variance."""
        pictures = crops / 255.0
        if self.config.colour == "grey":
            pictures = (pictures * self.luma).sum(dim=1, keepdim=True)
        return (pictures - self.channel_mean) / self.channel_std

    def forward(self, crops: Tensor) -> Tensor:
        """Embed faces.

        Args:
            crops: (B, 3, S, S) float, RGB, 0..255.

        Returns:
            (B, A, D) unit vectors, AUs in the order of ``config.aus``.
        """
        return cast(Tensor, self.head(self.global_linear(self.backbone(self.normalise(crops)))))


class LinearHeads(nn.Module):
    """Per-AU linear evaluation: D -> 32 -> 2 with nothing between, softmax; index 0 is "present"."""

    def __init__(self, num_aus: int, in_features: int, hidden: int) -> None:
        super().__init__()
        self.first = PerAULinear(num_aus, in_features, hidden)
        self.second = PerAULinear(num_aus, hidden, 2)

    def forward(self, embeddings: Tensor) -> Tensor:
        """(B, A, D) -> logits (B, A, 2), index `CLASS_PRESENT` first."""
        return cast(Tensor, self.second(self.first(embeddings)))


class AUNetwork(nn.Module):
    """The whole: encoder and heads, crops in, probabilities out."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = AUEncoder(config)
        self.full_connect = LinearHeads(len(config.aus), config.embedding_dim, config.head_dim)

    def logits(self, crops: Tensor) -> Tensor:
        """(B, 3, S, S) RGB 0..255 -> (B, A) log-odds of presence."""
        return self.head_logits(self.encoder(crops))

    def head_logits(self, embeddings: Tensor) -> Tensor:
        """Embeddings (B, A, D) -> (B, A) log-odds of presence."""
        both = self.full_connect(embeddings)
        return cast(Tensor, both[..., CLASS_PRESENT] - both[..., 1 - CLASS_PRESENT])

    @torch.no_grad()
    def rescale_log_odds(self, scale: Tensor, offset: Tensor) -> None:
        """Change the last layer so that log-odds x become ``scale * x + offset``, in place: calibration without code.

        Args:
            scale: (A,) float, on any device.
            offset: (A,) float, in log-odds.
        """
        last = self.full_connect.second
        scale, offset = scale.double().to(last.bias.device), offset.double().to(last.bias.device)
        weight = last.weight.double() * scale[:, None, None]
        bias = last.bias.double() * scale[:, None]
        bias[:, CLASS_PRESENT] += offset
        last.weight.copy_(weight)
        last.bias.copy_(bias)

    def forward(self, crops: Tensor) -> Tensor:
        """(B, 3, S, S) RGB 0..255 -> (B, A) probabilities; softmax over two classes is the sigmoid of the log-odds."""
        return self.logits(crops).sigmoid()


def load_weights(network: AUNetwork, path: Path) -> None:
    """Read weights that `aucli.models.export` wrote into a network of the same config.

    Raises:
        ModelError: if names or shapes do not fit.
    """
    from safetensors.torch import load_file

    try:
        missing, unexpected = network.load_state_dict(load_file(path), strict=False)
    except RuntimeError as error:  # shapes that differ
        raise ModelError(f"{path} does not fit the network: {str(error).splitlines()[1].strip()}") from error
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise ModelError(f"{path} does not fit the network: lacks {missing[:3]}, has unknown {unexpected[:3]}")


def require_input_size(network: AUNetwork, size_px: int) -> None:
    """Refuse a network that cannot take crops of a size, by showing it one.

    Raises:
        ModelError: saying why.
    """
    network.eval()
    device = next(network.parameters()).device
    try:
        with torch.no_grad():
            network.encoder(torch.zeros(1, 3, size_px, size_px, device=device))
    except ModelError:
        raise
    except Exception as error:  # timm's networks raise a dozen kinds
        config = network.config
        built = f", for it was built for {config.input_size_px} px" if size_px != config.input_size_px else ""
        raise ModelError(
            f"backbone {config.backbone} cannot take crops of {size_px} px{built} ({one_line(error)}); choose another "
            "size or backbone"
        ) from error


def one_line(error: Exception) -> str:
    """What a foreign library's exception says, or its kind."""
    return next(iter(str(error).splitlines()), "") or type(error).__name__


def _per_channel(values: tuple[float, ...]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).view(1, -1, 1, 1)


def _timm_network(config: EncoderConfig) -> Any:  # timm's classes are untyped beyond nn.Module
    """Build the backbone for the config's input, cut after its last feature stage."""
    options: dict[str, Any] = {"in_chans": 1 if config.colour == "grey" else 3, "num_classes": 0}
    if config.drop_path > 0:
        options["drop_path_rate"] = config.drop_path
    try:
        # Windows and position embeddings are laid out for one size; convolutions are not, and take no such argument.
        pretrained = timm.get_pretrained_cfg(config.backbone)
        if pretrained is not None and pretrained.fixed_input_size:
            options["img_size"] = config.input_size_px
        network: Any = timm.create_model(config.backbone, pretrained=False, **options)
    except Exception as error:  # timm's networks raise a dozen kinds
        if isinstance(error, TypeError) and "drop_path" in str(error):
            raise ModelError(f"drop_path is {config.drop_path:g}, but {config.backbone} knows none; give 0") from error
        raise ModelError(
            f"backbone {config.backbone} cannot be built for {config.input_size_px} px ({one_line(error)})"
        ) from error
    # Drops what lies behind the features (MobileNet's 1280-channel head), which would be dead weight in the file.
    if hasattr(network, "prune_intermediate_layers"):
        network.prune_intermediate_layers(1, prune_norm=False, prune_head=True)
    return network
