"""Folds as published, one list of people each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from aucli.datasets.readers import disfa, disfaplus

Numbering = Literal["paper", "part"]

BP4D_PARTS: Final = (
    "F001 F002 F008 F009 F010 F016 F018 F023 M001 M004 M007 M008 M012 M014",
    "F003 F005 F011 F013 F020 F022 M002 M005 M010 M011 M013 M016 M017 M018",
    "F004 F006 F007 F012 F014 F015 F017 F019 F021 M003 M006 M009 M015",
)
"""The three parts of BP4D, the same sets in JAA-Net, ME-GraphAU, AUNCE, AU-Net, FG-Net, FMAE-IAT and AUNets."""

DISFA_PARTS: Final = (
    "SN001 SN002 SN009 SN010 SN016 SN026 SN027 SN030 SN032",
    "SN006 SN011 SN012 SN013 SN018 SN021 SN024 SN028 SN031",
    "SN003 SN004 SN005 SN007 SN008 SN017 SN023 SN025 SN029",
)
"""The three parts of DISFA, the same sets in all repositories that publish lists."""

BP4DPLUS_PARTS: Final = (
    "M040 F072 M015 M029 M003 F076 F053 F026 F044 F066 F057 F061 F071 M050 M033 F079 F020 M025 F014 F004 F013 M017 "
    "F033 M042 M004 F038 F019 M036 M026 M048 F039 F046 M051 F047 M020",
    "F074 F012 F034 M001 F056 F075 M009 M038 F024 M047 F016 M045 M034 M022 F060 M011 M044 M046 M005 M028 F077 F028 "
    "M055 M019 F032 F030 M037 M043 F031 F022 M023 M018 M016 F065 M052",
    "F029 F054 F064 F045 F009 F040 F008 M041 F063 M056 M024 F001 F080 M010 F062 F035 M054 F052 F027 F043 F042 F050 "
    "M057 F078 F058 F017 M035 M030 M027 F021 M031 F069 F002 M008 F068",
    "M058 F037 F010 F023 M007 M002 F025 F073 F048 F041 F051 F011 M032 F005 M021 F018 M013 M049 M014 F070 F006 F067 "
    "M039 M006 F059 F003 F007 F049 M053 F081 F055 M012 F082 F015 F036",
)
"""Four parts of BP4D+: FMAE-IAT's random lists, the only public ones; there is no official partition."""

PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "bp4d": BP4D_PARTS,
    "bp4dplus": BP4DPLUS_PARTS,
    "disfa": DISFA_PARTS,
}


def person(subject: str) -> str:
    """The human being behind a subject key, for checking that sides do not share one.

    The people of DISFA+ are people of DISFA under the same number; no other data sets here are known to share any.
    """
    dataset, _, name = subject.partition("/")
    return f"{disfa.NAME}/{name}" if dataset == disfaplus.NAME else subject


def published_folds(dataset: str, numbering: Numbering = "paper") -> dict[str, frozenset[str]]:
    """Test subjects (without the data set's name) of each fold, by the fold's name, in fold order."""
    parts = [frozenset(part.split()) for part in PARTS[dataset]]
    order = list(range(len(parts)))
    if numbering == "paper" and dataset in ("bp4d", "disfa"):
        order.reverse()
    return {f"fold {k} (tests part {i + 1})": parts[i] for k, i in enumerate(order, start=1)}
