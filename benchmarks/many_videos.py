"""What one table of many short videos costs: written in one go, one video added, recognised, read.

    python benchmarks/many_videos.py [--videos 10000] [--rows 30] [--folder DIR]

The annotation itself is left out: rows of random numbers, in the columns of a model with 12 action units, stand for it,
and files of 50 kB of noise for the videos. All else is what `annotate` does: segments put down and flushed one by one,
joined into a table, the table planned with for the same videos and for one more, one video added, metadata and rows
read. Each step runs in a process of its own, whose peak memory is printed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from aucli.annotation.finished import FinishedVideo
from aucli.annotation.records import RunRecord, VideoRecord
from aucli.annotation.resume import Output, plan_run
from aucli.annotation.segments import WorkFolder
from aucli.annotation.table import read_metadata, table_schema
from aucli.annotation.writing import write_table
from aucli.runtime.fingerprint import fingerprint_files
from aucli.video.inputs import VideoInput

AUS = tuple(f"AU{number:02d}" for number in (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24))
RUN = RunRecord("made-up", "0", AUS, (0.5,) * len(AUS), "centerface", "0", {"detect_every": 1})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--videos", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=30)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--step")
    arguments = parser.parse_args()
    if arguments.step:
        begin = time.perf_counter()
        told = STEPS[arguments.step](arguments.folder, arguments.videos, arguments.rows)
        peak = int(Path("/proc/self/status").read_text(encoding="ascii").split("VmHWM:")[1].split()[0]) / 1024
        print(json.dumps([time.perf_counter() - begin, peak, told]))
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        make_files(folder, arguments.videos + 1)
        print(f"{arguments.videos} videos of {arguments.rows} rows")
        for step in STEPS:
            command = [sys.executable, __file__, "--step", step, "--folder", name]
            command += ["--videos", str(arguments.videos), "--rows", str(arguments.rows)]
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)
            seconds, peak, told = json.loads(done.stdout)
            print(f"{step:<22}{seconds:8.2f} s   peak memory {peak:6.0f} MiB   {told}", flush=True)


def make_files(folder: Path, count: int) -> None:
    noise = np.random.default_rng(0).bytes(50_000)
    (folder / "in").mkdir()
    for number in range(count):
        (folder / "in" / f"v{number:05d}.mp4").write_bytes(number.to_bytes(8, "little") + noise)


def inputs(folder: Path, numbers: range) -> list[VideoInput]:
    names = [f"v{n:05d}.mp4" for n in numbers]
    return [VideoInput(folder / "in" / name, f"in/{name}", name) for name in names]


def made_up_rows(count: int) -> pa.Table:
    rng = np.random.default_rng(0)
    schema = table_schema(AUS, with_video=False)
    columns: list[Any] = []
    for field in schema:
        values = rng.random(count) < 0.5 if pa.types.is_boolean(field.type) else rng.random(count) * 100
        columns.append(np.arange(count) if field.name == "frame" else values)
    arrays = [pa.array(values).cast(field.type, safe=False) for values, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def put_down(work: WorkFolder, videos: list[VideoInput], n_rows: int) -> Iterator[FinishedVideo]:
    rows = made_up_rows(n_rows)
    for video in videos:
        mark = fingerprint_files([video.path])
        record = VideoRecord(n_rows, 0, n_rows, 640, 360, 30.0, 1.0, 0, "h264", "none", 50_008, "0" * 64, None, mark)
        segments = work.segments(video.label, mark)
        segments.append(rows, next_frame=n_rows, state=None, record=record)
        yield FinishedVideo.of(segments)


def write_all(folder: Path, n_videos: int, n_rows: int) -> str:
    output = Output.of(folder / "t.parquet")
    with WorkFolder(output.work_folder, RUN, overwrite=False) as work:
        begin = time.perf_counter()
        done = list(put_down(work, inputs(folder, range(n_videos)), n_rows))
        middle = time.perf_counter()
        write_table(output.path, RUN, done, version="0")
        joined = time.perf_counter() - middle
        for video in done:
            video.source.discard()  # type: ignore[union-attr]
    size = output.path.stat().st_size / 2**20
    return f"segments {middle - begin:.1f} s, joined in {joined:.1f} s, {size:.0f} MiB"


def add_one(folder: Path, n_videos: int, n_rows: int) -> str:
    output = Output.of(folder / "t.parquet")
    new = inputs(folder, range(n_videos, n_videos + 1))
    with WorkFolder(output.work_folder, RUN, overwrite=False) as work:
        plan = plan_run(output, new, RUN, work, overwrite=False)
        write_table(output.path, RUN, [*plan.finished.values(), *put_down(work, new, n_rows)], version="0")
        work.forget([new[0].label])
        for path in output.work_folder.glob("*.parquet"):
            path.unlink()
    return ""


def recognise(folder: Path, n_videos: int, n_rows: int) -> str:  # noqa: ARG001
    output = Output.of(folder / "t.parquet")
    with WorkFolder(output.work_folder, RUN, overwrite=False) as work:
        plan = plan_run(output, inputs(folder, range(n_videos + 1)), RUN, work, overwrite=False)
    return f"{len(plan.skipped)} found finished"


def metadata(folder: Path, n_videos: int, n_rows: int) -> str:  # noqa: ARG001
    return f"{len(read_metadata(folder / 't.parquet')['videos'])} videos"


def read(folder: Path, n_videos: int, n_rows: int) -> str:  # noqa: ARG001
    from aucli.results.read import read_table

    return f"{len(read_table(folder / 't.parquet'))} rows"


def read_one(folder: Path, n_videos: int, n_rows: int) -> str:  # noqa: ARG001
    import pyarrow.parquet as pq

    return f"{len(pq.read_table(folder / 't.parquet', filters=[('video', '=', 'in/v00007.mp4')]))} rows"


STEPS: dict[str, Callable[[Path, int, int], str]] = {
    "all in one call": write_all,
    "one more": add_one,
    "recognise all": recognise,
    "metadata": metadata,
    "read all": read,
    "read one by a filter": read_one,
}


if __name__ == "__main__":
    main()
