"""Published checkpoints, changed in bytes or in what their tensors are: refused in one line."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save
from torch import Tensor

from aucli.errors import AucliError, ModelError
from aucli.models.aunce_checkpoint import published_model, read_tensors
from tests.builders.damage import CHANGES, Change, damaged, ends_in_one_line

FEW = settings(max_examples=30, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
NEEDED = ("backbone.patch_embed.proj.weight", "global_linear.fc.weight", "head.class_linears.0.fc.weight")
CHANGED: dict[str, Callable[[Tensor], object]] = {
    "text": lambda tensor: "tensor",  # noqa: ARG005
    "list": lambda tensor: tensor.tolist(),
    "scalar": lambda tensor: tensor.sum(),
    "empty": lambda tensor: tensor[:0],
    "flat": lambda tensor: tensor.reshape(-1),
    "nested": lambda tensor: tensor[None],
    "complex": lambda tensor: tensor.to(torch.complex64),
    "integer": lambda tensor: tensor.to(torch.int8),
    "truth": lambda tensor: tensor > 0,
    "half": lambda tensor: tensor.half(),
    "meta": lambda tensor: tensor.to("meta"),
    "not finite": lambda tensor: tensor * float("nan"),
}


def _tensors(width: int = 8) -> dict[str, Tensor]:
    """What tells AUNCE's checkpoints from others, small; the wrong backbone unless the width is 96."""
    shapes = ((width, 3, 4, 4), (512, width * 8), (16, 512))
    return {name: torch.zeros(shape) for name, shape in zip(NEEDED, shapes, strict=True)}


@pytest.fixture(scope="module")
def whole() -> dict[str, bytes]:
    file = io.BytesIO()
    torch.save({"state_dict": _tensors()}, file)
    return {".pth": file.getvalue(), ".safetensors": save(_tensors())}


@FEW
@given(st.sampled_from([".pth", ".safetensors"]), CHANGES)
def test_changed_bytes(
    whole: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory, suffix: str, changes: list[Change]
) -> None:
    path = tmp_path_factory.getbasetemp() / f"damaged{suffix}"
    path.write_bytes(damaged(whole[suffix], changes, marks=b'{}[],:"'))
    ends_in_one_line(lambda: published_model(read_tensors(path), (12,), path))


@FEW
@given(st.sampled_from(NEEDED), st.sampled_from(sorted(CHANGED)), st.sampled_from(["", "state_dict", "model"]))
def test_changed_tensors(tmp_path_factory: pytest.TempPathFactory, name: str, how: str, wrapping: str) -> None:
    tensors = _tensors()
    state: dict[str, object] = {**tensors, name: CHANGED[how](tensors[name])}
    path = tmp_path_factory.getbasetemp() / "changed.pth"
    torch.save({wrapping: state} if wrapping else state, path)
    with pytest.raises(AucliError) as caught:
        published_model(read_tensors(path), (12,), path)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("how", ["complex", "meta"])
def test_tensors_without_a_real_number_at_every_place(tmp_path: Path, how: str) -> None:
    torch.save({"a": torch.zeros(2), "b": CHANGED[how](torch.zeros(2))}, tmp_path / "x.pth")
    with pytest.raises(ModelError, match="'b' is no plain tensor of real numbers"):
        read_tensors(tmp_path / "x.pth")


@pytest.mark.parametrize("held", [0, None, [], {}, {"": {}}, {"state_dict": []}, {1: torch.zeros(1)}, torch.zeros(2)])
def test_other_things_that_torch_saves(tmp_path: Path, held: object) -> None:
    torch.save(held, tmp_path / "x.pth")
    with pytest.raises(AucliError) as caught:
        read_tensors(tmp_path / "x.pth")
    assert len(str(caught.value).splitlines()) == 1
