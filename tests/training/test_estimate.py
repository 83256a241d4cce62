from __future__ import annotations

from dataclasses import replace

from aucli.training.estimate import seconds_per_step
from tests.builders.tiny_training import tiny_faces, tiny_training


def test_a_step_of_each_stage_is_timed_without_the_pretrained_start() -> None:
    training = replace(tiny_training(), start="a model that is not there")
    assert seconds_per_step(replace(training, stages=()), tiny_faces(0), "cpu") == []
    seconds = seconds_per_step(training, tiny_faces(16), "cpu")
    assert len(seconds) == 2
    assert min(seconds) > 0
