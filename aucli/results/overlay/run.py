"""The story: film and table -> rows of each frame -> faces hidden, boxes and bars drawn -> film."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from aucli import __version__
from aucli.errors import OptionsError, StorageError, TableError
from aucli.results.overlay.blur import Hiding, hide, hide_all
from aucli.results.overlay.film import AnnotatedFilm, find_annotated_film
from aucli.results.overlay.layout import FaceReading, PanelLayout, Readings
from aucli.results.overlay.paint import Painter, colour_of
from aucli.results.row_filter import RowFilter
from aucli.runtime.concurrency import iterate_in_thread
from aucli.runtime.files import whole_or_nothing
from aucli.runtime.place import require_place_for_file
from aucli.runtime.progress import OnProgress, Reporter, errors_of_the_caller
from aucli.video.pictures import PHOTOGRAPH
from aucli.video.reader import FrameReader
from aucli.video.writer import FILM_FORMATS, FilmWriter

PICTURE_FORMATS: Final = {
    **{".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"},
    **{".tif": "TIFF", ".tiff": "TIFF", ".bmp": "BMP"},
}
"""Pillow's name of the format by suffix."""
JPEG_QUALITY: Final = 95


@dataclass(frozen=True, kw_only=True)
class OverlayOptions:
    """What is drawn, and what is hidden.

    Attributes:
        face: number of the only face that is drawn; None: all.
        blur_others: make every face but that one unrecognisable.
        anonymise: make every face unrecognisable.
        row_filter: rows that it leaves out have a broken box and no bars; they are hidden like all others.
        sound: take the film's sound over; voices tell who people are.
        overwrite: replace the output if it is there.

    Raises:
        OptionsError: for options that contradict each other.
    """

    face: int | None = None
    blur_others: bool = False
    anonymise: bool = False
    row_filter: RowFilter = field(default_factory=RowFilter)
    sound: bool = True
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.face is not None and self.face < 0:
            raise OptionsError(f"`face` is {self.face}; faces are counted from 0")
        if self.blur_others and self.face is None:
            raise OptionsError("`blur_others` needs `face`: the one that stays clear")
        if self.blur_others and self.anonymise:
            raise OptionsError("`anonymise` blurs every face, `blur_others` every face but one; give one of them")


@dataclass
class OverlayOutcome:
    """What was written.

    Attributes:
        output: the film, or the picture.
        label: the video's name in the table.
        n_frames: frames written.
        n_without_face_row: frames of the table in which no face was found; one that was there is not hidden.
        n_held: of these, and of frames that lack one face of several, those in which a place stays hidden because its
            face was found shortly before or after.
        n_not_in_table: frames that the table does not hold: nothing is drawn, or what was last known; to hide faces
            they are blurred whole.
        n_crowded: frames in which a face had no room for its bars.
        encoder: how the picture is encoded.
        sound: how the sound is taken over, a sentence for each stream.
        notes: what a user should know of how the film was read.
        broken: why the film ends early or where it is damaged; None where all is well.
    """

    output: Path
    label: str
    n_frames: int = 0
    n_without_face_row: int = 0
    n_held: int = 0
    n_not_in_table: int = 0
    n_crowded: int = 0
    encoder: str = ""
    sound: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())
    broken: str | None = None


def overlay(
    video: str | os.PathLike[str],
    table: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    options: OverlayOptions | None = None,
    on_progress: OnProgress | None = None,
) -> OverlayOutcome:
    """Draw what a table says into its video: boxes, face numbers, and the action units that are present with bars.

    Every frame keeps its presentation time; the picture is upright, with square pixels. The output appears when it is
    whole, or not at all.

    Args:
        video: a video, a folder of numbered pictures, or a photograph.
        table: ``x.parquet`` of `annotate`, or the folder given to it. The video is found by its contents.
        output: ``.mp4``, ``.m4v``, ``.mov`` or ``.mkv``; for a photograph ``.png``, ``.jpg``, ``.webp``, ``.tif``,
            ``.bmp``.
        options: see `OverlayOptions`.
        on_progress: called now and then from the calling thread.

    Raises:
        OptionsError: options that contradict each other, a face that is not there, an output that is there already.
        TableError: the table was not made of this video.
        VideoError: the video cannot be read.
        StorageError: the output cannot be written.
    """
    options, place = options or OverlayOptions(), Path(output)
    _check_output(place, [Path(video), Path(table)], options)
    film = find_annotated_film(table, video, options.row_filter)
    _check_face(film, options)
    with (
        errors_of_the_caller(on_progress) as report,
        FrameReader(film.path, batch_size=None, stream=film.stream, picture_rate=film.picture_rate) as reader,
    ):
        is_picture = reader.info.container == PHOTOGRAPH
        _check_suffix(place, is_picture)
        drawing = Drawing(film, options, OverlayOutcome(place, film.label))
        reporter = Reporter(report, [1.0])
        reporter.begin(film.label)
        try:
            with whole_or_nothing(place) as temporary:
                if is_picture:
                    _write_picture(drawing, reader, temporary, PICTURE_FORMATS[place.suffix.lower()])
                else:
                    _write_film(drawing, reader, temporary, FILM_FORMATS[place.suffix.lower()], reporter)
                drawing.check_end(reader)
                if place.exists() and not options.overwrite:  # somebody else was faster
                    raise OptionsError(_is_there(place))
        except OSError as error:
            raise StorageError(f"{place} cannot be written: {error.strerror or error}") from error
        reporter.end(f"{reader.broken}; the frames that decoded are in the film" if reader.broken else None)
        outcome = drawing.outcome
        outcome.notes = (*reader.notes, *([film.left_out] if film.left_out else []))
        outcome.broken = reader.broken
    return outcome


def _write_film(drawing: Drawing, reader: FrameReader, path: Path, container: str, reporter: Reporter) -> None:
    film, outcome = drawing.film, drawing.outcome
    comment = f"aucli {__version__} overlay, action units by {film.model}"
    with FilmWriter(
        path,
        container,
        reader.info,
        with_sound=drawing.options.sound,
        start_s=reader.start_s,
        n_joints=reader.n_joints,
        comment=comment,
    ) as writer:
        with iterate_in_thread(reader, ahead=2) as batches:
            for batch in batches:
                for index, time_s, frame_rgb in zip(
                    batch.index.tolist(), batch.time_s.tolist(), np.asarray(batch.frames_rgb), strict=True
                ):
                    drawing.draw(index, time_s, frame_rgb)
                    writer.write(frame_rgb, time_s)
                reporter.advance(outcome.n_frames, film.record.n_frames, film_s=float(batch.time_s[-1]))
        writer.finish()
        outcome.encoder, outcome.sound = writer.encoder, writer.sound


def _write_picture(drawing: Drawing, reader: FrameReader, path: Path, kind: str) -> None:
    from PIL import Image

    for batch in reader:
        frame_rgb = np.asarray(batch.frames_rgb)[0]
        drawing.draw(int(batch.index[0]), float(batch.time_s[0]), frame_rgb)
        more = {"quality": JPEG_QUALITY, "subsampling": 0} if kind == "JPEG" else {}
        with path.open("wb") as file:
            Image.fromarray(frame_rgb).save(file, kind, **more)
        drawing.outcome.encoder = kind


class Drawing:
    """Draws into the frames of one film, in order.

    Args:
        film: with its rows.
        options: what is asked for.
        outcome: counts what is done.
    """

    def __init__(self, film: AnnotatedFilm, options: OverlayOptions, outcome: OverlayOutcome) -> None:
        self.film, self.options, self.outcome = film, options, outcome
        self._readings = Readings(film.rows, film.au_columns, film.thresholds)
        hidden = film.rows.faces if options.anonymise or options.blur_others else ()
        self._hides = bool(options.anonymise or options.blur_others)
        self._hiding = Hiding(film.rows, [face for face in hidden if options.anonymise or face != options.face])
        self._last_frame = -1
        self._painters: dict[tuple[int, int], tuple[Painter, PanelLayout]] = {}

    def draw(self, frame: int, time_s: float, frame_rgb: npt.NDArray[np.uint8]) -> None:
        """Draw into a frame, in place.

        Raises:
            TableError: if the table's rows of this frame are of another time.
        """
        self.outcome.n_frames += 1
        self._last_frame = frame
        rows = self.film.rows.of_frame(frame, time_s)
        if rows is None:
            self.outcome.n_not_in_table += 1
            if self._hides:
                hide_all(frame_rgb)
                return
            rows = self._still_valid(frame, time_s)
            if rows is None:
                return
        faces = [self._readings.of_row(row) for row in range(rows.start, rows.stop) if self.film.rows.face[row] >= 0]
        self.outcome.n_without_face_row += not faces
        if self._hides:
            self._hide(time_s, faces, frame_rgb)
        self._draw_faces(faces, frame_rgb)

    def check_end(self, reader: FrameReader) -> None:
        """Check that all rows had their frame.

        Raises:
            TableError: if there are more.
        """
        rows = self.film.rows
        if len(rows.frame) and rows.frame[-1] > self._last_frame:
            raise TableError(
                f"the table goes up to frame {rows.frame[-1]}, and {self.film.path} decodes to frame "
                f"{self._last_frame} here ({reader.decoder}); annotate it anew"
            )

    def _still_valid(self, frame: int, time_s: float) -> slice | None:
        """The rows that hold for a frame that was left out on purpose: those of the frame before it, for as long as the
        run's step."""
        rows = self.film.rows.latest_before(frame)
        if rows is None or time_s - self.film.rows.time_s[rows.start] > self.film.every_s:
            return None
        return rows

    def _hide(self, time_s: float, faces: list[FaceReading], frame_rgb: npt.NDArray[np.uint8]) -> None:
        places = self._hiding.at(time_s, {one.face: one.box for one in faces})
        self.outcome.n_held += bool(places.held)
        for box in (*places.held, *places.boxes):
            hide(frame_rgb, box)

    def _draw_faces(self, faces: list[FaceReading], frame_rgb: npt.NDArray[np.uint8]) -> None:
        shown = [one for one in faces if self.options.face in (None, one.face)]
        if not shown:
            return
        height, width, _ = frame_rgb.shape
        if (width, height) not in self._painters:
            painter = Painter(width, height)
            self._painters[width, height] = painter, PanelLayout(painter)
        painter, layout = self._painters[width, height]
        for one in shown:
            painter.box(frame_rgb, one.box, colour_of(one.face), broken=one.left_out)
        panels, n_crowded = layout.place(shown, keep_off=[one.box for one in faces])
        self.outcome.n_crowded += bool(n_crowded)
        for panel in panels:
            reading = panel.reading
            picture = painter.panel(reading.readings, colour_of(reading.face), bars=panel.bars)
            picture.draw(frame_rgb, panel.x, panel.y)
        for one in shown:
            x, y, _, _ = layout.tag_box(one)
            painter.tag(one.face).draw(frame_rgb, round(x), round(y))


def _check_output(place: Path, inputs: list[Path], options: OverlayOptions) -> None:
    if place.suffix.lower() not in (*FILM_FORMATS, *PICTURE_FORMATS):
        raise OptionsError(
            f"`output` is {place}; it must end in {', '.join(FILM_FORMATS)}, or for a photograph in "
            f"{', '.join(PICTURE_FORMATS)}"
        )
    require_place_for_file(place, inputs=inputs)
    if place.exists() and not options.overwrite:
        raise OptionsError(_is_there(place))


def _is_there(place: Path) -> str:
    return f"{place} is there already; choose another `output`, or have it replaced by `overwrite`"


def _check_suffix(place: Path, is_picture: bool) -> None:
    allowed = PICTURE_FORMATS if is_picture else FILM_FORMATS
    if place.suffix.lower() not in allowed:
        kind = "photograph" if is_picture else "film"
        raise OptionsError(f"`output` is {place}; of a {kind} it must end in {', '.join(allowed)}")


def _check_face(film: AnnotatedFilm, options: OverlayOptions) -> None:
    faces = film.rows.faces
    if options.face is not None and options.face not in faces:
        listed = ", ".join(map(str, faces[:10])) + (" ..." if len(faces) > 10 else "")
        raise OptionsError(f"{film.label} has no face {options.face}; it has {listed or 'none'} (`face`)")
