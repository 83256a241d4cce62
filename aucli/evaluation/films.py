"""The films of a table of annotate: which one codes belong to, its frames, and which of its faces was coded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import numpy.typing as npt

from aucli.errors import OptionsError, TableError
from aucli.facs import au_column
from aucli.human_codes.film_names import FilmNames, MediaLink, nearest, several
from aucli.human_codes.pairing import FilmFrames

if TYPE_CHECKING:
    import polars

_LISTED: Final = 5
NEEDED_COLUMNS: Final = ("video", "frame", "time_s", "face", "x", "y", "w", "h")


@dataclass(frozen=True)
class Claim:
    """The films that codes may belong to.

    Attributes:
        films: none, one, or several between which nobody can tell.
        by: the ``name`` of the film; the file name at the end of a ``link`` whose folders are called otherwise; or the
            name of the ``file`` of codes, where the codes name a film that is not there.
    """

    films: tuple[str, ...]
    by: Literal["name", "link", "file"]


class Films:
    """The films of a table, found by name (`aucli.human_codes.film_names`).

    Args:
        table: as `aucli.results.read.read_table` gives it.
        others: names of videos that the table knows and has no row of: what is called so is none of the others.

    Raises:
        TableError: if a column is lacking.
    """

    def __init__(self, table: polars.DataFrame, others: Sequence[str] = ()) -> None:
        import polars as pl

        lacking = [column for column in NEEDED_COLUMNS if column not in table.columns]
        if lacking:
            raise TableError(f"the table has no column {lacking[0]}; is it one of annotate's?")
        self._rows = {
            str(name): rows
            for (name,), rows in table.with_columns(pl.col("video").cast(pl.String))
            .partition_by("video", as_dict=True, maintain_order=True)
            .items()
        }
        self.names = tuple(self._rows)
        self._found: dict[str, Film] = {}
        self._known = FilmNames(tuple(dict.fromkeys([*self.names, *others])))

    def __contains__(self, name: str) -> bool:
        """Whether the table has rows of a film."""
        return name in self._rows

    def named(self, wanted: str) -> tuple[str, ...]:
        """Every film that a name may mean."""
        return self._known.named(wanted)

    def require(self, wanted: str) -> str:
        """The film of a name that somebody chose.

        Raises:
            TableError: if it fits none, or several.
        """
        fits = self.named(wanted)
        if len(fits) == 1 and fits[0] in self:
            return fits[0]
        if len(fits) == 1:
            raise TableError(f"`video` is {wanted}, of which the table has no frame")
        if fits:
            raise TableError(f"`video` is {wanted}, which fits {several(fits)}; write one of these")
        alike = self._known.called_like(wanted) or self.names
        raise TableError(f"`video` is {wanted}, which fits none of the table's videos: {some_names(alike)}")

    def claimed(self, wanted: str | None, source: Path, *, alone: bool) -> Claim:
        """The films that codes belong to.

        Args:
            wanted: the name or link in the codes, if there is one.
            source: their file.
            alone: whether it is about one film; then its own place and name may tell, where there is no name but a
                link, or nothing: ``interview3.txt`` goes with ``interview3.mp4``.
        """
        if wanted is None:
            return Claim(self.names if len(self.names) == 1 else self._known.called_like(str(source)), "name")
        is_link = isinstance(wanted, MediaLink)
        if fits := self.named(wanted):
            return Claim(nearest(str(source), fits) if is_link and alone else fits, "name")
        if fits := self._known.fitting(wanted):
            return Claim(nearest(str(source), fits) if alone else fits, "link")
        return Claim(self._known.called_like(str(source)) if is_link and alone else (), "file")

    def rate(self, wanted: str | None, source: Path) -> float | None:
        """Frames per second of the film that codes belong to; None if that is not clear or it has one frame."""
        fits = self.claimed(wanted, source, alone=True).films
        return self[fits[0]].frames.rate if len(fits) == 1 and fits[0] in self else None

    def __getitem__(self, name: str) -> Film:
        if name not in self._found:
            self._found[name] = Film(name, self._rows[name])
        return self._found[name]


def some_names(names: Sequence[str]) -> str:
    """The first of some names."""
    return ", ".join(names[:_LISTED]) + (" ..." if len(names) > _LISTED else "")


class Film:
    """One film: its frames, and the faces in them.

    Attributes:
        name: as in the table.
        frames: those of the table.
        faces: (F,) numbers of the faces, ascending.

    Raises:
        TableError: if a row has no frame or time.
    """

    def __init__(self, name: str, rows: polars.DataFrame) -> None:
        import polars as pl

        self.name = name
        frames = rows.select("frame", "time_s").unique("frame").sort("frame")
        if frames["time_s"].null_count() or frames["frame"].null_count():
            raise TableError(f"the table has rows of {name} without frame or time_s")
        self.frames = FilmFrames(
            name, frames["frame"].to_numpy().astype(np.int64), frames["time_s"].to_numpy().astype(np.float64)
        )
        self._seen = rows.filter(pl.col("face").is_not_null())
        self.faces: tuple[int, ...] = tuple(sorted(self._seen["face"].unique().to_list()))

    def choose(self, wanted: int | Literal["auto", "largest"]) -> FaceRows:
        """One face in every frame.

        Raises:
            OptionsError: if there are several and none was chosen, or the chosen one is not there.
        """
        import polars as pl

        if wanted == "largest":
            chosen = self._seen.sort(pl.col("w") * pl.col("h"), descending=True, maintain_order=True)
            return FaceRows(self, chosen.unique("frame", keep="first", maintain_order=True), "the largest")
        if wanted == "auto":
            if len(self.faces) > 1:
                raise OptionsError(
                    f"{self.name} has {len(self.faces)} faces ({self.listed_faces}); say which one was coded with "
                    "`face`, or take the largest"
                )
            return FaceRows(self, self._seen, f"{self.faces[0]}, the only one" if self.faces else "none")
        if wanted not in self.faces:
            raise OptionsError(f"{self.name} has no face {wanted}; it has {self.listed_faces or 'none'} (`face`)")
        return FaceRows(self, self._seen.filter(pl.col("face") == wanted), f"{wanted} of {len(self.faces)}")

    @cached_property
    def listed_faces(self) -> str:
        """Faces with the share of frames that each is in: ``0 in 98 %, 1 in 12 %``."""
        counts = dict(self._seen["face"].value_counts().iter_rows())
        listed = [f"{face} in {100 * counts[face] / len(self.frames.frame):.0f} %" for face in self.faces[:8]]
        return ", ".join(listed) + (" ..." if len(self.faces) > 8 else "")

    def at_places(
        self, rows: Sequence[npt.NDArray[np.int64]], centres_xy: Sequence[npt.NDArray[np.float64]]
    ) -> list[FaceRows]:
        """The faces that lie where the coded subjects are.

        A coded face belongs to a box of the table that holds its centre; in every frame the nearest pair comes first,
        and each is used once.

        Args:
            rows: per subject (K,) rows of the film's frames with a code.
            centres_xy: per subject (K, 2) centre of the coded face, px.

        Returns:
            One value per subject.
        """
        import polars as pl

        coded = pl.concat(
            pl.DataFrame(
                {"frame": self.frames.frame[at], "subject": np.full(len(at), p), "cx": xy[:, 0], "cy": xy[:, 1]}
            )
            for p, (at, xy) in enumerate(zip(rows, centres_xy, strict=True))
        )
        boxes = self._seen.select(pl.col("frame").cast(pl.Int64), "face", "x", "y", "w", "h")
        dx, dy = pl.col("cx") - pl.col("x") - pl.col("w") / 2, pl.col("cy") - pl.col("y") - pl.col("h") / 2
        pairs = (
            coded.join(boxes, on="frame")
            .with_columns(distance=(dx**2 + dy**2).sqrt())
            .filter((dx.abs() <= pl.col("w") / 2) & (dy.abs() <= pl.col("h") / 2))
            .sort("frame", "distance", "subject", "face")
            .select("frame", "subject", "face")
        )
        used: set[tuple[str, int, int]] = set()
        chosen: list[tuple[int, int, int]] = []
        for frame, subject, face in pairs.iter_rows():
            if ("subject", frame, subject) not in used and ("face", frame, face) not in used:
                used |= {("subject", frame, subject), ("face", frame, face)}
                chosen.append((frame, subject, face))
        found = pl.DataFrame(chosen, schema={"frame": pl.Int64, "subject": pl.Int64, "face": pl.Int64}, orient="row")
        keyed = self._seen.with_columns(pl.col("frame").cast(pl.Int64), pl.col("face").cast(pl.Int64))
        return [
            FaceRows(
                self, keyed.join(found.filter(pl.col("subject") == p), on=["frame", "face"], how="semi"), "by place"
            )
            for p in range(len(rows))
        ]


@dataclass(frozen=True, eq=False)
class FaceRows:
    """At most one face per frame of a film.

    Attributes:
        film: the film.
        rows: of the table, one per frame in which the face is.
        choice: which face it is, in words.
    """

    film: Film
    rows: polars.DataFrame
    choice: str

    def results(self, aus: tuple[int, ...]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """(N, A) probabilities, NaN in frames without the face, and (N, A) decisions."""
        import polars as pl

        columns = [au_column(au) for au in aus]
        frames = pl.DataFrame({"frame": self.film.frames.frame})
        rows = self.rows.select(pl.col("frame").cast(pl.Int64), *columns, *(f"{c}_p" for c in columns))
        joined = frames.join(rows, on="frame", how="left", maintain_order="left")
        probabilities = joined.select(pl.col(f"{c}_p").cast(pl.Float32).fill_null(float("nan")) for c in columns)
        decided = joined.select(pl.col(c).cast(pl.Boolean).fill_null(False) for c in columns)
        return probabilities.to_numpy(), decided.to_numpy()
