"""From a person's codes to labels of a film's frames: what nobody looked at is unknown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from aucli.datasets.label_values import MISSING, PRESENT, Int8Array
from aucli.datasets.report import Findings, number_ranges
from aucli.human_codes.names import GRADES
from aucli.human_codes.pairing import FilmFrames, lay_on_frames
from aucli.human_codes.values import CodedIntervals, CodeOptions, Codes

Coded = Literal["codes", "film"]
"""What of a film was coded: from the first to the last of its codes, or all of it."""


def labels_on_frames(
    codes: Codes,
    frames: FilmFrames,
    aus: tuple[int, ...],
    reading: CodeOptions,
    stretches_s: Sequence[tuple[float, float]],
    coded: Coded,
    findings: Findings,
) -> Int8Array:
    """(N, A) labels of one person's codes on all frames of a film.

    Args:
        codes: of the person, from one file.
        frames: of the film.
        aus: (A) action units.
        reading: how codes are read.
        stretches_s: begin and end of what was coded, s; none where `coded` says it.
        coded: what of the film was coded, if it is intervals and nothing marks it.
        findings: where it is told what counts how.

    Raises:
        AucliError: if the codes do not fit the film.
    """
    film = frames.name
    laid = lay_on_frames(codes, frames, aus, reading)
    labels = laid.labels
    weak = int(((laid.grades > 0) & (laid.grades < reading.min_intensity) & (labels == 0)).sum())
    findings.note(
        "intensity below min_intensity, counted absent", "kept", weak, "label", film,
        f"present from {_letter(reading.min_intensity)} on",
    )  # fmt: skip
    if laid.unmatched:
        findings.warn("row of codes without a frame", "ignored", laid.unmatched, "frame", film, codes.source.name)
    outside = _outside(codes, frames, stretches_s, coded)
    hidden = (labels[outside] != MISSING).any(axis=1)
    findings.note(
        "frame outside of what was coded", "ignored", int(hidden.sum()), "frame", film,
        f"frames {number_ranges(frames.frame[outside][hidden])}",
    )  # fmt: skip
    labels[outside] = MISSING
    if isinstance(codes, CodedIntervals):
        _report_overlaps(codes, film, findings)
        contradicted = _contradicted(codes, frames, aus, reading) & (labels == PRESENT)
        findings.warn("present and absent at once", "masked", int(contradicted.sum()), "label", film)
        labels[contradicted] = MISSING
    not_looked_for = [au for au in aus if au not in codes.coded_aus]
    findings.note(
        "action unit that a file does not hold", "masked", len(not_looked_for), "label", film,
        f"AU {', '.join(map(str, not_looked_for))} in {codes.source.name}: unknown there; the option coded_aus says "
        "what was looked for in all files",
    )  # fmt: skip
    return labels


def _outside(
    codes: Codes, frames: FilmFrames, stretches_s: Sequence[tuple[float, float]], coded: Coded
) -> npt.NDArray[np.bool_]:
    """(N,) frames that nobody looked at, as far as one can tell."""
    outside = np.zeros(len(frames.frame), np.bool_)
    if stretches_s:
        outside[:] = True
        for begin, end in stretches_s:
            outside &= (frames.time_s < begin) | (frames.time_s >= end)
    elif isinstance(codes, CodedIntervals) and coded == "codes":
        marked = ((codes.aus == 0) & (codes.states == PRESENT)).any()
        if not marked:  # marked stretches are in the labels already
            at = frames.frame if codes.unit == "frame" else frames.time_s
            first, last = codes.onset.min(initial=np.inf), codes.offset.max(initial=-np.inf)
            outside = (at < first) | (at > last)
    return outside


def _report_overlaps(codes: CodedIntervals, film: str, findings: Findings) -> None:
    for au in np.unique(codes.aus[codes.aus > 0]):
        mine = np.flatnonzero(codes.aus == au)
        mine = mine[np.argsort(codes.onset[mine], kind="stable")]
        reached = np.maximum.accumulate(codes.offset[mine])[:-1]
        findings.note(
            "overlapping intervals of one action unit", "kept", int((codes.onset[mine][1:] < reached).sum()), "label",
            film, f"AU{au} in {codes.source.name}: their union, as strong as the strongest",
        )  # fmt: skip


def _contradicted(
    codes: CodedIntervals, frames: FilmFrames, aus: tuple[int, ...], reading: CodeOptions
) -> npt.NDArray[np.bool_]:
    """(N, A) where an interval says that an action unit is absent."""
    says_absent = (codes.aus > 0) & (codes.states == 0)
    if not says_absent.any():
        return np.zeros((len(frames.frame), len(aus)), np.bool_)
    absent = replace(
        codes,
        **{name: getattr(codes, name)[says_absent] for name in ("aus", "onset", "offset")},
        states=np.full(says_absent.sum(), PRESENT, np.int8),
        grades=np.full(says_absent.sum(), np.nan),
    )
    there: npt.NDArray[np.bool_] = lay_on_frames(absent, frames, aus, reading).labels == PRESENT
    return there


def join_labels(read: Sequence[Int8Array], film: str, findings: Findings) -> Int8Array:
    """Labels of several files of one person in a film: who contradict each other say nothing."""
    every = np.stack(read)
    present, absent = (every == PRESENT).any(axis=0), (every == 0).any(axis=0)
    findings.warn("coders who contradict each other", "masked", int((present & absent).sum()), "label", film)
    labels = np.full(present.shape, MISSING, np.int8)
    labels[present], labels[absent], labels[present & absent] = PRESENT, 0, MISSING
    return labels


def _letter(grade: float) -> str:
    return (
        {value: letter.upper() for letter, value in GRADES.items()}.get(int(grade), "")
        if grade == int(grade)
        else f"{grade:g}"
    )
