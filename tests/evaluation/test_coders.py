from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from aucli.errors import OptionsError, TableError
from aucli.evaluation.agreement import AgreementOptions
from aucli.evaluation.coders import compare_coders
from aucli.human_codes.values import CodeOptions
from tests.builders.coded_files import Event, eaf, elan_rows
from tests.builders.coded_tables import table, write_table
from tests.builders.read_codes import write
from tests.builders.variance import anova

FIRST = [Event("AU12", 0.4, 1.2, "C"), Event("AU12", 2.0, 2.4, "B"), Event("AU06", 1.0, 2.0, "B")]
SECOND = [Event("AU12", 0.48, 1.2, "D"), Event("AU12", 2.0, 2.4, "B"), Event("AU06", 1.0, 2.0, "B")]


MEDIA = [("file:///films/a.mp4", "video/mp4")]


def per_frame(events: list[Event], au: str, n: int = 100) -> np.ndarray:
    """Intensity by frame at 25 frames/s, written out."""
    grades = np.zeros(n)
    for event in events:
        if event.tier == au:
            grades[round(event.start_s * 25) : round(event.end_s * 25)] = "ABCDE".index(event.value) + 1
    return grades


def test_kappa_and_intraclass_correlation_side_by_side(tmp_path: Path) -> None:
    first, second = write(tmp_path, eaf(FIRST, media=MEDIA), "R1.eaf"), write(tmp_path, elan_rows(SECOND), "R2.txt")
    written = write_table(table(), tmp_path / "aus.parquet")
    result = compare_coders([first], [second], table=written)
    six, twelve = result.evaluation.per_au
    a, b = per_frame(FIRST, "AU12"), per_frame(SECOND, "AU12")
    assert twelve.scores["kappa"].value == pytest.approx(cohen_kappa_score(a > 0, b > 0))
    agreement, consistency = anova(a.tolist(), b.tolist())
    assert twelve.scores["icc_agreement"].value == pytest.approx(agreement)
    assert twelve.scores["icc_consistency"].value == pytest.approx(consistency)
    assert six.scores["kappa"].value == six.scores["icc_agreement"].value == 1
    assert result.evaluation.mean["icc_agreement"].value == pytest.approx((1 + agreement) / 2)
    assert "roc_auc" not in twelve.scores, "a coder has no probabilities"
    assert result.notes[0] == "a.mp4: 100 of 100 frames coded by both"
    # The other way round it is the same.
    swapped = compare_coders([second], [first], table=written).evaluation.per_au[1].scores
    for metric in ("kappa", "f1", "icc_agreement", "icc_consistency"):
        assert swapped[metric].value == pytest.approx(twelve.scores[metric].value)


def test_without_a_table(tmp_path: Path) -> None:
    first, second = write(tmp_path, eaf(FIRST, media=MEDIA), "R1.eaf"), write(tmp_path, elan_rows(SECOND), "R2.txt")
    with pytest.raises(OptionsError, match="compare at `frame_rate` frames/s"):
        compare_coders([first], [second])
    result = compare_coders([first], [second], code_options=CodeOptions(frame_rate=25, coded_span_s=(0, 4)))
    with_table = compare_coders([first], [second], table=write_table(table(), tmp_path / "aus.parquet"))
    assert result.evaluation == with_table.evaluation
    short = compare_coders([first], [second], code_options=CodeOptions(frame_rate=25))
    assert short.evaluation.frames == 60, "until the last code ends"


def test_tables_by_frame(tmp_path: Path) -> None:
    a, b = per_frame(FIRST, "AU12"), per_frame(SECOND, "AU12")
    one = write(tmp_path, "frame,AU12\n" + "".join(f"{k},{g:.0f}\n" for k, g in enumerate(a)), "one.csv")
    two = write(tmp_path, "time_s,AU12\n" + "".join(f"{k / 25},{g:.0f}\n" for k, g in enumerate(b)), "two.csv")
    with pytest.raises(OptionsError, match="say how many there are a second with `frame_rate`"):
        compare_coders([one], [two])
    result = compare_coders([one], [two], code_options=CodeOptions(frame_rate=25))
    assert result.evaluation.per_au[0].scores["kappa"].value == pytest.approx(cohen_kappa_score(a > 0, b > 0))
    same = compare_coders([one], [one])
    assert same.evaluation.per_au[0].scores["icc_agreement"].value == pytest.approx(1)


def test_occurrences_alone_have_no_intraclass_correlation(tmp_path: Path) -> None:
    one = write(tmp_path, "frame,AU12\n0,1\n1,0\n2,1\n", "one.csv")
    result = compare_coders([one], [one])
    assert set(result.evaluation.mean) == {"f1", "accuracy", "kappa", "free_kappa", "mcc"}


def test_several_films_give_intervals(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    paths = []
    for coder in range(2):
        rows = [f"v{v}.mp4,{f},{int(random.integers(0, 4))}\n" for v in range(5) for f in range(40)]
        paths.append(write(tmp_path, "video,frame,AU12\n" + "".join(rows), f"c{coder}.csv"))
    result = compare_coders([paths[0]], [paths[1]], options=AgreementOptions(replicates=100))
    scores = result.evaluation.per_au[0].scores
    for metric in ("kappa", "icc_agreement", "icc_consistency"):
        low, value, high = scores[metric].low, scores[metric].value, scores[metric].high
        assert low is not None
        assert value is not None
        assert high is not None
        assert low <= value <= high


def test_films_of_one_name_are_paired_by_their_folders(tmp_path: Path) -> None:
    def coder(who: str, films: list[str], disk: str) -> Path:
        for number, film in enumerate(films):
            (tmp_path / who).mkdir(exist_ok=True)
            media = [(f"file:///{disk}/{film}", "video/mp4")]
            write(tmp_path / who, eaf([Event("AU12", 0.4, 1.2)], media=media), f"{number}.eaf")
        return tmp_path / who

    rate = CodeOptions(frame_rate=25)
    first = coder("first", ["p1/a.mp4", "p2/a.mp4", "p3/a.mp4"], "C:/study")
    second = coder("second", ["p2/a.mp4", "p1/a.mp4", "p4/a.mp4"], "home/ben")
    notes = compare_coders([first], [second], code_options=rate).notes
    assert [note.partition(": ")[0] for note in notes if "coded by both" in note] == [
        "C:/study/p1/a.mp4",
        "C:/study/p2/a.mp4",
    ]
    names = [write(tmp_path, f"video,frame,AU12\n{p}/a.mp4,0,1\n{p}/b.mp4,0,1\n", f"{p}.csv") for p in ("p1", "p2")]
    with pytest.raises(TableError, match="name no film in common"):
        compare_coders([names[0]], [names[1]])


def test_coders_with_nothing_in_common(tmp_path: Path) -> None:
    one = write(tmp_path, "video,frame,AU12\na.mp4,0,1\nb.mp4,0,1\n", "one.csv")
    two = write(tmp_path, "video,frame,AU12\nc.mp4,0,1\nd.mp4,0,1\n", "two.csv")
    six = write(tmp_path, "video,frame,AU6\na.mp4,0,1\nb.mp4,0,1\n", "six.csv")
    missing = write(tmp_path, "video,frame,AU12\na.mp4,0,9\nb.mp4,0,9\n", "missing.csv")
    with pytest.raises(TableError, match="name no film in common"):
        compare_coders([one], [two])
    with pytest.raises(TableError, match="share no action unit"):
        compare_coders([one], [six])
    with pytest.raises(TableError, match="no frame was coded by both"):
        compare_coders([one], [missing])
