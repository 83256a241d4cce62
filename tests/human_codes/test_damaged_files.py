"""Codes that a disk, a transfer, a spreadsheet program or a stranger has changed: read, or refused in one line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aucli.errors import TableError
from aucli.human_codes import registry
from aucli.human_codes.reading import find_program, read_codes
from aucli.human_codes.values import CodeOptions
from tests.builders.coded_files import (
    EVENTS,
    Child,
    boris_aggregated,
    boris_project,
    eaf,
    elan_per_tier,
    elan_rows,
    openface,
    opf,
)
from tests.builders.damage import CHANGES, HOSTILE, Change, damaged, ends_in_one_line

FEW = settings(max_examples=50, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FACE = [(k / 25, k % 2, 1.5, True) for k in range(4)]


def _parquet(path: Path) -> None:
    frames = {"video": ["a.mp4"] * 3, "frame": [0, 1, 2], "time_s": [0.0, 0.04, 0.08], "AU12": [0, 1, 1]}
    pl.DataFrame(frames | {"person": [0, 0, 0], "AU12_intensity": [0.0, 2.0, 5.0]}).write_parquet(path)


def _text(text: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(text, encoding="utf-8")


WRITERS: dict[str, Callable[[Path], object]] = {
    "eaf": _text(eaf(children=[Child("AU12", 0, "B")])),
    "datavyu": opf,
    "boris": _text(boris_aggregated(EVENTS)),
    "boris_project": _text(
        boris_project({"one": [(0.4, "", "AU12", ""), (1.2, "", "AU12", ""), (2.0, "", "AU45", "")]})
    ),
    "openface": _text(openface([FACE], centres_xy=[(100, 80)])),
    "elan": _text(elan_per_tier(formats=("hh", "ss", "ms", "pal"))),
    "elan rows": _text(elan_rows()),
    "spans": _text("start,end,label,intensity\n0.4,1.2,AU12,C\n1.0,2.0,AU06L,\n"),
    "frames": _text("frame;time;AU12;AU6\n0;0,00;0;A\n1;0,04;1;B\n2;0,08;9;E\n"),
    "parquet": _parquet,
}
"""A small file of every program."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("codes")
    for name, write in WRITERS.items():
        write(folder / name)
    return {name: (folder / name).read_bytes() for name in WRITERS}


def test_every_program_is_there(whole: dict[str, bytes], tmp_path: Path) -> None:
    for name, data in whole.items():
        (tmp_path / "codes").write_bytes(data)
        assert read_codes(tmp_path / "codes"), name
    # A new program is two files, its reader and the registry; add a file of it above as well.
    assert {name.partition(" ")[0] for name in WRITERS} <= {program.name for program in registry.PROGRAMS}


@FEW
@given(st.sampled_from(sorted(WRITERS)), CHANGES)
def test_changed_bytes(
    whole: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory, name: str, changes: list[Change]
) -> None:
    path = tmp_path_factory.getbasetemp() / "codes.txt"
    path.write_bytes(damaged(whole[name], changes, marks=b'\t,;"\n<>=:.-/'))
    ends_in_one_line(lambda: read_codes(path))
    program = find_program(name.partition(" ")[0])
    assert program is not None
    ends_in_one_line(lambda: read_codes(path, CodeOptions(format=program.name)))


@FEW
@given(st.sampled_from(["boris", "openface", "elan", "elan rows", "spans", "frames"]), st.data())
def test_changed_cells(
    whole: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory, name: str, data: st.DataObject
) -> None:
    """A cell of any line, the header too, is exchanged; lines are doubled or moved."""
    delimiter = {"openface": b",", "spans": b",", "frames": b";"}.get(name, b"\t")
    lines = [line.split(delimiter) for line in whole[name].split(b"\n") if line]
    for _ in range(data.draw(st.integers(1, 2))):
        cells = lines[data.draw(st.integers(0, len(lines) - 1))]
        cells[data.draw(st.integers(0, len(cells) - 1))] = data.draw(st.sampled_from(HOSTILE))
    lines.insert(data.draw(st.integers(0, len(lines))), data.draw(st.sampled_from(lines)))
    path = tmp_path_factory.getbasetemp() / "codes.txt"
    path.write_bytes(b"\n".join(delimiter.join(cells) for cells in lines))
    ends_in_one_line(lambda: read_codes(path))


@pytest.mark.parametrize("text", ["", "\n\n", "sep=;", '"', "\ufeff"])
def test_nothing_in_it_whatever_it_is_said_to_be(tmp_path: Path, text: str) -> None:
    (tmp_path / "codes.csv").write_text(text, encoding="utf-8")
    for program in registry.PROGRAMS:
        with pytest.raises(TableError) as caught:
            read_codes(tmp_path / "codes.csv", CodeOptions(format=program.name))
        assert len(str(caught.value).splitlines()) == 1


def test_a_billion_laughs_are_not_laughed(tmp_path: Path) -> None:
    """Ten entities, each ten times the one before: 30 GB if anybody expanded them."""
    entities = '<!ENTITY l0 "AU12 ">' + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 11))
    text = eaf().replace("<ANNOTATION_DOCUMENT", f"<!DOCTYPE l [{entities}]><ANNOTATION_DOCUMENT", 1)
    (tmp_path / "laughs.eaf").write_text(text.replace("AU12", "&l10;"), encoding="utf-8")
    with pytest.raises(TableError, match="declares an XML document type"):
        read_codes(tmp_path / "laughs.eaf")


def test_nesting_without_end(tmp_path: Path) -> None:
    (tmp_path / "deep.eaf").write_text(eaf().replace("<TIER ", "<a>" * 50_000 + "<TIER ", 1), encoding="utf-8")
    with pytest.raises(TableError, match="damaged XML"):
        read_codes(tmp_path / "deep.eaf")
