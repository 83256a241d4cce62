"""The command for whoever has a GPU: what it says without one, and that its comparisons compare."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from aucli.runtime.device import gpu_problem

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "gpu_check.py"


def test_without_a_gpu_one_line_says_what_is_missing() -> None:
    problem = gpu_problem()
    if problem is None:
        pytest.skip("there is a GPU here")
    done = subprocess.run([sys.executable, str(PROGRAM)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (2, f"no GPU was tried: {problem}\n", "")


@pytest.mark.gpu
def test_a_gpu_gives_what_the_cpu_gives() -> None:
    if problem := gpu_problem():
        pytest.skip(problem)
    done = subprocess.run([sys.executable, str(PROGRAM), "--frames", "60"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_comparisons_see_what_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(PROGRAM.parent))
    import gpu_check

    frames = gpu_check.frames_of_clip(6)
    monkeypatch.setattr(gpu_check, "frames_of_clip", lambda: frames)
    assert gpu_check.same_faces("cpu")[0]
    assert gpu_check.same_probabilities("cpu")[0]
    monkeypatch.setattr(gpu_check, "to_device", lambda frames, _: np.roll(frames, 5, axis=2))
    assert not gpu_check.same_faces("cpu")[0]  # the eyes are about 50 pixels apart
    monkeypatch.setattr(gpu_check, "to_device", lambda frames, _: np.roll(frames, 25, axis=2))
    assert not gpu_check.same_probabilities("cpu")[0]
