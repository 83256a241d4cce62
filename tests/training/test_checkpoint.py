from __future__ import annotations

from pathlib import Path

import pytest
import torch

from aucli.errors import RecipeError
from aucli.training.checkpoint import CHECKPOINT_NAME, read_checkpoint, write_checkpoint

CPU = torch.device("cpu")


def test_what_is_written_comes_back_and_nothing_else_lies_there(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, {"step": 1, "best": None})
    write_checkpoint(tmp_path, {"step": 7, "weights": {"w": torch.arange(3)}, "best": None})
    state = read_checkpoint(tmp_path, CPU)
    assert state["step"] == 7
    assert state["best"] is None
    assert torch.equal(state["weights"]["w"], torch.arange(3))
    assert [path.name for path in tmp_path.iterdir()] == [CHECKPOINT_NAME]


def test_damaged_files_and_those_of_other_versions_are_refused(tmp_path: Path) -> None:
    path = tmp_path / CHECKPOINT_NAME
    write_checkpoint(tmp_path, {"step": 7, "weights": torch.zeros(1000)})
    whole = path.read_bytes()
    for content in (b"", whole[:1000], b"no checkpoint at all"):
        path.write_bytes(content)
        with pytest.raises(RecipeError, match=r"checkpoint\.pt is damaged \(.+\); remove it to begin anew"):
            read_checkpoint(tmp_path, CPU)
    torch.save({"recipe": "{}", "step": 7}, path)
    with pytest.raises(RecipeError, match="another version of aucli"):
        read_checkpoint(tmp_path, CPU)
