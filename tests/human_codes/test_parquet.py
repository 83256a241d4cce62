from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aucli.errors import TableError
from aucli.facs import au_column
from aucli.human_codes.reading import read_codes
from aucli.human_codes.values import CodedFrames, CodeOptions
from aucli.synth.expressions import SYNTH_AUS
from aucli.synth.table import SCHEMA
from tests.builders.read_codes import frames


def labels(**columns: Any) -> pl.DataFrame:
    """Two people in three frames of one film, as the label table of `aucli synth` has them."""
    base: dict[str, Any] = {
        "path": ["a.mp4"] * 6,
        "frame": [0, 0, 1, 1, 2, 2],
        "time_s": [0.0, 0.0, 0.04, 0.04, 0.08, 0.08],
        "person": [0, 1] * 3,
        "AU12": [1, 0, -1, 0, 0, 1],
        "AU12_intensity": [3.0, 0.0, 1.0, 0.5, 0.0, 2.0],
        "AU12_asymmetry": [2.0, 0.0, 0.0, 0.0, 0.0, -1.0],
        "landmarks": [[x + 0.0, 5.0] * 5 for x in (10, 90) * 3],
    }
    return pl.DataFrame({**base, **columns})


def write(table: pl.DataFrame, tmp_path: Path) -> Path:
    table.write_parquet(tmp_path / "labels.parquet")
    return tmp_path / "labels.parquet"


def test_people_of_one_film(tmp_path: Path) -> None:
    one, two = read_codes(write(labels(), tmp_path))
    assert isinstance(one, CodedFrames)
    assert isinstance(two, CodedFrames)
    assert (one.video, one.subject, two.subject) == ("a.mp4", "0", "1")
    assert one.labels[:, 0].tolist() == [1, -1, 0]
    assert two.labels[:, 0].tolist() == [0, 0, 1]
    assert two.grades is not None
    assert two.grades[:, 0].tolist() == [0.0, 0.5, 2.0]
    assert two.centre_xy is not None
    assert two.centre_xy[0].tolist() == [90, 5]


def test_every_column_that_a_run_of_synth_writes(tmp_path: Path) -> None:
    """Pictures are films of one frame; intensities stand beside occurrences, and the rest is passed over."""
    row: dict[str, Any] = dict.fromkeys(SCHEMA.names)
    row |= {"landmarks": [0.0] * 10, "landmarks68": [0.0] * 136, "landmarks68_seen": [True] * 68}
    row |= {name: 0 for au in SYNTH_AUS for name in (au_column(au), f"{au_column(au)}_intensity")}
    rows = [{**row, "path": f"{k}.jpg", "frame": 0, "time_s": 0.0, "person": 3} for k in range(2)]
    rows[1] |= {"AU24": 1, "AU24_intensity": 4.0, "AU25": -1}
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), tmp_path / "labels.parquet")
    one, two = read_codes(tmp_path / "labels.parquet")
    assert isinstance(two, CodedFrames)
    assert (one.video, two.video, two.subject, two.coded_aus) == ("0.jpg", "1.jpg", "3", SYNTH_AUS)
    said = dict(zip(two.coded_aus, two.labels[0].tolist(), strict=True))
    assert (said[24], said[25], said[12]) == (1, -1, 0)
    assert two.grades is not None
    assert two.grades[0, two.coded_aus.index(24)] == 4.0


def test_the_rendered_clip_that_travels_with_the_project(example: Path) -> None:
    one, two = read_codes(example.with_suffix(".parquet"))
    assert (one.subject, two.subject, len(one.coded_aus)) == ("0", "1", len(two.coded_aus))
    assert isinstance(one, CodedFrames)
    assert len(one.labels) == 200


def test_a_table_of_annotate(tmp_path: Path) -> None:
    """Rows without a face hold no codes, and probabilities are none."""
    table = pl.DataFrame(
        {
            "video": ["a.mp4"] * 3, "frame": [0, 1, 2], "time_s": [0.0, 0.04, 0.08], "face": [4, None, 4],
            "x": [1.0, None, 3.0], "y": [1.0, None, 1.0], "w": [8.0, None, 8.0], "h": [8.0, None, 8.0],
            "AU12": [True, None, False], "AU12_p": [0.9, None, 0.2],
        }
    )  # fmt: skip
    codes = frames(write(table, tmp_path))
    assert codes.labels[:, 0].tolist() == [1, 0]
    assert codes.frame is not None
    assert codes.frame.tolist() == [0, 2]
    assert codes.centre_xy is not None
    assert codes.centre_xy.tolist() == [[5, 5], [7, 5]]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"AU12": [1, 0, 7, 0, 0, 1]}, "has 7 for AU12"),
        ({"AU12": ["yes"] * 6}, "wrong kind"),
        ({"frame": [0, 0, None, 1, 2, 2]}, "rows without frame"),
        ({"frame": [0, 0, 0, 1, 2, 2]}, "a frame twice for a.mp4"),
        ({"time_s": [0.0, 0.0, np.inf, 0.04, 0.08, 0.08]}, "rows without time_s"),
        ({"frame": ["x"] * 6}, "wrong kind"),
        ({"landmarks": [[1.0]] * 6}, "uneven length"),
    ],
)
def test_columns_of_the_wrong_kind(tmp_path: Path, columns: dict[str, Any], message: str) -> None:
    with pytest.raises(TableError, match=message):
        read_codes(write(labels(**columns), tmp_path))


def test_other_tables(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no column frame or time_s"):
        read_codes(write(pl.DataFrame({"AU12": [1]}), tmp_path))
    with pytest.raises(TableError, match="no AU columns"):
        read_codes(write(pl.DataFrame({"frame": [1]}), tmp_path))
    with pytest.raises(TableError, match="no rows"):
        read_codes(write(labels().clear(), tmp_path))
    path = write(labels(), tmp_path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(TableError, match="is damaged: "):
        read_codes(path)
    assert len(read_codes(write(labels(), tmp_path), CodeOptions(subject="1"))) == 1
