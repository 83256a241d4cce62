from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from aucli.datasets.faces import LabelledFaces
from aucli.datasets.free.renders import RENDER_CROP, read_renders, rendered_intensities
from aucli.errors import DatasetError
from aucli.faces.detectors import open_detector


@pytest.fixture(scope="module")
def renders(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from aucli.synth.generation import generate
    from aucli.synth.options import SynthOptions

    out = tmp_path_factory.mktemp("renders")
    generate(SynthOptions(rig=shared / "facekit" / "facekit.npz", out=out, count=4, pictures_per_person=2, workers=2))
    return out


@pytest.mark.slow
def test_renders_become_labelled_faces(renders: Path) -> None:
    aus = (12, 1, 27)
    faces = read_renders(renders, open_detector(None), aus)
    assert faces.aus == aus
    assert 3 <= len(faces) <= 4
    assert faces.pictures.shape[1:] == (192, 192, 1)
    assert len(set(faces.subjects)) == 2
    table = pl.read_parquet(renders / "labels.parquet")
    if len(faces) == 4:
        np.testing.assert_array_equal(faces.labels[:, :2], table.select("AU12", "AU01").to_numpy())
    assert (faces.labels[:, 2] == -1).all()
    # The detector errs by a few pixels, the template fits all faces by rotation and scale only.
    assert np.abs(faces.landmarks_xy - RENDER_CROP.template_xy()).mean() < 0.05 * RENDER_CROP.size_px


@pytest.mark.slow
def test_colour_is_kept_on_demand(renders: Path) -> None:
    faces = read_renders(renders, open_detector(None), (12,), colour="rgb")
    assert faces.pictures.shape[3] == 3


def test_no_renders(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"labels\.parquet does not exist; name a folder that aucli synth made"):
        read_renders(tmp_path, open_detector(None), (12,))


@pytest.mark.slow
def test_a_picture_that_is_gone(renders: Path, tmp_path: Path) -> None:
    pl.read_parquet(renders / "labels.parquet").write_parquet(tmp_path / "labels.parquet")
    with pytest.raises(DatasetError, match="render it again"):
        read_renders(tmp_path, open_detector(None), (12,))


def test_intensities_find_their_faces(tmp_path: Path) -> None:
    people = [7, 7, 3, 3, 3]
    table = {"path": [f"{row}.jpg" for row in range(5)], "person": people, "landmarks": [[0.0] * 10] * 5}
    intensities = [0.0, 2.5, 5.0, 1.0, 3.0]
    pl.DataFrame({**table, "AU12_intensity": intensities}).write_parquet(tmp_path / "labels.parquet")

    def faces(people: list[int]) -> LabelledFaces:
        n = len(people)
        pictures, labels = np.zeros((n, 4, 4, 1), np.uint8), np.full((n, 2), -1, np.int8)
        subjects = np.array([f"render {person}" for person in people])
        return LabelledFaces(
            (12, 27), pictures, np.zeros((n, 2), np.int32), np.zeros((n, 5, 2), np.float32), labels, subjects
        )

    every = rendered_intensities(tmp_path, faces(people))
    assert every[:, 0].tolist() == intensities
    assert np.isnan(every[:, 1]).all()
    one_missed = rendered_intensities(tmp_path, faces([7, 7, 3, 3]))
    assert one_missed[:2, 0].tolist() == [0.0, 2.5]
    assert np.isnan(one_missed[2:]).all(), "which two of person 3's three pictures these are is not known"
    assert rendered_intensities(tmp_path, faces([])).shape == (0, 2)
