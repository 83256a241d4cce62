"""docs/r.md: its commands and its R, run where R has the packages; what R finds is what aucli finds."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import polars as pl
import pytest

import aucli
from tests.builders.command_line import run
from tests.builders.page_blocks import blocks, commands_in
from tests.builders.study_of_conditions import write_study_of_conditions

RSCRIPT = shutil.which("Rscript")
pytestmark = pytest.mark.skipif(RSCRIPT is None, reason="there is no R here")
COMMANDS = [code for _, code in blocks("r.md", "sh")]
PARTS = [code for _, code in blocks("r.md", "r")]
PACKAGE = re.compile(r"^library\((\w+)\)", re.MULTILINE)


def package(code: str) -> str:
    """The one that some R needs, or nothing."""
    return next(iter(PACKAGE.findall(code)), "")


def in_r(code: str, folder: Path) -> list[str]:
    """Run R code in a folder; warnings are errors. What it prints, by line."""
    script = folder / "page.R"
    script.write_text("options(warn = 2)\n" + code, encoding="utf-8")
    assert RSCRIPT is not None
    done = subprocess.run([RSCRIPT, "--vanilla", script.name], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [line.rstrip() for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study, after all commands of the page."""
    folder = tmp_path_factory.mktemp("study")
    write_study_of_conditions(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for words in commands_in("".join(COMMANDS)):
            run(*words)
    return folder


def test_without_packages(study: Path) -> None:
    code = "".join(part for part in PARTS if not package(part))
    of_conditions = "aggregate(share_present ~ condition, data = people, FUN = mean)$share_present"
    values = ("people$share_present", of_conditions, "c(mean(share$AU12), nrow(share))", "phi", "sum(whole)")
    printed = in_r(code + "\n".join(f'cat("=", {value}, "\\n")' for value in values), study)
    by_participant, by_condition, shares, phi, whole = (
        [float(word) for word in line.split()[1:]] for line in printed if line.startswith("=")
    )
    good = aucli.RowFilter(min_interocular_px=30, max_yaw_deg=30)
    tables = study / "tables"
    groups = aucli.summary(tables, people=study / "people.csv", by=["participant", "condition"], aus=12).groups
    known = groups.filter(pl.col("participant").is_not_null())
    assert known["share_present"].min() == 0, "somebody never shows it, and counts"
    assert by_participant == pytest.approx(known["share_present"].to_list(), rel=1e-5)
    means = known.group_by("condition", maintain_order=True).agg(pl.col("share_present").mean())
    assert by_condition == pytest.approx(means.sort("condition")["share_present"].to_list(), rel=1e-5)
    rows = good.mark(aucli.read(tables)).drop_nulls("face").filter(pl.col("left_out").is_null())
    of_faces = rows.group_by("video", "face").agg(pl.col("AU12").mean())["AU12"]
    assert shares == pytest.approx([of_faces.mean(), len(of_faces)], rel=1e-5)
    correlation = rows.select(pl.corr(pl.col("AU12").cast(pl.Float64), pl.col("AU25").cast(pl.Float64))).item()
    assert phi == pytest.approx([correlation], rel=1e-5)
    both = (pl.col("onset_reason") == "probability") & (pl.col("offset_reason") == "probability")
    assert whole == [len(aucli.episodes(tables, aus=12).filter(both))]


CHECKS = {
    "survival": 'cat("=", durations$n == nrow(begun), quantile(durations, 0.5)$quantile >= median(begun$duration_s))',
    "haven": 'cat("=", attr(labelled$AU12, "label"), counts[["present"]], nrow(labelled), nrow(same))',
    "arrow": 'cat(sprintf("= %.6f %d", mean(rows$AU12, na.rm = TRUE), nrow(study)))',
    "nanoparquet": 'cat(sprintf("= %.6f", mean(rows$AU12, na.rm = TRUE)))',
}


@pytest.mark.parametrize("part", [part for part in PARTS if package(part)], ids=package)
def test_with_a_package(part: str, study: Path) -> None:
    name = package(part)
    if in_r(f'cat("{name}" %in% rownames(installed.packages()))', study) != ["TRUE"]:
        pytest.skip(f"R has no {name} here")
    before = next(one for one in PARTS if one.startswith("episodes <-"))
    printed = in_r(f"{before}{part}{CHECKS[name]}", study)
    rows = aucli.read(study / "tables")
    anna = rows.filter(pl.col("video") == "study/p1/anna.mp4").select(pl.col("AU12").mean()).item()
    expected = {
        "survival": "= TRUE TRUE",
        "haven": f"= AU12 Lip corner puller: present {rows['AU12'].sum()} {len(rows)} {len(rows)}",
        "arrow": f"= {anna:.6f} {len(rows)}",
        "nanoparquet": f"= {anna:.6f}",
    }
    assert printed[-1] == expected[name]
