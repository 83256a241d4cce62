"""The prepared faces of a source: opened, and made first where they are not there."""

from __future__ import annotations

from aucli.datasets.cache.reader import CachedFaces
from aucli.datasets.cache.writer import INDEX_NAME, REPORT_NAME, failures_of, require_options
from aucli.datasets.prepare import PrepareOptions, prepare
from aucli.datasets.source import DatasetSource
from aucli.errors import DatasetError
from aucli.runtime.progress import OnProgress


def open_faces(
    source: DatasetSource, *, device: str = "auto", on_progress: OnProgress | None = None
) -> tuple[CachedFaces, tuple[str, ...]]:
    """The prepared faces of a benchmark, and what is wrong with them, one line each.

    They are prepared now if the root is given and that was not done, not finished, something could not be read then, or
    the data set grows (`Benchmark.grows`): then films that were prepared before are kept. Any other finished cache is
    taken as it is, without a lock: options that are given must be those it was made with.

    Args:
        source: the benchmark.
        device: where faces are detected if they must be prepared.
        on_progress: called while they are prepared, sequence by sequence.

    Raises:
        AucliError: if there is no finished cache and no root, or the cache is of another data set or options.
    """
    cache = source.cache_folder
    finished = (cache / INDEX_NAME).is_file()
    if source.root is not None and (not finished or source.benchmark.grows or failures_of(cache)):
        prepare(PrepareOptions(source=source, device=device), on_progress=on_progress)
    faces = CachedFaces.open(cache)
    held = sorted({sequence.dataset for sequence in faces.sequences})
    if held != [source.dataset]:
        raise DatasetError(f"the cache {cache} holds {', '.join(held) or 'nobody'}, not {source.dataset}")
    given = source.reader_options
    require_options(cache, {name: value for name, value in given.as_json().items() if name in given.model_fields_set})
    failed = failures_of(cache)
    if not failed:
        return faces, ()
    shown = "; ".join(f"{name} ({problem})" for name, problem in list(failed.items())[:3])
    more = "; ..." if len(failed) > 3 else ""
    return faces, (
        f"{len(failed)} sequences could not be read, or not wholly, when the faces were prepared: {shown}{more}; "
        f"all are in {cache / REPORT_NAME}; repair them and give `root` to read them again",
    )
