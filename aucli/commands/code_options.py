"""The options of ``evaluate`` that are about codes: what they are called, and what they become.

The library's messages name its own fields in backticks, as `min_intensity`; here they become ``--min-intensity``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from aucli.commands.options import as_options, as_seconds, fields_as_options, number_or_word, numbers
from aucli.human_codes import names
from aucli.human_codes.names import Alignment

if TYPE_CHECKING:
    from aucli.evaluation.agreement import AgreementOptions
    from aucli.evaluation.benchmarks import Evaluated, ScoringOptions
    from aucli.evaluation.coded_faces import FaceWanted
    from aucli.human_codes.values import CodeOptions

OPTION_OF: Final[Mapping[str, str]] = {
    "format": "--codes-format",
    "names": "--name",
    "missing_names": "--missing-name",
    "coded_names": "--coded-name",
    "coded_aus": "--coded-aus",
    "coded_span_s": "--coded-span",
    "shift_s": "--shift",
    "min_intensity": "--min-intensity",
    "one_sided": "--one-sided",
    "observation": "--observation",
    "subject": "--subject",
    "coder": "--coder",
    "frame_rate": "--frame-rate",
    "frame_base": "--frame-base",
    "missing_codes": "--missing-code",
    "align": "--align",
    "tolerance_s": "--tolerance",
    "face": "--face",
    "video": "--video",
    "against": "--against",
}
"""Option by field of `CodeOptions` and `AgreementOptions`, and of `compare_coders`."""

_PANEL: Final = "Against human codes"


def _option(*names: str, **settings: Any) -> Any:
    return typer.Option(*names, rich_help_panel=_PANEL, **settings)


Codes = Annotated[
    list[Path] | None,
    _option(
        help="A coder's files, or folders of them: ELAN, Datavyu, BORIS, OpenFace, CSV or Parquet. Can be repeated.",
        show_default=False,
    ),
]
Against = Annotated[
    list[Path] | None,
    _option(help="A second coder's files: compare the two coders, not the table.", show_default=False),
]
CodesFormat = Annotated[
    str, _option(metavar="NAME", help="What wrote the files; auto finds out. A wrong name lists all.")
]
Name = Annotated[
    list[str] | None,
    _option(metavar="NAME=AU", help="What a tier, column or label means: smile=12, or talk=none.", show_default=False),
]
MissingName = Annotated[
    list[str] | None,
    _option(metavar="NAME", help="Marks stretches where nothing could be scored.", show_default=False),
]
CodedName = Annotated[
    list[str] | None,
    _option(metavar="NAME", help="Marks what was coded: frames outside of it are missing.", show_default=False),
]
CodedAus = Annotated[
    str | None,
    _option(help="What the coder looked for, as 1,2,4: what never occurs is in no export.", show_default=False),
]
CodedSpan = Annotated[
    str | None,
    _option(metavar="FROM,TO", help="The stretch that was coded: 0,60 or 0:00,1:00.", show_default="all of the film"),
]
Shift = Annotated[float, _option(metavar="TIME", help="Time to add to coded times: 2.5s or -80ms.", parser=as_seconds)]
MinIntensity = Annotated[
    str, _option(metavar="A-E", help="Intensity from which an action unit is present, A to E or 1 to 5.")
]
OneSided = Annotated[
    names.OneSided, _option(help="AU12L, AU12R: not compared where they are coded (leave_out), or present (count).")
]
Observation = Annotated[str | None, _option(help="BORIS's observation, of several.", show_default=False)]
Subject = Annotated[str | None, _option(help="The subject, where a file codes several.", show_default=False)]
Coder = Annotated[str | None, _option(help="The coder, where a file is by several.", show_default=False)]
FrameRate = Annotated[
    float | None,
    _option(metavar="R", help="Frames a second of hh:mm:ss:ff, or of two coders.", show_default="the film's"),
]
FrameBase = Annotated[int, _option(help="Number of the first frame, 0 or 1, where codes count frames.")]
MissingCode = Annotated[
    list[int] | None,
    _option(metavar="N", help="A number that means missing. Can be repeated.", show_default="-1, 9, 999"),
]
Align = Annotated[Alignment, _option(help="How a code finds its frame.")]
Tolerance = Annotated[
    float | None,
    _option(
        metavar="TIME",
        help="Farthest a coded time may be from its frame.",
        show_default="half a step",
        parser=as_seconds,
    ),
]
Video = Annotated[str | None, _option(help="The table's video that the codes belong to.", show_default="by names")]
Face = Annotated[
    str,
    _option(
        help="The coded face: its number, largest, a CSV of video, face and subject, or auto (the only one, by place, "
        "or of a subject called face N)."
    ),
]


@dataclass(frozen=True, kw_only=True)
class CodesGiven:
    """The command's parameters about codes, as typed."""

    codes: Sequence[Path]
    against: Sequence[Path]
    codes_format: str
    name: Sequence[str]
    missing_name: Sequence[str]
    coded_name: Sequence[str]
    coded_aus: str | None
    coded_span: str | None
    shift: float
    min_intensity: str
    one_sided: names.OneSided
    observation: str | None
    subject: str | None
    coder: str | None
    frame_rate: float | None
    frame_base: int
    missing_code: Sequence[int]
    align: Alignment
    tolerance: float | None
    face: str
    video: str | None

    def reading(self) -> CodeOptions:
        """How to read the codes.

        Raises:
            OptionsError: if a value is not allowed.
        """
        from aucli.human_codes.values import CodeOptions

        return CodeOptions(
            format=self.codes_format,
            names=dict(names.meaning_of(text) for text in self.name),
            missing_names=tuple(self.missing_name),
            coded_names=tuple(self.coded_name),
            coded_aus=numbers(self.coded_aus, "--coded-aus") if self.coded_aus else (),
            coded_span_s=_span(self.coded_span) if self.coded_span else None,
            shift_s=self.shift,
            min_intensity=names.grade_of(self.min_intensity),
            one_sided=self.one_sided,
            observation=self.observation,
            subject=self.subject,
            coder=self.coder,
            frame_rate=self.frame_rate,
            frame_base=self.frame_base,
            missing_codes=frozenset(self.missing_code) or CodeOptions().missing_codes,
        )

    def comparing(self, scoring: ScoringOptions) -> AgreementOptions:
        """How to compare.

        Raises:
            OptionsError: if a value is not allowed.
        """
        from aucli.evaluation.agreement import AgreementOptions

        return AgreementOptions(
            align=self.align,
            tolerance_s=self.tolerance,
            face=_face(self.face),
            video=self.video,
            lost_faces=scoring.lost_faces,
            replicates=scoring.replicates,
            seed=scoring.seed,
        )


def refuse_without_codes(context: typer.Context) -> None:
    """Refuse options about codes where no codes are given.

    Raises:
        OptionsError: naming the first.
    """
    from aucli.errors import OptionsError

    for field in fields(CodesGiven):
        source, parameter = context.get_parameter_source(field.name), field.name
        if source is not None and source.name != "DEFAULT":
            raise OptionsError(f"--{parameter.replace('_', '-')} goes with --codes")


def evaluate_codes(table: list[Path] | None, given: CodesGiven, scoring: ScoringOptions) -> Evaluated:
    """Compare a table with a coder, or two coders.

    Raises:
        AucliError: if a file cannot be read, the codes do not fit, or a choice is needed.
    """
    from aucli.errors import OptionsError
    from aucli.evaluation.agreement import compare_files
    from aucli.evaluation.benchmarks import Evaluated
    from aucli.evaluation.coders import compare_coders

    with fields_as_options(OPTION_OF):
        reading, comparing = given.reading(), given.comparing(scoring)
        if given.against:
            coders = compare_coders(given.codes, given.against, table=table, code_options=reading, options=comparing)
            return Evaluated(coders.evaluation, tuple(as_options(note, OPTION_OF) for note in coders.notes))
        if not table:
            raise OptionsError("--codes needs a table of annotate or the folder of its tables, or --against")
        agreement = compare_files(table, given.codes, code_options=reading, options=comparing)
        return Evaluated(agreement.evaluation, tuple(as_options(note, OPTION_OF) for note in agreement.notes))


def _span(text: str) -> tuple[float, float]:
    """``0,60`` or ``0:00,1:00``."""
    from aucli.errors import OptionsError
    from aucli.human_codes.times import read_time

    times = [read_time(part) for part in text.split(",")]
    if len(times) != 2 or any(time is None or time.frames is not None for time in times):
        raise OptionsError(f"--coded-span is {text!r}; write two times, as 0,60 or 0:00,1:00")
    first, last = (time.seconds for time in times if time is not None)
    return first, last


def _face(text: str) -> FaceWanted:
    from aucli.errors import OptionsError
    from aucli.evaluation.coded_faces import read_face_list

    match number_or_word(text):
        case int(number):
            return number
        case "auto" | "largest" as word:
            return word
    if Path(text).suffix.lower() in (".csv", ".tsv", ".txt") or Path(text).is_file():
        return read_face_list(Path(text))
    raise OptionsError(
        f"--face is {text!r}; allowed are auto, largest, the number of a face, or a CSV with the columns video and face"
    )
