"""How fast episodes and summaries of a large table are: a made-up one of 100 films, 1,000,000 rows and 8 action units.

    python benchmarks/findings.py --rows 1000000

Prints rows per second of processor time and of the clock, and how far the process grew.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable

import numpy as np
import polars as pl

import aucli

AUS = ("AU01", "AU02", "AU04", "AU06", "AU10", "AU12", "AU25", "AU26")
FILMS = 100


def made_up(n_rows: int) -> pl.DataFrame:
    """Films of 25 frames/s with one face that is lost in 1 % of the frames, and probabilities that wander."""
    rng, n = np.random.default_rng(0), n_rows // FILMS
    lost = pl.Series("lost", rng.uniform(size=n * FILMS) < 0.01)
    rows = pl.DataFrame(
        {
            "video": np.repeat([f"{film:03d}.mp4" for film in range(FILMS)], n),
            "frame": np.tile(np.arange(n, dtype=np.int32), FILMS),
            "time_s": np.tile(np.arange(n) / 25, FILMS),
        }
    ).with_columns(pl.when(~lost).then(pl.lit(0, pl.Int32)).alias("face"))
    for au in AUS:
        wave = 3 * np.sin(np.cumsum(rng.normal(0, 0.05, n * FILMS))) + rng.normal(0, 0.3, n * FILMS)
        p = pl.Series((1 / (1 + np.exp(-wave))).astype(np.float32))
        rows = rows.with_columns(pl.when(~lost).then(p >= 0.5).alias(au), pl.when(~lost).then(p).alias(f"{au}_p"))
    return rows


def _measure(name: str, work: Callable[[], object], n_rows: int) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin, begin_cpu = time.perf_counter(), time.process_time()
    work()
    wall_s, cpu_s = time.perf_counter() - begin, time.process_time() - begin_cpu
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{name:9} {n_rows / cpu_s:12,.0f} rows/s of processor time {n_rows / wall_s:12,.0f} by the clock", end="")
    print(f" {grown:8,.0f} MB more at most")


def main() -> None:
    """Make the table, then measure."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = made_up(parser.parse_args().rows)
    thresholds = dict.fromkeys(AUS, 0.5)
    _measure("episodes", lambda: aucli.episodes(rows, thresholds=thresholds), len(rows))
    _measure("summary", lambda: aucli.summary(rows, thresholds=thresholds), len(rows))


if __name__ == "__main__":
    main()
