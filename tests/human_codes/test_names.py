from __future__ import annotations

import pytest

from aucli.human_codes.names import AuCode, codes_of_name, facs_codes, promises_codes, reading_of


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("AU12", (AuCode(12),)),
        ("Lip Corner Puller", (AuCode(12),)),
        ("AU 1 inner brow", (AuCode(1),)),
        ("AU6+12", (AuCode(6), AuCode(12))),
        ("AU06 or AU07", (AuCode(6), AuCode(7))),
        ("AU12C", (AuCode(12, 3),)),
        ("AU12L", (AuCode(12, side="left"),)),
        ("AU12R", (AuCode(12, side="right"),)),
        ("LAU12", (AuCode(12, side="left"),)),
        ("AU12_R", (AuCode(12, side="right"),)),
        ("au_06 (left)", (AuCode(6, side="left"),)),
        ("AU06 gauche", (AuCode(6, side="left"),)),
        ("AU06 rechts", (AuCode(6, side="right"),)),
        ("Lip corner puller (right)", (AuCode(12, side="right"),)),
        ("AUL14B", (AuCode(14, 2, "left"),)),
        ("12", ()),
        ("smile", ()),
        ("AU99", ()),
        ("PLATEAU12", ()),
        ("", ()),
        ("AU12 " * 1000, ()),
    ],
)
def test_names(name: str, codes: tuple[AuCode, ...]) -> None:
    assert codes_of_name(name) == codes


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("6C+12D", (AuCode(6, 3), AuCode(12, 4))),
        ("AU 6, AU 12", (AuCode(6), AuCode(12))),
        ("L14B", (AuCode(14, 2, "left"),)),
        ("R12", (AuCode(12, side="right"),)),
        ("12LC", (AuCode(12, 3, "left"),)),
        ("L12B+R12C", (AuCode(12, 3),)),
        ("T23", (AuCode(23),)),
        ("12 smile", ()),
        ("99", ()),
        ("", ()),
    ],
)
def test_facs_codes(code: str, found: tuple[AuCode, ...]) -> None:
    assert facs_codes(code) == found


@pytest.mark.parametrize(
    ("value", "state", "grade", "side"),
    [
        ("", 1, None, ""), ("Yes", 1, None, ""), ("oui", 1, None, ""), ("x", 1, None, ""), ("+", 1, None, ""),
        ("0", 0, None, ""), ("no", 0, None, ""), ("Nein", 0, None, ""), ("-", 0, None, ""),
        ("9", -1, None, ""), ("N/A", -1, None, ""), ("?", -1, None, ""),
        ("b", 1, 2, ""), ("E", 1, 5, ""), ("1", 1, 1, ""), ("2.5", 1, 2.5, ""), ("2,5", 1, 2.5, ""),
        ("L", 1, None, "left"), ("rechts", 1, None, "right"),
    ],
)  # fmt: skip
def test_values(value: str, state: int, grade: float | None, side: str) -> None:
    assert reading_of(value) == (state, grade, side)


@pytest.mark.parametrize("value", ["huh", "6", "7.5", "٣", "!!!", "12C"])
def test_values_that_say_nothing_known(value: str) -> None:
    assert reading_of(value) is None


def test_names_that_promise_codes() -> None:
    assert all(map(promises_codes, ("FACS", "AU_codes", "Upper face", "Action Units", "coder A: codes")))
    assert not any(map(promises_codes, ("Speech", "1", "", "plateau")))
