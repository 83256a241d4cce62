"""The notebook of the docs: it runs from beginning to end, and what its text says of the results is so."""

from __future__ import annotations

from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).resolve().parents[2] / "docs" / "tutorial.ipynb"
WHAT_THE_TEXT_SAYS = """
assert outcome.n_frames == 200 and not outcome.failures
smile = episodes.filter(pl.col("au") == "AU12")
assert smile["face"].to_list() == [0]
pull = faces.filter((pl.col("face") == 1) & pl.col("time_s").is_between(6, 7))["AU12_p"].max()
assert thresholds["AU12"] < pull < thresholds["AU12"] + 0.15
assert abs(smile["onset_s"][0] - 0.9) < 0.1 and abs(smile["offset_s"][0] - 2.6) < 0.1
assert set(smile["onset_reason"]) | set(smile["offset_reason"]) == {"probability"}
rows_of = {au: both.filter(pl.col("au") == au) for au in aus}
n_found = {au: its.filter(pl.col("true") == 1)["found"].sum() / (its["true"] == 1).sum() for au, its in rows_of.items()}
assert n_found["AU04"] == n_found["AU12"] == 1 and n_found["AU06"] == 0
assert found.left_out.n_left_out == 0  # "Here all rows stay"
files = sorted(path.name for path in folder.iterdir())
assert files == ["aus.csv", "aus.parquet", "aus.sav", "clip.eaf", "report.html"]
"""


@pytest.mark.slow
def test_the_tutorial_runs_and_its_text_is_true() -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("altair")
    notebook = nbformat.read(NOTEBOOK, 4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "committed without outputs: the site shows its own"
    notebook.cells.append(nbformat.v4.new_code_cell(WHAT_THE_TEXT_SAYS))
    nbclient.NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(NOTEBOOK.parent)}}).execute()
