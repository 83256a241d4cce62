"""What summary, episodes, every export and a page of a large table cost: 100 films and 1,000,000 rows if not told else.

    python benchmarks/report.py [--rows 1000000] [--films 100] [--folder DIR] [--steps summary,report]

The table is made up: films of 25 frames/s with one person whose face is lost now and then and a second one in a quarter
of the time, and probabilities that wander; its columns, thresholds and file are those that `annotate` writes with the
bundled model. Each step is a command in a process of its own; printed are its seconds by the clock and of processor
time, its peak memory, and the size of what it wrote. If playwright and Chromium are here, the page is opened as well.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from aucli.annotation.finished import FinishedVideo
from aucli.annotation.records import RunRecord, VideoRecord
from aucli.annotation.resume import Output
from aucli.annotation.segments import WorkFolder
from aucli.annotation.table import table_schema
from aucli.annotation.writing import write_table
from aucli.facs import au_column
from aucli.models.zoo import find_model

FPS = 25.0
LOST_SHARE, SECOND_SHARE = 0.02, 0.2
"""Share of the frames without a face; share of the rows that are the second person's."""
STEPS = {
    "summary": ["summary", "TABLE", "-o", "summary.csv", "--co-occurrence", "pairs.csv"],
    "episodes": ["episodes", "TABLE", "-o", "episodes.csv"],
    "csv": ["export", "TABLE", "--to", "csv", "-o", "x.csv"],
    "xlsx": ["export", "TABLE", "--to", "xlsx", "-o", "x.xlsx"],
    "openface": ["export", "TABLE", "--to", "openface", "-o", "openface"],
    "elan": ["export", "TABLE", "--to", "elan", "-o", "elan"],
    "boris": ["export", "TABLE", "--to", "boris", "-o", "x.boris"],
    "stata": ["export", "TABLE", "--to", "stata", "-o", "x.dta"],
    "spss": ["export", "TABLE", "--to", "spss", "-o", "x.sav"],
    "report": ["report", "TABLE", "-o", "page.html", "--no-pictures"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--films", type=int, default=100)
    parser.add_argument("--folder", type=Path, help="keeps the files; else they go at the end")
    parser.add_argument("--steps", default=",".join(STEPS))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = arguments.folder or Path(name)
        folder.mkdir(exist_ok=True)
        table = folder / "t.parquet"
        if not table.exists():
            make_table(table, arguments.rows // arguments.films, arguments.films)
        print(f"{arguments.films} films, {arguments.rows:,} rows, {table.stat().st_size / 1e6:.0f} MB of Parquet")
        print(f"{'':10}{'seconds':>9}{'CPU s':>9}{'peak MB':>9}{'wrote MB':>10}")
        for step in arguments.steps.split(","):
            measure(step, STEPS[step], folder)
        if "report" in arguments.steps:
            open_page(folder / "page.html")


def make_table(path: Path, rows_per_film: int, n_films: int) -> None:
    """Write a table by the way that `annotate` goes."""
    config = find_model("aunce-small").config
    aus = tuple(map(au_column, config.aus))
    experimental = tuple(map(au_column, config.experimental))
    options = {"detect_every": 1}
    run = RunRecord(
        config.name, config.digest, aus, config.thresholds, "centerface", "0" * 64, options, experimental=experimental
    )
    output = Output.of(path)
    with WorkFolder(output.work_folder, run, overwrite=True) as work:
        done = []
        for film in range(n_films):
            rows = rows_of_film(np.random.default_rng(film), rows_per_film, aus, config.thresholds)
            n_frames, n_faces = rows["frame"][-1].as_py() + 1, len(rows) - rows["face"].null_count
            record = VideoRecord(
                *(n_frames, 0, len(rows), 640, 360, FPS, n_frames / FPS, 0, "h264", "none", 50_000, "0" * 64, None),
                fingerprint=f"{film}",
                n_faces=n_faces,
            )
            segments = work.segments(f"session {film:03d}.mp4", f"{film}")
            segments.append(rows, next_frame=n_frames, state=None, record=record)
            done.append(FinishedVideo.of(segments))
        write_table(output.path, run, done, version="0")
        for video in done:
            video.source.discard()  # type: ignore[union-attr]


def rows_of_film(
    rng: np.random.Generator, n_rows: int, aus: tuple[str, ...], thresholds: tuple[float, ...]
) -> pa.Table:
    """One film: the second person is there in its middle, no face is found now and then at its end."""
    n_second = int(n_rows * SECOND_SHARE)
    n_frames = n_rows - n_second
    frame = np.sort(np.r_[np.arange(n_frames), np.arange(n_second) + n_frames // 4], kind="stable")
    face = np.r_[0, (np.diff(frame) == 0).astype(int)]
    lost = (rng.random(n_rows) < 2 * LOST_SHARE) & (frame > n_frames // 2)
    arrays = []
    shown: dict[str, npt.NDArray[np.float32]] = {}
    for au in aus:
        wave = 2.5 * np.sin(np.cumsum(rng.normal(0, 0.03, n_rows))) + rng.normal(0, 0.3, n_rows) - rng.uniform(0, 3)
        shown[au] = (1 / (1 + np.exp(-wave))).astype(np.float32)
    known = {
        "frame": frame,
        "time_s": frame / FPS,
        "face": face,
        "detected": np.ones(n_rows, bool),
        "interocular_px": rng.normal(45, 6, n_rows),
        "brightness": rng.normal(120, 20, n_rows),
        "sharpness": rng.uniform(0.1, 0.6, n_rows),
        **{au: shown[au] >= np.float32(limit) for au, limit in zip(aus, thresholds, strict=True)},
        **{f"{au}_p": shown[au] for au in aus},
    }
    for field in table_schema(aus, with_video=False):
        values = known.get(field.name, rng.normal(100, 10, n_rows))
        mask = None if field.name in ("frame", "time_s") else lost
        arrays.append(pa.array(values, mask=mask).cast(field.type, safe=False))
    return pa.Table.from_arrays(arrays, schema=table_schema(aus, with_video=False))


def measure(name: str, command: list[str], folder: Path) -> None:
    """Run a command in the folder and print what it cost."""
    words = ["t.parquet" if word == "TABLE" else word for word in command]
    output = folder / words[words.index("-o") + 1]
    if output.is_dir():
        shutil.rmtree(output)
    output.unlink(missing_ok=True)
    begin = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "aucli", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    said = process.stderr.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - begin
    if process.returncode:
        print(f"{name:10} {said.strip().splitlines()[-1]}", flush=True)
        return
    files = [file for file in output.rglob("*") if file.is_file()] if output.is_dir() else [output]
    size = sum(file.stat().st_size for file in files) / 1e6
    cpu_s, peak_mb = used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6
    print(f"{name:10}{seconds:9.1f}{cpu_s:9.1f}{peak_mb:9.0f}{size:10.1f}", flush=True)


def open_page(page: Path) -> None:
    """Open the page in Chromium, and print when it is loaded, its top and its first timeline are drawn, and the
    processor time of its thread."""
    browser_path = shutil.which("chromium") or shutil.which("google-chrome")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        browser_path = None
    if browser_path is None or not page.exists():
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        for _ in range(3):
            context = browser.new_context(offline=True, viewport={"width": 1280, "height": 900})
            tab = context.new_page()
            told = context.new_cdp_session(tab)
            told.send("Performance.enable", {"timeDomain": "threadTicks"})
            begin = time.perf_counter()
            tab.goto(page.as_uri(), wait_until="load")
            loaded_s = time.perf_counter() - begin
            two_frames = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
            tab.evaluate(two_frames)
            drawn_s = time.perf_counter() - begin
            tab.evaluate("() => document.querySelector('figure.timeline').scrollIntoView({ behavior: 'instant' })")
            tab.evaluate(two_frames)
            timeline_s = time.perf_counter() - begin
            metrics = {one["name"]: one["value"] for one in told.send("Performance.getMetrics")["metrics"]}
            cpu_s = metrics["TaskDuration"]
            print(
                f"page opened: loaded in {loaded_s:.2f} s, drawn in {drawn_s:.2f} s, first timeline in "
                f"{timeline_s:.2f} s; {cpu_s:.2f} s of processor time",
                flush=True,
            )
        browser.close()


if __name__ == "__main__":
    main()
