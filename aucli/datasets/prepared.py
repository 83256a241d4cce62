"""The prepared faces of a source: opened, and made first where they are not there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from aucli.datasets.cache.reader import CachedFaces
from aucli.datasets.cache.writer import INDEX_NAME, REPORT_NAME, failures_of, manifest_of, require_options
from aucli.datasets.prepare import BORDER, SIDE_PX, PrepareOptions, prepare
from aucli.datasets.source import DatasetSource
from aucli.errors import DatasetError
from aucli.faces.alignment import CropSpec
from aucli.runtime.progress import OnProgress

ROUNDING: Final = 0.01
"""By how much more than its own pixels a crop may take from a picture whose side is a whole number."""

LAST_DIGITS: Final = 4
"""By how many floating-point numbers a quotient of a quotient may be off."""


def open_faces(
    source: DatasetSource,
    *,
    crop: CropSpec | None = None,
    may_enlarge: bool = True,
    device: str = "auto",
    on_progress: OnProgress | None = None,
) -> tuple[CachedFaces, tuple[str, ...]]:
    """The prepared faces of a benchmark, and what is wrong with them, one line each.

    They are prepared now if the root is given and that was not done, not finished, something could not be read then, or
    the data set grows (`Benchmark.grows`): then films that were prepared before are kept. Faces are as large as the
    crop asks for where nothing is there yet, else as those that are there. Any other finished cache is taken as it is,
    without a lock: options that are given must be those it was made with.

    Args:
        source: the benchmark.
        crop: the largest that will be cut; None for annotate's.
        may_enlarge: whether a cache whose faces are smaller than in the crop is used, with a line that says so.
        device: where faces are detected if they must be prepared.
        on_progress: called while they are prepared, sequence by sequence.

    Raises:
        AucliError: if there is no finished cache and no root, or the cache is of another data set or options, or of
            smaller faces than is allowed.
    """
    wanted, cache = pictures_for(crop or CropSpec()), cache_for(source, crop)
    source = replace(source, cache=cache)
    problems = () if crop is None else _enlarged(cache, crop, may_enlarge=may_enlarge)
    finished = (cache / INDEX_NAME).is_file()
    if source.root is not None and (not finished or source.benchmark.grows or failures_of(cache)):
        made = _pictures_of(cache) or wanted
        prepare(PrepareOptions(source=source, device=device, **made), on_progress=on_progress)
    faces = CachedFaces.open(cache)
    held = sorted({sequence.dataset for sequence in faces.sequences})
    if held != [source.dataset]:
        raise DatasetError(f"the cache {cache} holds {', '.join(held) or 'nobody'}, not {source.dataset}")
    given = source.reader_options
    require_options(cache, {name: value for name, value in given.as_json().items() if name in given.model_fields_set})
    splits = source.benchmark.splits
    if source.root is not None and splits is not None:
        faces = faces.with_splits(splits(source.root, given))
    failed = failures_of(cache)
    if not failed:
        return faces, problems
    shown = "; ".join(f"{name} ({problem})" for name, problem in list(failed.items())[:3])
    more = "; ..." if len(failed) > 3 else ""
    return faces, (
        *problems,
        f"{len(failed)} sequences could not be read, or not wholly, when the faces were prepared: {shown}{more}; "
        f"all are in {cache / REPORT_NAME}; repair them and give `root` to read them again",
    )


def cache_for(source: DatasetSource, crop: CropSpec | None) -> Path:
    """Where the faces for a crop are, or will be: larger ones beside the usual ones, where the source does not say."""
    side_px, folder = pictures_for(crop or CropSpec())["side_px"], source.cache_folder
    return folder.with_name(f"{folder.name}-{side_px}px") if source.cache is None and side_px > SIDE_PX else folder


def pictures_for(crop: CropSpec) -> Mapping[str, Any]:
    """Side and border of pictures, as `PrepareOptions` has them, out of which a crop is cut without enlarging a face.

    Where the usual ones do not suffice, annotate's crop of the same resolution lies in the picture pixel on pixel: what
    is cut out of it is not interpolated a second time.
    """
    side = math.ceil(crop.size_px * crop.scale / CropSpec.scale - ROUNDING)
    if side * BORDER <= SIDE_PX:
        return {"side_px": SIDE_PX, "border": BORDER}
    whole = side + 2 * math.ceil(side * (BORDER - 1) / 2)
    return {"side_px": whole, "border": whole / side}


def _crop_of(cache: Path) -> CropSpec | None:
    """How faces lie in the pictures of a cache; None where there is none, or it does not say."""
    manifest = manifest_of(cache)
    described = manifest and manifest["content"].get("crop")
    return CropSpec(**described) if described else None


def _pictures_of(cache: Path) -> Mapping[str, Any] | None:
    """Side and border with which the pictures of a cache were made; None where there is none, or it does not say."""
    made = _crop_of(cache)
    if made is None:
        return None
    return {"side_px": made.size_px, "border": border_of(made.scale)}


def border_of(scale: float) -> float:
    """The border with which pictures of this scale were made, to the last digit: any other would be another cache."""
    border = CropSpec.scale / scale
    near = [round(border, 9), border]
    for towards in (0.0, math.inf):
        one = border
        for _ in range(LAST_DIGITS):
            one = math.nextafter(one, towards)
            near.append(one)
    return next((one for one in near if CropSpec.scale / one == scale), border)


def _enlarged(cache: Path, crop: CropSpec, *, may_enlarge: bool) -> tuple[str, ...]:
    """A line on faces that are smaller in a cache than in the crop, if they are.

    Raises:
        DatasetError: if they are, and that is not allowed.
    """
    made = _crop_of(cache)
    if made is None:
        return ()
    times = crop.size_px * crop.scale / (made.size_px * made.scale)
    if times <= 1 + ROUNDING:
        return ()
    side = pictures_for(crop)["side_px"]
    held = f"{cache} holds faces in pictures of {made.size_px} px"
    problem = f"{held}, which crops of {crop.size_px} px enlarge {times:.2f} times"
    if not may_enlarge:
        raise DatasetError(
            f"{problem}, and the recipe does not allow it (may_enlarge); make another with aucli prepare --side {side}"
        )
    return (f"{problem}; one of aucli prepare --side {side} would not be enlarged",)
