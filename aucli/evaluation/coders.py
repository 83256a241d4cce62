"""Two coders against each other: kappa for occurrence, intraclass correlation for intensity."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from aucli.errors import OptionsError, TableError
from aucli.evaluation.agreement import AgreementOptions, notes_of
from aucli.evaluation.bootstrap import bootstrap_weights
from aucli.evaluation.coded_films import codes_by_film
from aucli.evaluation.films import Films
from aucli.evaluation.reliability import PairSums, intraclass_correlations
from aucli.evaluation.scoring import estimate, evaluate_predictions, mean_of_defined
from aucli.evaluation.values import AuScores, Estimate, Evaluation, Predictions
from aucli.human_codes.coder_files import read_coder
from aucli.human_codes.film_names import FilmNames, MediaLink
from aucli.human_codes.pairing import FilmFrames, FrameLabels, lay_on_frames
from aucli.human_codes.values import CodedFrames, CodedIntervals, CodeOptions, Codes

if TYPE_CHECKING:
    from aucli.results.read import TablePaths

_SHOWN: Final = ("f1", "accuracy", "kappa", "free_kappa", "mcc")
_MOST_FRAMES: Final = 10**8


@dataclass(frozen=True)
class CoderAgreement:
    """How well two coders agree.

    Attributes:
        evaluation: with the first coder as truth; kappa, accuracy, MCC and F1 (here Dice's coefficient) are the same
            the other way round. Intraclass correlations where both coded intensities.
        notes: what a reader should know, one line each.
    """

    evaluation: Evaluation
    notes: tuple[str, ...]


def compare_coders(
    first: Sequence[str | Path],
    second: Sequence[str | Path],
    *,
    table: TablePaths | None = None,
    code_options: CodeOptions | None = None,
    options: AgreementOptions | None = None,
) -> CoderAgreement:
    """Compare the files of two coders, frame by frame.

    Args:
        first: files of one coder.
        second: files of the other.
        table: of annotate, for the frames of the films; without it the frames are those of the codes, or
            `code_options.frame_rate` a second where both coders wrote intervals.
        code_options: how to read the codes.
        options: how to compare; `face` is not used.

    Raises:
        TableError: if a file cannot be read, or nothing was coded by both.
        OptionsError: if a choice is needed.
    """
    code_options, options = code_options or CodeOptions(), options or AgreementOptions()
    films: Films | None = None
    files: tuple[Path, ...] = ()
    if table is not None:
        from aucli.results.read import read_tables

        read = read_tables(table)
        films, files = Films(read.rows, read.videos), read.files

    def rate(wanted: str | None, source: Path) -> float | None:
        return films.rate(options.video or wanted, source) if films is not None else None

    (mine, of_first), (others, of_second) = (
        read_coder(paths, code_options, film_rate=rate, but=files) for paths in (first, second)
    )
    if films is not None:
        pairs = _pairs_in_table(films, mine, others, options.video)
    else:
        pairs = _pairs_alone(mine, others, code_options)
    aus = tuple(sorted({au for a, b, _ in pairs for au in set(a.coded_aus) & set(b.coded_aus)}))
    if not aus:
        raise TableError("the two coders share no action unit; say what both looked for with `coded_aus`")
    laid = [
        tuple(
            lay_on_frames(one, film, aus, code_options, align=options.align, tolerance_s=options.tolerance_s)
            for one in (a, b)
        )
        for a, b, film in pairs
    ]
    evaluation = _evaluate(laid, aus, options)
    only_one = sorted({au for a, b, _ in pairs for au in set(a.coded_aus) ^ set(b.coded_aus)} - set(aus))
    notes = [
        f"{film.name}: {_coded_by_both(x, y)} of {len(film.frame)} frames coded by both"
        for (_, _, film), (x, y) in zip(pairs, laid, strict=True)
    ]
    if only_one:
        notes.append(f"coded by one of them only: AU {', '.join(map(str, only_one))}")
    return CoderAgreement(evaluation, (*notes, *notes_of([*mine, *others]), *of_first, *of_second))


def _coded_by_both(x: FrameLabels, y: FrameLabels) -> int:
    return int(((x.labels >= 0) & (y.labels >= 0)).any(axis=1).sum())


def _pairs_in_table(
    films: Films, mine: Sequence[Codes], others: Sequence[Codes], video: str | None
) -> list[tuple[Codes, Codes, FilmFrames]]:
    a, b = (codes_by_film(films, codes, video)[0] for codes in (mine, others))
    pairs = [
        (one, other, films[name].frames)
        for name in a
        for one in a[name]
        for other in b.get(name, [])
        if other.subject == one.subject or len(b[name]) == len(a[name]) == 1
    ]
    if not pairs:
        raise TableError(f"the two coders share no film: {', '.join(list(a)[:5])} and {', '.join(list(b)[:5])}")
    return pairs


def _pairs_alone(
    mine: Sequence[Codes], others: Sequence[Codes], code_options: CodeOptions
) -> list[tuple[Codes, Codes, FilmFrames]]:
    """Codes of the same film and subject, by name; of one each, whatever they are called."""
    if len(mine) == len(others) == 1:
        return [(mine[0], others[0], _frames_alone(mine[0], others[0], code_options))]
    pairs = []
    for subject in dict.fromkeys(one.subject for one in mine):
        of_first, of_second = (_by_name(codes, subject) for codes in (mine, others))
        for name, other in _same_films(tuple(of_first), tuple(of_second)):
            pairs.append((of_first[name], of_second[other]))
    if not pairs:
        raise TableError("the two coders' files name no film in common; give a table of annotate, or one file each")
    return [(a, b, _frames_alone(a, b, code_options)) for a, b in pairs]


def _by_name(codes: Sequence[Codes], subject: str | None) -> dict[str, Codes]:
    """Codes of a subject by the name of their film, or else of their file."""
    mine = [one for one in codes if one.subject == subject]
    found = {one.video or MediaLink(one.source.as_posix()): one for one in mine}
    if len(found) < len(mine):
        raise TableError("a coder coded one film twice; compare one pass at a time")
    return found


def _same_films(first: Sequence[str], second: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The names that mean each other, and nothing else, among those of the other coder."""
    of_first, of_second = FilmNames(first), FilmNames(second)
    own = {name: name for name in second}
    for name in first:
        theirs = of_second.fitting(name)
        if len(theirs) == 1 and of_first.fitting(own[theirs[0]]) == (name,):
            yield name, theirs[0]


def _frames_alone(a: Codes, b: Codes, code_options: CodeOptions) -> FilmFrames:
    """The frames that were coded, or regular ones where both coders wrote intervals."""
    name = a.video or a.source.name
    by_frame = next((one for one in (a, b) if isinstance(one, CodedFrames)), None)
    if by_frame is None:
        assert isinstance(a, CodedIntervals)
        assert isinstance(b, CodedIntervals)
        return _regular_frames(name, a, b, code_options)
    rate = code_options.frame_rate
    if by_frame.time_s is not None:
        order = np.argsort(by_frame.time_s)
        time_s = by_frame.time_s[order]
        frame = by_frame.frame[order] if by_frame.frame is not None else np.arange(len(order))
        return FilmFrames(name, frame, time_s)
    assert by_frame.frame is not None
    frame = np.sort(by_frame.frame)
    counts = all(one.unit == "frame" if isinstance(one, CodedIntervals) else one.frame is not None for one in (a, b))
    if rate is None and not counts:
        raise OptionsError(f"{by_frame.source} counts frames; say how many there are a second with `frame_rate`")
    # Where both count frames, any rate will do: times are not looked at.
    return FilmFrames(name, frame, frame / (rate or 1.0))


def _regular_frames(name: str, a: CodedIntervals, b: CodedIntervals, code_options: CodeOptions) -> FilmFrames:
    """Frames from 0 to the end of the last interval, or of the stretch that was coded."""
    rate = code_options.frame_rate
    if rate is None:
        raise OptionsError("both coders wrote intervals: give a table of annotate, or compare at `frame_rate` frames/s")
    if a.unit != b.unit:
        raise OptionsError(f"{a.source} and {b.source} do not both count in seconds; give a table of annotate")
    last = max((float(one.offset.max()) for one in (a, b) if len(one.offset)), default=0.0)
    if a.unit == "s":
        last *= rate
    if code_options.coded_span_s is not None:
        last = code_options.coded_span_s[1] * rate
    count = int(np.ceil(last - 1e-6)) if 0 < last <= _MOST_FRAMES else 0
    if not count:
        raise TableError(f"{a.source} and {b.source} hold codes of {last:g} frames; allowed are 1 to {_MOST_FRAMES}")
    frame = np.arange(count)
    return FilmFrames(name, frame, frame / rate)


def _evaluate(laid: Sequence[tuple[FrameLabels, ...]], aus: tuple[int, ...], options: AgreementOptions) -> Evaluation:
    truth = np.concatenate([x.labels for x, _ in laid])
    said = np.concatenate([y.labels for _, y in laid])
    both = (truth >= 0) & (said >= 0)
    if not both.any():
        raise TableError("no frame was coded by both coders")
    subjects = np.repeat(np.arange(len(laid)), [len(x.labels) for x, _ in laid])
    predictions = Predictions(
        name="two coders",
        aus=aus,
        labels=np.where(both, truth, -1).astype(np.int8),
        probabilities=(said == 1).astype(np.float64),
        subjects=subjects,
        thresholds=np.ones(len(aus)),
    )
    evaluation = evaluate_predictions(predictions, replicates=options.replicates, seed=options.seed)
    grades = [np.where(both, np.concatenate([f.grades for f in side]), np.nan) for side in zip(*laid, strict=True)]
    sums = PairSums.of(grades[0], grades[1], subjects, len(laid))
    weights = bootstrap_weights(len(laid), options.replicates, options.seed, 0)
    exact = intraclass_correlations(sums.total())
    drawn = intraclass_correlations(sums.weighted(weights)) if weights is not None else None
    graded = bool(np.isfinite(np.stack(list(exact.values()))).any())
    per_au = tuple(
        replace(row, scores={**_kept(row), **(_correlations(exact, drawn, a) if graded else {})})
        for a, row in enumerate(evaluation.per_au)
    )
    mean: dict[str, Estimate] = {m: evaluation.mean[m] for m in _SHOWN}
    averaged = {m: evaluation.averaged[m] for m in _SHOWN}
    for metric, values in exact.items() if graded else ():
        mean[metric] = estimate(
            mean_of_defined(values), mean_of_defined(drawn[metric].T) if drawn is not None else None
        )
        averaged[metric] = int(np.isfinite(values).sum())
    return replace(
        evaluation, method="two coders", frames=int(both.any(axis=1).sum()), per_au=per_au, mean=mean, averaged=averaged
    )


def _kept(row: AuScores) -> dict[str, Estimate]:
    return {metric: row.scores[metric] for metric in _SHOWN}


def _correlations(
    exact: dict[str, npt.NDArray[np.float64]], drawn: dict[str, npt.NDArray[np.float64]] | None, a: int
) -> dict[str, Estimate]:
    return {m: estimate(values[a], drawn[m][:, a] if drawn is not None else None) for m, values in exact.items()}
