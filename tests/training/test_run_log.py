from __future__ import annotations

import sys
from pathlib import Path

import polars as pl
import pytest

from aucli.training.run_log import BOARD_NAME, LOG_NAME, RunLog, TrainingProgress


def _progress(step: int) -> TrainingProgress:
    scores = (None, None) if step < 3 else (0.75, 0.5)
    return TrainingProgress(step, 9, 0, 1.5 / step, 1e-3, 100.0, 0.01, *scores)


def test_the_log_goes_on_where_the_run_does(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with RunLog(tmp_path, 0) as log:
        for step in (1, 2, 3, 4):
            log.write(_progress(step))
    with (tmp_path / LOG_NAME).open("a") as file:
        file.write("5,0,half a li")
    with RunLog(tmp_path, 3) as log:  # the checkpoint was of step 3
        log.write(_progress(4))
    table = pl.read_csv(tmp_path / LOG_NAME)
    assert table["step"].to_list() == [1, 2, 3, 4]
    assert table["validation_auc"].to_list() == [None, None, 0.75, 0.75]
    board = EventAccumulator(str(tmp_path / BOARD_NAME)).Reload()
    losses = board.Scalars("loss")
    assert [event.step for event in losses] == [1, 2, 3, 4]
    assert losses[1].value == pytest.approx(0.75)
    assert [event.step for event in board.Scalars("validation_f1")] == [3, 4]


def test_without_tensorboard_there_is_the_table_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)  # as if it were not installed
    with RunLog(tmp_path, 0) as log:
        log.write(_progress(1))
    assert pl.read_csv(tmp_path / LOG_NAME)["loss"].to_list() == [1.5]
    assert [path.name for path in tmp_path.iterdir()] == [LOG_NAME]
