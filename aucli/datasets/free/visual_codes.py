"""Codes that people gave photographs by eye: a CSV file, one line per picture and look.

    name,look,AU1,AU2,AU4
    a.jpg,1,1,?,0
    a.jpg,2,1,0,0

1 is present, 0 absent, ``?`` cannot tell; an empty cell was not looked at. A picture may be looked at
several times; what the looks agree on counts. A column ``part`` may say in which split its subject is: train,
validation or test.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.datasets.label_values import SplitName
from aucli.errors import DatasetError

CODE_OF: Final[Mapping[str, int]] = {"1": 1, "0": 0, "?": -1, "": -2}
SPLIT_OF: Final[Mapping[str, SplitName | None]] = {
    "": None, "train": "train", "validation": "validation", "test": "test"
}  # fmt: skip

LOOKS: Final = tuple("123456789")


@dataclass(frozen=True)
class VisualCodes:
    """Codes of N pictures, L looks at most.

    Attributes:
        aus: action units, in the order of the columns.
        names: (N,) of the pictures.
        looks: (N, L, A) int8: 1, 0, -1 for "cannot tell", -2 where nobody looked.
        splits: (N,) in which the subject of the picture is; None where the file does not say.
    """

    aus: tuple[int, ...]
    names: tuple[str, ...]
    looks: npt.NDArray[np.int8]
    splits: tuple[SplitName | None, ...]

    def consensus(self) -> npt.NDArray[np.int8]:
        """(N, A): what more looks say than anything else, -1 where no answer leads or "cannot tell" does."""
        present, absent, open_ = ((self.looks == code).sum(axis=1) for code in (1, 0, -1))
        agreed = np.full(present.shape, -1, np.int8)
        agreed[(present > absent) & (present > open_)] = 1
        agreed[(absent > present) & (absent > open_)] = 0
        return agreed

    def labels_for(self, names: list[str], aus: tuple[int, ...]) -> npt.NDArray[np.int8]:
        """The consensus for other names and AUs: (len(names), len(aus)), -1 for what was not coded."""
        return self._for(names, aus, self.consensus(), -1)

    def looked_at(self, names: list[str], aus: tuple[int, ...]) -> npt.NDArray[np.bool_]:
        """Where somebody looked, even if the answer was "cannot tell": (len(names), len(aus))."""
        looked: npt.NDArray[np.bool_] = (self.looks != -2).any(axis=1)
        return self._for(names, aus, looked, False)

    def _for(self, names: list[str], aus: tuple[int, ...], values: npt.NDArray[Any], other: Any) -> npt.NDArray[Any]:
        row_of = {name: row for row, name in enumerate(self.names)}
        found = np.full((len(names), len(aus)), other, values.dtype)
        rows = np.array([row_of.get(name, -1) for name in names], np.intp)
        for column, au in enumerate(aus):
            if au in self.aus:
                found[rows >= 0, column] = values[rows[rows >= 0], self.aus.index(au)]
        return found


def read_visual_codes(path: Path) -> VisualCodes:
    """Read a file of codes.

    Raises:
        DatasetError: if the file cannot be read, lacks a column, or holds another code; the message names the line.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            header = list(reader.fieldnames or [])
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read as codes ({error})") from error
    columns = [name for name in header if name.startswith("AU") and name[2:].isdigit()]
    if not columns or not {"name", "look"} <= set(header):
        raise DatasetError(f"{path} has the columns {', '.join(header)}; needed are name, look, and AU1, AU2, ...")
    found: dict[str, dict[int, list[int]]] = {}
    splits: dict[str, SplitName | None] = {}
    for line, row in enumerate(rows, start=2):
        codes = [row[name] for name in columns]
        if any(code is None or code.strip() not in CODE_OF for code in codes) or row["look"] not in LOOKS:
            raise DatasetError(f"{path}, line {line}: codes are 1, 0, ? or nothing, looks are 1 to {len(LOOKS)}")
        named = row.get("part") or ""
        if named not in SPLIT_OF or splits.setdefault(row["name"], SPLIT_OF[named]) != SPLIT_OF[named]:
            raise DatasetError(f"{path}, line {line}: part is train, validation or test, the same for every look")
        found.setdefault(row["name"], {})[int(row["look"])] = [CODE_OF[code.strip()] for code in codes]
    most = max((look for by_look in found.values() for look in by_look), default=0)
    looks = np.full((len(found), most, len(columns)), -2, np.int8)
    for i, by_look in enumerate(found.values()):
        for look, codes_of_look in by_look.items():
            looks[i, look - 1] = codes_of_look
    return VisualCodes(tuple(int(name[2:]) for name in columns), tuple(found), looks, tuple(splits.values()))
