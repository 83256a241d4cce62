"""ELAN documents: as EAF 3.0 wants them, as pympi reads them, and back in as codes."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from xml.etree.ElementTree import Element, parse

import numpy as np
import polars as pl
import pympi
import pytest

from aucli.evaluation.agreement import AgreementOptions, compare
from aucli.human_codes.reading import read_codes
from aucli.human_codes.values import CodeOptions
from aucli.results.episodes import EpisodeRules
from aucli.results.exports.run import ExportOptions, export
from tests.builders.films import film_rows, steady_film
from tests.builders.studies import annotated, study

RAW = ExportOptions(raw=True)


def require_eaf_3(root: Element) -> None:
    """What the schema EAFv3.0.xsd demands of the elements that are used here: their order, attributes, keys."""
    assert [root.get(name) for name in ("FORMAT", "VERSION")] == ["3.0", "3.0"]
    assert set(root.attrib) >= {"AUTHOR", "DATE"}
    order = ["HEADER", "TIME_ORDER", "TIER", "LINGUISTIC_TYPE"]
    tags = [child.tag for child in root]
    assert tags == sorted(tags, key=order.index)
    assert Counter(tags)["HEADER"] == Counter(tags)["TIME_ORDER"] == 1
    slots = {slot.attrib["TIME_SLOT_ID"]: int(slot.attrib["TIME_VALUE"]) for slot in root.iter("TIME_SLOT")}
    assert len(slots) == len(list(root.iter("TIME_SLOT")))
    assert list(slots.values()) == sorted(slots.values())
    assert min(slots.values(), default=0) >= 0
    types = {one.attrib["LINGUISTIC_TYPE_ID"] for one in root.iter("LINGUISTIC_TYPE")}
    tiers = [tier.attrib for tier in root.iter("TIER")]
    assert len({tier["TIER_ID"] for tier in tiers}) == len(tiers)
    assert {tier["LINGUISTIC_TYPE_REF"] for tier in tiers} <= types
    ids = [one.attrib["ANNOTATION_ID"] for one in root.iter("ALIGNABLE_ANNOTATION")]
    assert len(set(ids) | set(slots)) == len(ids) + len(slots), "of the type ID: once in the document"
    used = Counter(one.attrib[f"TIME_SLOT_REF{k}"] for one in root.iter("ALIGNABLE_ANNOTATION") for k in (1, 2))
    assert used == Counter(slots.keys()), "each slot belongs to one annotation"
    for tier in root.iter("TIER"):
        spans = [[slots[one.attrib[f"TIME_SLOT_REF{k}"]] for k in (1, 2)] for one in tier.iter("ALIGNABLE_ANNOTATION")]
        assert all(onset < offset for onset, offset in spans)
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))
        assert all(one.find("ANNOTATION_VALUE") is not None for one in tier.iter("ALIGNABLE_ANNOTATION"))
    for medium in root.iter("MEDIA_DESCRIPTOR"):
        assert set(medium.attrib) >= {"MEDIA_URL", "MIME_TYPE"}


def test_a_tier_for_each_face_and_action_unit_as_pympi_reads_them(tmp_path: Path) -> None:
    done = export(study(), "elan", tmp_path / "elan", RAW)
    assert [file.name for file in done.files] == ["anna.eaf", "none.eaf"]
    for file in done.files:
        require_eaf_3(parse(file).getroot())
    read = pympi.Eaf(str(done.files[0]), suppress_version_warning=True)
    assert list(read.get_tier_names()) == [
        f"{code} face {face}" for face in (0, 1) for code in ("AU01", "AU12", "unscorable")
    ]
    assert read.get_annotation_data_for_tier("AU12 face 0") == [(80, 200, "AU12"), (280, 400, "AU12")]
    assert read.get_annotation_data_for_tier("unscorable face 1") == [(0, 320, "unscorable")]
    about = read.get_parameters_for_tier("AU12 face 1")
    assert (about["PARTICIPANT"], about["ANNOTATOR"]) == ("face 1", "aucli")
    assert list(pympi.Eaf(str(done.files[1]), suppress_version_warning=True).get_tier_names()) == []


def test_the_film_is_linked_absolutely_and_from_the_document(tmp_path: Path) -> None:
    film = tmp_path / "films" / "a film & 100%.MOV"
    film.parent.mkdir()
    film.touch()
    rows = annotated(steady_film(film.name, [0.9]))
    place = tmp_path / "codes" / "a.eaf"
    assert export(rows, "elan", place, ExportOptions(root=film.parent)).notes == ()
    medium = parse(place).getroot().find("HEADER/MEDIA_DESCRIPTOR")
    assert medium is not None
    assert medium.attrib == {
        "MEDIA_URL": f"file://{film}",
        "RELATIVE_MEDIA_URL": "../films/a film & 100%.MOV",
        "MIME_TYPE": "video/quicktime",
    }
    done = export(rows, "elan", film.parent / "b.eaf", ExportOptions(root=film.parent))
    medium = parse(done.files[0]).getroot().find("HEADER/MEDIA_DESCRIPTOR")
    assert medium is not None
    assert medium.attrib["RELATIVE_MEDIA_URL"] == f"./{film.name}"


def test_a_film_that_is_not_found_is_said_and_not_linked_from_the_document(tmp_path: Path) -> None:
    rows = annotated(steady_film("gone\x01.xyz", [0.9]))
    done = export(rows, "elan", tmp_path / "a.eaf")
    assert done.notes == ("gone\x01.xyz not found: the program will ask for it; say where the videos lie with `root`",)
    medium = parse(done.files[0]).getroot().find("HEADER/MEDIA_DESCRIPTOR")
    assert medium is not None
    assert medium.attrib["MEDIA_URL"].endswith("/gone?.xyz"), "a control character may not stand in XML"
    assert medium.attrib["MIME_TYPE"] == "video/*"
    assert "RELATIVE_MEDIA_URL" not in medium.attrib


@pytest.mark.parametrize("target", ["elan", "boris"])
def test_raw_files_go_back_in_and_agree_fully(tmp_path: Path, target: str) -> None:
    rng = np.random.default_rng(0)
    times_s = np.cumsum(rng.choice([1 / 30, 1 / 24, 1 / 120], 200)).tolist()

    def values() -> list[float | None]:
        seen = rng.uniform(size=200) > 0.1
        return [float(p) if ok else None for p, ok in zip(rng.uniform(size=200), seen, strict=True)]

    one = film_rows("one.mp4", times_s, {0: {"AU01": values(), "AU12": values()}})
    two = film_rows("two.mp4", times_s, {face: {"AU01": values(), "AU12": values()} for face in (0, 1)})
    done = export(annotated(pl.concat([one, two])), target, tmp_path, RAW)
    for table, file in ((one, done.files[0]), (two, done.files[1])):
        faces = table["face"].drop_nulls().unique().sort().to_list()
        for face in faces:
            for options in (
                CodeOptions(subject=f"face {face}"),
                CodeOptions(subject=f"face {face}", missing_names=("unscorable",)),
            ):
                agreed = compare(
                    annotated(table),
                    read_codes(file, options),
                    code_options=options,
                    options=AgreementOptions(face=face),
                )
                assert [(row.au, row.scores["kappa"].value) for row in agreed.evaluation.per_au] == [
                    (1, 1.0),
                    (12, 1.0),
                ]
    both = compare(annotated(two), read_codes(done.files[1]))
    assert [row.scores["kappa"].value for row in both.evaluation.per_au] == [1.0, 1.0]
    assert [(one.subject, one.face) for one in both.videos] == [("face 0", "0 of 2"), ("face 1", "1 of 2")]


@pytest.mark.parametrize("target", ["elan", "boris"])
def test_episodes_go_back_in_and_agree_with_the_episodes(tmp_path: Path, target: str) -> None:
    values = [0.9 if 10 <= i < 40 and i != 20 else 0.1 for i in range(60)]
    rows = annotated(steady_film("a.mp4", values))
    done = export(rows, target, tmp_path, ExportOptions(rules=EpisodeRules(smooth_s=0)))
    smoothed = rows.with_columns((pl.col("frame").is_between(10, 39)).alias("AU12"))
    for table, kappa in ((smoothed, 1.0), (rows, 0.96)):
        agreed = compare(table, read_codes(done.files[0]))
        assert agreed.evaluation.per_au[0].scores["kappa"].value == pytest.approx(kappa, abs=0.01)
