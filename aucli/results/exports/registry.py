"""Every program that tables are exported to. A new one is its writer and a line here."""

from __future__ import annotations

from aucli.errors import OptionsError
from aucli.results.exports import boris, csv, elan, openface, stata_spss, xlsx
from aucli.results.exports.target import ExportTarget

TARGETS: tuple[ExportTarget, ...] = (
    csv.TARGET,
    xlsx.TARGET,
    openface.TARGET,
    elan.TARGET,
    boris.TARGET,
    stata_spss.STATA,
    stata_spss.SPSS,
)


def find_target(name: str) -> ExportTarget:
    """A target by its name.

    Raises:
        OptionsError: if it is unknown.
    """
    by_name = {target.name: target for target in TARGETS}
    if name not in by_name:
        raise OptionsError(f"`to` is {name!r}; allowed are {', '.join(by_name)}")
    return by_name[name]
