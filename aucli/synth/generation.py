"""`aucli synth`: from a rig to labelled pictures or videos.

Work is cut into units, one person or one video each, and every unit draws from its own seed: so the result does not
depend on how many processes share the work, and a run that was stopped goes on with the units that are missing.
"""

from __future__ import annotations

import json
import multiprocessing
import multiprocessing.connection
import os
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from aucli.errors import OptionsError, RenderError, RigError
from aucli.runtime.device import available_cores
from aucli.runtime.files import whole_or_nothing
from aucli.runtime.packages import NEEDED_BY, require
from aucli.runtime.place import require_place_for_folder
from aucli.runtime.progress import OnProgress, Reporter
from aucli.synth.appearance import IDENTITY_MODES
from aucli.synth.expressions import SYNTH_AUS
from aucli.synth.options import SynthOptions
from aucli.synth.rig import Rig, find_rig, load_rig, save_rig
from aucli.synth.table import SCHEMA

TABLE_NAME: Final = "labels.parquet"
OPTIONS_NAME: Final = "synth.json"
SCHEMA_NUMBER: Final = 2
"""Which pictures and labels the options give: raised whenever the same seed draws others. 1 wrote no number down."""
_PARTS: Final = "parts"
_TABLE_KEY: Final = b"aucli.synth"


@dataclass(frozen=True)
class SynthResult:
    """What a run has made.

    Attributes:
        table: the label table, one row per frame.
        frames: rows in it.
        rendered_units, kept_units: units rendered now, and found from an earlier run.
        device: what drew, as OpenGL names it; empty where nothing was left to draw.
    """

    table: Path
    frames: int
    rendered_units: int
    kept_units: int
    device: str


def generate(options: SynthOptions, *, on_progress: OnProgress | None = None) -> SynthResult:
    """Render pictures or videos with their label table.

    Args:
        options: what to render. A folder that holds an unfinished run with the same options is completed.
        on_progress: called now and then from the calling thread.

    Raises:
        OptionsError: if the folder holds a run with other options, of another rig or of another version of aucli, a
            longer finished run, or a label table that is no run's; or if no folder can be there.
        StorageError: if this machine does not let it be written.
        RigError: if the rig cannot be read, or not be rendered.
        RenderError: if there is no OpenGL.
        MissingPackageError: if moderngl is not installed.
    """
    require(*NEEDED_BY["synth"], for_="rendering")
    out = options.out
    require_place_for_folder(out, field="out")
    rig = _whole_rig(options.rig)
    content = {"schema": SCHEMA_NUMBER, **options.content(), "rig_sha256": rig.sha256}
    _claim(options, content)
    missing = [unit for unit in range(options.units) if not _is_whole(options, unit)]
    kept = options.units - len(missing)
    devices = []
    reporter = Reporter(on_progress, [options.units], unit="people" if options.kind == "pictures" else "videos")
    reporter.begin("rendering")
    reporter.go_on_from(kept)
    for done, device in enumerate(_rendered(options, rig, missing), start=kept + 1):
        devices.append(device)
        reporter.advance(done, options.units)
    reporter.end()
    frames = _merge(out, options, content)
    return SynthResult(out / TABLE_NAME, frames, len(missing), kept, devices[-1] if devices else "")


def _whole_rig(path: Path) -> Rig:
    """Read a rig and check, before anything is written, that people can be made of it."""
    rig = load_rig(path)
    modes = len(rig.identities)
    if modes < IDENTITY_MODES:
        raise RigError(f"{path} has {modes} identity modes; {IDENTITY_MODES} are needed{_absent_identities(path)}")
    return rig


def _absent_identities(path: Path) -> str:
    """Names of the OBJ files that would make a folder's identities whole, for a message."""
    there = {found.name for found in path.rglob("identity*.obj")}
    absent = [name for name in (f"identity{number:03d}.obj" for number in range(IDENTITY_MODES)) if name not in there]
    if not path.is_dir() or not absent:
        return ""
    return f": it lacks {', '.join(absent[:3])}" + (f" and {len(absent) - 3} more" if len(absent) > 3 else "")


def _claim(options: SynthOptions, content: dict[str, Any]) -> None:
    """Write down what this folder holds, or check that it holds the same, before anything in it is touched."""
    out = options.out
    note = out / OPTIONS_NAME
    noted = note.is_file()
    if noted:
        _check_note(note, content)
    if (out / TABLE_NAME).exists():
        _check_table(out / TABLE_NAME, options, noted=noted)
    (out / _PARTS).mkdir(parents=True, exist_ok=True)
    if not noted:
        with whole_or_nothing(note) as temporary:
            temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _check_note(note: Path, content: dict[str, Any]) -> None:
    out = note.parent
    try:
        found = json.loads(note.read_text(encoding="utf-8"))
        changed = [name for name in content if found.get(name) != content[name]]
    except (ValueError, AttributeError):
        raise OptionsError(f"{note} is damaged: choose another `out`, or remove that folder") from None
    if "schema" in changed:
        made = f"schema {found['schema']}" if "schema" in found else "an aucli that wrote no schema down"
        raise OptionsError(
            f"{out} holds renders of {made}; this aucli makes schema {SCHEMA_NUMBER}, whose pictures and labels "
            "differ: choose another `out`"
        )
    if changed == ["rig_sha256"]:
        raise OptionsError(f"{out} holds a run with another rig than this one: choose another `out`")
    if changed:
        was, now = (", ".join(f"{name}={source.get(name)}" for name in changed) for source in (found, content))
        raise OptionsError(f"{out} holds a run with {was}, not {now}: choose another `out`")


def _check_table(table: Path, options: SynthOptions, *, noted: bool) -> None:
    """Overwrite no table but a run's own, and no longer one by a shorter one."""
    try:
        metadata = pq.read_metadata(table)
    except (OSError, pa.ArrowException):
        metadata = None
    if not noted or metadata is None or _TABLE_KEY not in (metadata.metadata or {}):
        raise OptionsError(f"{table} is not the table of a run in this folder: choose another `out`, or move it away")
    if metadata.num_rows > options.frames:
        what = "pictures" if options.kind == "pictures" else "frames"
        raise OptionsError(
            f"{table.parent} holds a finished run of {metadata.num_rows} {what}; `count` {options.count} would cut "
            "it: give a `count` that is as large, or choose another `out`"
        )


def _part(out: Path, unit: int) -> Path:
    return out / _PARTS / f"{unit:07d}.parquet"


def _is_whole(options: SynthOptions, unit: int) -> bool:
    """Whether a unit is there with its rows and its files: the last one of a shorter run may lack some."""
    try:
        part = pq.read_table(_part(options.out, unit), columns=["path"])
    except (OSError, pa.ArrowException):  # not there, or cut off
        return False
    files = {options.out / place for place in part["path"].to_pylist()}
    return part.num_rows == options.frames_of(unit) and all(file.is_file() and file.stat().st_size for file in files)


def _rendered(options: SynthOptions, rig: Rig, units: list[int]) -> Iterator[str]:
    """Render units in parallel; yields the name of the device after each."""
    if not units:
        return
    workers = min(options.workers or available_cores(), len(units))
    with _packed_rig(options.rig, rig) as rig_path:
        job = (str(rig_path), options)
        if options.workers == 1:  # in this very process, on demand only: see `aucli.datasets.free.sources`
            _start_worker(*job)
            yield from map(_render_unit, units)
            _stop_worker()
            return
        # Fresh processes: a GPU context does not survive a fork.
        context = multiprocessing.get_context("spawn")
        with _one_thread_each(), ProcessPoolExecutor(workers, context, _start_worker, job) as pool:
            try:
                for done in as_completed([pool.submit(_render_unit, unit) for unit in units]):
                    yield done.result()
            except BrokenProcessPool:
                raise RenderError(
                    "a rendering process was killed (out of memory?): try again with fewer `workers`; "
                    "what is finished is kept"
                ) from None
            finally:
                pool.shutdown(cancel_futures=True)


@contextmanager
def _packed_rig(path: Path, rig: Rig) -> Iterator[Path]:
    """The rig as one file that each process loads quickly; OBJ folders are packed first."""
    path = find_rig(path)
    if path.is_file():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="aucli-rig-") as folder:
        packed = Path(folder) / "rig.npz"
        save_rig(rig, packed)
        yield packed


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Keep Mesa's software renderer and BLAS from starting a thread per CPU in each of as many processes."""
    names = ("LP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update({name: "0" if name == "LP_NUM_THREADS" else "1" for name in names})
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


_job: tuple[str, SynthOptions] | None = None
_studio: Any = None


def _end_with_parent() -> None:
    """Let this process end, quietly, with the one that gives it work, should that be killed."""
    if multiprocessing.parent_process() is not None:
        threading.Thread(target=_end_if_alone, args=(None,), daemon=True).start()


def _end_if_alone(timeout_s: float | None) -> None:
    """End this process if its parent ends within a time, or whenever it does (None)."""
    parent = multiprocessing.parent_process()
    if parent is not None and multiprocessing.connection.wait([parent.sentinel], timeout_s):
        os._exit(1)


def _start_worker(rig_path: str, options: SynthOptions) -> None:
    """Remember the job. The studio opens with the first unit, whose caller hears of what goes wrong."""
    global _job
    _end_with_parent()
    _job = (rig_path, options)


def _stop_worker() -> None:
    global _job, _studio
    _studio.close()
    _job = _studio = None


def _render_unit(unit: int) -> str:
    from aucli.synth.studio import Studio
    from aucli.synth.units import render_pictures, render_video

    global _studio
    assert _job is not None
    rig_path, options = _job
    if _studio is None:
        _studio = Studio(load_rig(rig_path), size_px=options.size_px, supersampling=options.supersampling)
    render = render_pictures if options.kind == "pictures" else render_video
    rows = render(_studio, options, unit)
    with whole_or_nothing(_part(options.out, unit)) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), temporary, compression="zstd")
    _end_if_alone(0.0)  # nobody is left to take the result, and a broken pipe would tell so at length
    return str(_studio.description)


def _merge(out: Path, options: SynthOptions, content: dict[str, Any]) -> int:
    """Join the parts, in order, into one table."""
    schema = SCHEMA.with_metadata({_TABLE_KEY: json.dumps({**content, "aus": list(SYNTH_AUS)})})
    frames = 0
    with (
        whole_or_nothing(out / TABLE_NAME) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd") as writer,
    ):
        waiting: list[pa.Table] = []
        for unit in range(options.units):
            waiting.append(pq.read_table(_part(out, unit), schema=SCHEMA))
            if len(waiting) == 256 or unit == options.units - 1:
                table = pa.concat_tables(waiting).replace_schema_metadata(schema.metadata)
                writer.write_table(table)
                frames += table.num_rows
                waiting = []
    return frames
