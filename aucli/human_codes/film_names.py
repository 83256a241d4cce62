"""Which film a name means: as a path, as a file's name, or as that without its suffix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

N_RULES: Final = 3


def name_keys(name: str) -> tuple[str, str, str]:
    """A name under the three rules, the strictest first; letter case counts for whole paths alone."""
    path = PurePosixPath(name.replace("\\", "/"))
    return str(path), path.name.casefold(), path.stem.casefold()


class FilmNames:
    """Films that are found by name.

    Args:
        names: of the films, all different.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._by_rule: list[dict[str, list[str]]] = [{} for _ in range(N_RULES)]
        for name in self.names:
            for key, known in zip(name_keys(name), self._by_rule, strict=True):
                known.setdefault(key, []).append(name)

    def fitting(self, wanted: str) -> tuple[str, ...]:
        """Every film that a name may mean, by the strictest rule that fits any; () for none."""
        keys = name_keys(wanted)
        return next((tuple(known[key]) for key, known in zip(keys, self._by_rule, strict=True) if key in known), ())
