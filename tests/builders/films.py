"""Tables of made-up films for the functions of `results`: rows in the form that `aucli.read` gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl


def film_rows(
    video: str,
    times_s: Sequence[float],
    faces: Mapping[int, Mapping[str, Sequence[float | None]]],
    *,
    frames: Sequence[int] | None = None,
    threshold: float = 0.5,
) -> pl.DataFrame:
    """One film.

    Args:
        video: its name.
        times_s: of its frames.
        faces: face -> action unit -> probability in each frame, None where the face is not seen.
        frames: their numbers; else 0, 1, 2 ...
        threshold: from which an action unit is present.
    """
    aus = list(dict.fromkeys(au for values in faces.values() for au in values)) or ["AU12"]
    rows = []
    for i, time_s in enumerate(times_s):
        frame = frames[i] if frames is not None else i
        here = {face: {au: values[au][i] for au in aus} for face, values in faces.items()}
        seen = {face: values for face, values in here.items() if any(p is not None for p in values.values())}
        for face, values in seen.items() or [(None, dict.fromkeys(aus))]:
            row = {"video": video, "frame": frame, "time_s": time_s, "face": face}
            row |= {au: None if p is None else p >= threshold for au, p in values.items()}
            row |= {f"{au}_p": p for au, p in values.items()}
            rows.append(row)
    schema = {"video": pl.String, "frame": pl.Int32, "time_s": pl.Float64, "face": pl.Int32}
    return pl.DataFrame(
        rows, schema | dict.fromkeys(aus, pl.Boolean) | {f"{au}_p": pl.Float32 for au in aus}, orient="row"
    )


def steady_film(video: str, values: Sequence[float | None], *, rate: float = 25.0, au: str = "AU12") -> pl.DataFrame:
    """One film with one face and one action unit, at a constant frame rate."""
    return film_rows(video, [i / rate for i in range(len(values))], {0: {au: values}})
