"""The reader of a benchmark that does not exist: what a new one needs, besides its line in the registry.

On disk: ``codes.csv`` with lines ``subject,frame,AU1,AU12``, and ``pictures/<subject>/<frame>.png``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from aucli.datasets.readers.benchmark import Benchmark, PublishedParts
from aucli.datasets.readers.label_files import parse_integers, read_text, split_header
from aucli.datasets.readers.layout import images_in_folder
from aucli.datasets.readers.options import DatasetOptions
from aucli.datasets.readers.published_counts import PublishedCounts
from aucli.datasets.report import Findings
from aucli.datasets.samples import Samples, SamplesBuilder, SequenceInfo

NAME: Final = "madeup"
AUS: Final = (1, 12)


class MadeUpOptions(DatasetOptions):
    """How to read it: with ``first_only``, the first frame of each subject alone."""

    first_only: bool = False


def load_madeup(root: Path, options: MadeUpOptions, findings: Findings) -> Samples:
    builder = SamplesBuilder(options.chosen_aus(AUS, frozenset(AUS)))
    _, body = split_header(read_text(root / "codes.csv"))
    table = parse_integers(body, 2 + len(AUS), root / "codes.csv")
    for subject in np.unique(table[:, 0]).tolist():
        rows = table[table[:, 0] == subject][: 1 if options.first_only else None]
        images = images_in_folder(root / "pictures" / f"P{subject}")
        found, members = images.pick(rows[:, 1])
        columns = [2 + AUS.index(au) for au in builder.aus]
        labels = rows[found][:, columns].astype(np.int8)
        info = SequenceInfo(NAME, f"{NAME}/P{subject}", f"P{subject}", images.container, "folder")
        builder.add(info, frame=rows[found, 1], labels=labels, member=members)
    return builder.build()


BENCHMARK: Final = Benchmark(
    name=NAME,
    title="Made up",
    aus=AUS,
    options=MadeUpOptions,
    read=load_madeup,
    counts=(PublishedCounts(subjects=4, frames=12, source="this file"),),
    folds=PublishedParts(parts=("P1 P2", "P3 P4"), paper_order=(2, 1)),
    subject_pattern=r"P\d",
)
