"""Runs of `aucli synth`: determinism, resumption, what is refused, the table."""

from __future__ import annotations

import dataclasses
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import CliRunner

from aucli.errors import OptionsError, RigError
from aucli.synth import generation
from aucli.synth.expressions import SYNTH_AUS
from aucli.synth.generation import SCHEMA_NUMBER, generate
from aucli.synth.options import SynthOptions
from aucli.synth.rig import load_rig, save_rig
from aucli.synth.studio import Studio


def small(rig: Path, out: Path, **changes: Any) -> SynthOptions:
    chosen: dict[str, Any] = {"count": 5, "size_px": 64, "pictures_per_person": 2, "workers": 1, "supersampling": 1.0}
    return SynthOptions(rig=rig, out=out, **{**chosen, **changes})


def content(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}


@pytest.mark.slow
def test_workers_hand_their_errors_back(rig_path: Path, tmp_path: Path) -> None:
    rig = load_rig(rig_path)
    save_rig(
        dataclasses.replace(rig, expressions=rig.expressions[3:], expression_names=rig.expression_names[3:]),
        tmp_path / "rig.npz",
    )
    with pytest.raises(RigError, match="lacks the shapes"):
        generate(small(tmp_path / "rig.npz", tmp_path / "out", workers=2))


@pytest.fixture(scope="module")
def made(photographer: Studio, rig_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five pictures of three people, by one worker; to be read, or copied."""
    out = tmp_path_factory.mktemp("made") / "out"
    assert generate(small(rig_path, out)).frames == 5
    return out


@pytest.fixture
def out(made: Path, tmp_path: Path) -> Path:
    """A copy of them."""
    return shutil.copytree(made, tmp_path / "out")


@pytest.mark.slow
def test_same_seed_same_bytes_for_any_number_of_workers(made: Path, rig_path: Path, tmp_path: Path) -> None:
    assert generate(small(rig_path, tmp_path / "shared", workers=2)).frames == 5
    assert content(made) == content(tmp_path / "shared")
    generate(small(rig_path, tmp_path / "other", seed=1, count=1))
    first = Path("pictures", "00000", "0000000.jpg")
    assert (made / first).read_bytes() != (tmp_path / "other" / first).read_bytes()


@pytest.mark.slow
def test_a_stopped_run_goes_on(rig_path: Path, out: Path) -> None:
    whole = content(out)
    (out / "labels.parquet").unlink()
    (out / "parts" / "0000001.parquet").unlink()
    again = generate(small(rig_path, out))
    assert (again.rendered_units, again.kept_units) == (1, 2)
    assert content(out) == whole
    # What was lost, emptied or cut off afterwards is made again as well.
    (out / "pictures" / "00000" / "0000001.jpg").unlink()
    (out / "pictures" / "00000" / "0000002.jpg").write_bytes(b"")
    (out / "parts" / "0000002.parquet").write_bytes(whole["parts/0000002.parquet"][:100])
    assert generate(small(rig_path, out)).rendered_units == 3
    assert content(out) == whole
    with pytest.raises(OptionsError, match="seed=0, not seed=7"):
        generate(small(rig_path, out, seed=7))


@pytest.mark.slow
def test_a_folder_holds_renders_of_one_rig(photographer: Studio, rig_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    generate(small(rig_path, out, count=0))
    rig = photographer.body.rig
    save_rig(dataclasses.replace(rig, neutral=rig.neutral * np.float32(1.001)), tmp_path / "other.npz")
    for count in (0, 4):
        with pytest.raises(OptionsError, match="holds a run with another rig"):
            generate(small(tmp_path / "other.npz", out, count=count))
    assert generate(small(rig_path, out, count=0)).frames == 0


def test_a_table_of_somebody_else_is_not_overwritten(rig_path: Path, tmp_path: Path) -> None:
    table = tmp_path / "labels.parquet"
    foreign = pa.table({"path": ["mine.mp4"], "AU12": [1]})
    pq.write_table(foreign, table)
    before = content(tmp_path)
    with pytest.raises(OptionsError, match=r"labels\.parquet is not the table of a run in this folder"):
        generate(small(rig_path, tmp_path, count=0))
    assert content(tmp_path) == before
    # Neither beside a run's own note.
    table.unlink()
    generate(small(rig_path, tmp_path, count=0))
    pq.write_table(foreign, table)
    with pytest.raises(OptionsError, match="is not the table of a run"):
        generate(small(rig_path, tmp_path, count=0))
    assert pq.read_table(table).equals(foreign)


@pytest.mark.slow
def test_a_shorter_run_does_not_cut_a_finished_one(rig_path: Path, out: Path) -> None:
    whole = content(out)
    for count in (0, 2):
        with pytest.raises(OptionsError, match=f"finished run of 5 pictures; `count` {count} would cut it"):
            generate(small(rig_path, out, count=count))
    assert generate(small(rig_path, out)).kept_units == 3
    assert content(out) == whole


@pytest.mark.parametrize(("schema", "made"), [(None, "an aucli that wrote no schema down"), (1, "schema 1")])
def test_renders_of_another_version_are_called_so(
    rig_path: Path, tmp_path: Path, schema: int | None, made: str
) -> None:
    generate(small(rig_path, tmp_path, count=0))
    note = tmp_path / "synth.json"
    noted = json.loads(note.read_text())
    # The first ones wrote no digest of the rig down either.
    del noted["schema"], noted["rig_sha256"]
    note.write_text(json.dumps(noted if schema is None else {**noted, "schema": schema}))
    with pytest.raises(OptionsError, match=f"holds renders of {made}; this aucli makes schema {SCHEMA_NUMBER}"):
        generate(small(rig_path, tmp_path, count=0))


def test_no_more_workers_than_cores_that_may_be_used(
    rig_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class RefusedError(Exception):
        pass

    def pool(workers: int, *_: object) -> None:
        raise RefusedError(workers)

    monkeypatch.setattr(generation, "available_cores", lambda: 3)
    monkeypatch.setattr(generation, "ProcessPoolExecutor", pool)
    with pytest.raises(RefusedError, match="3"):
        generate(small(rig_path, tmp_path, count=20, workers=0))


def test_a_rig_with_too_few_people_is_refused(photographer: Studio, tmp_path: Path) -> None:
    rig = photographer.body.rig
    for modes in (0, 99):
        save_rig(dataclasses.replace(rig, identities=rig.identities[:modes]), tmp_path / "few.npz")
        with pytest.raises(RigError, match=f"few.npz has {modes} identity modes; 100 are needed"):
            generate(small(tmp_path / "few.npz", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_places_that_cannot_be_written_to(rig_path: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OptionsError, match=r"`out` is .*file(, which is a file; name a folder|, not a folder)"):
            generate(small(rig_path, out, count=0))
    assert (tmp_path / "file").read_text() == "mine"
    for damaged in ("", "[1]", "{"):
        (tmp_path / "synth.json").write_text(damaged)
        with pytest.raises(OptionsError, match=r"synth\.json is damaged"):
            generate(small(rig_path, tmp_path, count=0))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="killing is POSIX's")
def test_workers_end_quietly_when_the_run_is_killed(photographer: Studio, rig_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    folders = ["--rig", str(rig_path), "--out", str(out)]
    options = ["--count", "4000", "--per-person", "1", "--size", "64", "--workers", "2", "-q"]
    command = [sys.executable, "-m", "aucli", "synth", *folders, *options]
    with (tmp_path / "told").open("wb") as told:
        run = subprocess.Popen(command, stdout=told, stderr=told)
        deadline = time.monotonic() + 120
        while run.poll() is None and not list(out.glob("parts/*.parquet")) and time.monotonic() < deadline:
            time.sleep(0.05)
        run.kill()
        assert run.wait() == -signal.SIGKILL
    rendered = -1
    while rendered != len(list(out.rglob("*"))) and time.monotonic() < deadline:
        rendered = len(list(out.rglob("*")))
        time.sleep(0.5)
    assert time.monotonic() < deadline
    assert b"Traceback" not in (tmp_path / "told").read_bytes()


@pytest.mark.slow
def test_a_longer_run_completes_a_shorter_one(made: Path, rig_path: Path, tmp_path: Path) -> None:
    generate(small(rig_path, tmp_path, count=3))
    grown = generate(small(rig_path, tmp_path))
    assert (grown.rendered_units, grown.frames) == (2, 5)  # the second person had one picture of two
    assert content(tmp_path) == content(made)


def test_table_fits_the_pictures(made: Path) -> None:
    rows = pq.read_table(made / "labels.parquet").to_pylist()
    assert [row["person"] for row in rows] == [0, 0, 1, 1, 2]
    for row in rows:
        with Image.open(made / row["path"]) as picture:
            assert picture.size == (64, 64)
        assert {row[f"AU{au:02d}"] for au in SYNTH_AUS} <= {-1, 0, 1}
        assert all(0 <= row[f"AU{au:02d}_intensity"] <= 5 for au in SYNTH_AUS)


def test_nothing_asked_for_gives_an_empty_table(rig_path: Path, tmp_path: Path) -> None:
    result = generate(small(rig_path, tmp_path, count=0))
    assert result.frames == 0
    table = pq.read_table(result.table)
    assert table.num_rows == 0
    assert "AU12" in table.column_names


@pytest.mark.slow
def test_videos(photographer: Studio, rig_path: Path, tmp_path: Path) -> None:
    import av

    options = small(rig_path, tmp_path, kind="videos", count=1, seconds=0.2, fps=25.0)
    rows = pq.read_table(generate(options).table).to_pylist()
    assert [row["frame"] for row in rows] == list(range(5))
    assert rows[2]["time_s"] == pytest.approx(0.08)
    with av.open(str(tmp_path / rows[0]["path"])) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert sum(1 for _ in container.decode(video=0)) == 5
    # The settings that libx264 writes into the stream: with macroblock trees, the bytes are not the same every time.
    assert b"mbtree=0" in (tmp_path / rows[0]["path"]).read_bytes()
    first = content(tmp_path)
    again = small(rig_path, tmp_path / "again", kind="videos", count=1, seconds=0.2, fps=25.0, workers=2)
    generate(again)
    assert content(tmp_path / "again") == first


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"count": -1}, "`count` is -1"),
        ({"count": 10**7}, "allowed is 0 to 9999999"),
        ({"size_px": 65}, "even number"),
        ({"kind": "films"}, "pictures or videos"),
        ({"seed": 2**63}, "`seed` is 9223372036854775808; allowed is 0 to"),
        ({"kind": "videos", "seconds": 0.2, "fps": 1}, "`seconds` 0.2 at `fps` 1 make no whole frame"),
        ({"seconds": float("nan")}, "`seconds` is nan"),
    ],
)
def test_options_check_themselves(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(OptionsError, match=message):
        SynthOptions(rig=tmp_path, out=tmp_path, **changes)


def test_command(photographer: Studio, rig_path: Path, tmp_path: Path) -> None:
    from aucli.cli import app

    runner = CliRunner()
    folders = ["synth", "--rig", str(rig_path), "--out", str(tmp_path / "out")]
    arguments = [*folders, "--count", "1", "--size", "64", "--workers", "1"]
    done = runner.invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / "labels.parquet").is_file()
    missing = runner.invoke(app, ["synth", "--rig", str(tmp_path / "none"), "--out", str(tmp_path / "o")])
    assert missing.exit_code == 1
    assert "no rig at" in missing.output
    refused = runner.invoke(app, [*folders, "--size", "7"])
    assert refused.exit_code == 2
