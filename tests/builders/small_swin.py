"""A Swin of timm's own class that is over in no time: twelve channels wide, five blocks deep.

timm's smallest with windows of 7 holds 28 million numbers, which each test would write, read and export. This one has
all kinds of its parts: four stages, windows that are shifted and such that are not, a stage of one window.
"""

from __future__ import annotations

from typing import Any, Final

from timm.models import register_model
from timm.models.swin_transformer import SwinTransformer

from tests.builders.published_network import Shape

SMALL: Final = Shape(width=12, depths=(2, 1, 1, 1), heads=(1, 2, 2, 4), n_aus=8, features=48)
NAME: Final = "swin_of_the_tests"


@register_model
def swin_of_the_tests(pretrained: bool = False, **options: Any) -> SwinTransformer:
    """The network by its name; timm hands on what it knows of pretrained ones, which is nothing."""
    assert not pretrained
    taken = {name: value for name, value in options.items() if name in ("in_chans", "num_classes", "drop_path_rate")}
    return SwinTransformer(
        patch_size=4, window_size=7, embed_dim=SMALL.width, depths=SMALL.depths, num_heads=SMALL.heads, **taken
    )
