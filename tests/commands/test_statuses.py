"""Exit statuses by one rule, over all commands and options: 2 where the command must be written otherwise, 1 where a
file or the machine fails. Either is one line, and with --json one object.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import aucli
from aucli.annotation import supervised
from tests.builders.command_line import environment, run
from tests.builders.media import MadeVideo
from tests.builders.reference import commands
from tests.builders.tables_of_films import table_of_film

COMMANDS = dict(commands())
RIGHT: dict[str, tuple[Any, ...]] = {
    "annotate": ("v.mp4", "-o", "new.parquet"),
    "overlay": ("v.mp4", "t.parquet", "-o", "new.mp4"),
    "report": ("t.parquet", "-o", "new.html"),
    "episodes": ("t.parquet",),
    "summary": ("t.parquet",),
    "export": ("t.parquet", "--to", "elan", "-o", "new.eaf"),
    "evaluate": ("t.parquet", "--codes", "codes.csv"),
    "synth": ("--rig", "norig", "-o", "new"),
    "prepare": ("--dataset", "bp4d", "--root", "data", "-o", "new"),
    "train": ("--dataset", "bp4d", "--root", "data", "-o", "new"),
    "models list": (),
    "models info": ("aunce-small",),
    "models pull": ("buffalo_l",),
    "models import": ("v.mp4",),
    "models export": ("aunce-small", "-o", "new.onnx"),
    "doctor": (),
}
"""Command lines that a word more makes wrong."""

RULES = {"--smooth": "fast", "--min-duration": -1, "--join-gap": "x", "--bridge-gap": "9h"}
FILTER = {"--min-interocular": -1, "--max-yaw": -1, "--max-pitch": "x", "--min-sharpness": -1, "--min-brightness": "x"}
FOLDS = {"--fold": 9, "--numbering": "none"}
SOURCE = {"--dataset": "nosuch", "--option": "nosuch=1", "--people": "not of this data set"}
WRONG: dict[str, dict[str, Any]] = {
    "annotate": {
        **{"--output": "pipe", "--model": "nosuch", "--detector": "nosuch", "--detect-every": 0, "--device": "tpu"},
        **{"--batch-size": 0, "--every": 0, "--fps": 0, "--start": -1, "--end": 0, "--max-faces": 0, "--min-face": 1},
        **{"--threshold": "high", "--hysteresis": -1, "--steady-crops": -1, "--stream": -1, "--picture-rate": 0},
        **{"--workers": 0, "--root": "nosuch", "--report": "x.pdf", "--precision": "int4"},
    },
    "overlay": {"--output": "v.mp4", "--face": 7, "--min-interocular": -1, "--max-yaw": -1},
    "report": {"--output": "x.pdf", "--video-folder": "nosuch", "--video": "nosuch", **FILTER},
    "episodes": {"--output": "t.parquet", "--aus": "99", **RULES, **FILTER},
    "summary": {
        **{"--output": "x.txt", "--co-occurrence": "folder.csv", "--people": "people.csv", "--by": "nosuch"},
        **{"--aus": "smile", **RULES, **FILTER},
    },
    "export": {"--to": "nosuch", "--output": "x.csv", "--aus": "99", **RULES, **FILTER},
    "evaluate": {
        **{"--codes-format": "nosuch", "--name": "smile", "--coded-aus": "x", "--coded-span": "1", "--shift": "x"},
        **{"--min-intensity": "F", "--one-sided": "x", "--frame-rate": 0, "--frame-base": 2, "--missing-code": "x"},
        **{"--align": "x", "--tolerance": -1, "--face": "x", "--model": "aunce-small", "--lost-faces": "x"},
        **{"--replicates": -1, "--metric": "x", "--format": "x", "--output": "codes.csv", "--subject": "nosuch"},
    },
    "synth": {
        **{"--out": "v.mp4", "--kind": "x", "--count": -1, "--size": 0, "--seed": -1, "--workers": -1},
        **{"--per-person": 0, "--seconds": 0, "--fps": 0},
    },
    "prepare": {
        **{"--out": "v.mp4", "--detector": "nosuch", "--device": "tpu", "--workers": 0, "--batch-size": 0},
        **{"--side": 1, "--border": 9, **SOURCE},
    },
    "train": {
        **{
            "--out": "v.mp4",
            "--recipe": "nosuch",
            "--from": "nosuch",
            "--set": "nosuch=1",
            "--device": "tpu",
            "--checkpoint-every": 0,
        },
        **FOLDS,
        **SOURCE,
    },
    "models import": {"--aus": "1,2", "--name": "../x"},
    "models export": {"--output": "x.txt"},
}
"""A wrong value for every option that takes one."""

FILES = {"--root", "--cache", "--folds-dir", "--rig", "--codes", "--against"}
"""Options that name files to read: one that is missing is a failure, see below."""
GO_WITH_ANOTHER = {"evaluate": {"--dataset", "--aus", "--device", "--fold", "--numbering", "--option"}}
"""Of a model on a benchmark; with codes they are not looked at."""
ANYTHING = {
    "report": {"--title"},
    "evaluate": {"--missing-name", "--coded-name", "--observation", "--coder", "--video"},
}
"""Whatever is typed makes sense, or is what one file of codes may have: that is told when the file is read."""


@pytest.fixture(scope="module")
def things(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film and its table, codes, and one of each thing that is none of these."""
    folder = tmp_path_factory.mktemp("things")
    table_of_film(MadeVideo(n_frames=4).write(folder / "v.mp4"), folder / "t.parquet", lambda _: {0: (4, 4, 20, 20)})
    (folder / "codes.csv").write_text("frame,AU12\n0,1\n1,0\n2,1\n3,1\n")
    (folder / "people.csv").write_text("video,condition\nv.mp4,a\n")
    (folder / "text.csv").write_text("a,b\n1,2\n")
    (folder / "text.parquet").write_text("a,b\n1,2\n")
    (folder / "text.onnx").write_text("a,b\n1,2\n")
    (folder / "empty.parquet").touch()
    (folder / "cut.parquet").write_bytes((folder / "t.parquet").read_bytes()[:-100])
    (folder / "folder.csv").mkdir()
    (folder / "data").mkdir()
    os.mkfifo(folder / "pipe")
    return folder


@pytest.fixture(autouse=True)
def here(things: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[set[Path]]:
    """What lies there stays as it is."""
    monkeypatch.chdir(things)
    monkeypatch.setattr(supervised, "annotate_supervised", aucli.annotate)  # in this process: sooner
    before = {path: path.stat().st_mtime_ns for path in things.rglob("*")}
    yield set(before)
    assert {path: path.stat().st_mtime_ns for path in things.rglob("*")} == before


def _told(command: str, *words: object, code: int) -> str:
    """Run a command, with --json as well, and return what it says: one line, one object."""
    result = run(*command.split(), *words, "--json", code=code)
    line: str
    (line,) = result.stderr.splitlines()
    said = json.loads(result.stdout)
    assert (said["schema"], said["command"], said["exit_status"]) == (1, command, code)
    assert line == f"error: {said['error']['message']}"
    assert "Errno" not in line
    assert "`" not in line, "a field of the library has no option"
    return str(line)


def test_every_command_ends_well_in_one_object(things: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`run` reads what is printed; here is only what every command needs to end well."""
    monkeypatch.chdir(tmp_path)
    for name in ("v.mp4", "t.parquet"):
        (tmp_path / name).write_bytes((things / name).read_bytes())
    right = {
        "annotate": ("v.mp4", "-o", "new.parquet"),
        "evaluate": ("t.parquet", "--codes", "t.parquet"),
        **{name: RIGHT[name] for name in ("overlay", "report", "episodes", "summary", "export")},
        **{name: RIGHT[name] for name in ("models list", "models info")},
    }
    for command, words in right.items():
        result = run(*command.split(), *words, "--json")
        assert result.stderr == "", command
    # What takes longer, and what needs a network, ends well in tests of their own, read by the same `run`.
    tests = Path(__file__).parent
    elsewhere = {name: name for name in ("doctor", "synth", "prepare", "train")}
    elsewhere |= {f"models {name}": "models" for name in ("pull", "import", "export")}
    for file in elsewhere.values():
        assert '"--json"' in (tests / f"test_{file}.py").read_text(encoding="utf-8")
    assert right.keys() | elsewhere.keys() == COMMANDS.keys()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full")
def test_a_result_that_cannot_be_printed_is_a_failure() -> None:
    with Path("/dev/full").open("w") as full:
        words = [sys.executable, "-m", "aucli", "models", "list", "--json"]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, env=environment(), check=False)
    assert (done.returncode, done.stderr) == (1, "error: No space left on device\n")


def test_every_option_with_a_value_is_in_the_table() -> None:
    for words, command in COMMANDS.items():
        taking = {p.opts[0] for p in command.params if p.param_type_name == "option" and not p.is_flag} - {"--help"}
        known = WRONG.get(words, {}).keys() | ANYTHING.get(words, set()) | GO_WITH_ANOTHER.get(words, set())
        assert taking - FILES - known == set(), words
        assert known <= taking, words


@pytest.mark.parametrize(("command", "option"), [(c, option) for c, options in WRONG.items() for option in options])
def test_a_wrong_value_is_wrong_usage(command: str, option: str) -> None:
    value = WRONG[command][option]
    more = ("--people", "people.csv") if option == "--by" else ()
    short = {"--output": "-o", "--out": "-o"}.get(option, option)
    line = _told(command, *RIGHT[command], option, value, *more, code=2)
    assert option in line or short in line or repr(value) in line, line


SEVERAL = {"annotate", "episodes", "summary", "export", "evaluate"}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("annotate", ("--every", 1, "--fps", 1)),
        ("overlay", ("--blur-others",)),
        ("overlay", ("--anonymise", "--blur-others", "--face", 0)),
        ("export", ("--raw", "--smooth", 1)),
        ("export", ("--to", "csv", "-o", "new.csv", "--raw")),
        ("summary", ("-o", "x.csv", "--co-occurrence", "x.csv")),
        ("evaluate", ("--model", "aunce-small", "--dataset", "bp4d")),
        *((command, ("one", "more")) for command in RIGHT if command not in SEVERAL),
        *((command, ("",)) for command in RIGHT),
    ],
)
def test_what_contradicts_itself_is_wrong_usage(command: str, words: tuple[object, ...]) -> None:
    _told(command, *RIGHT[command], *words, code=2)


NO_TABLES = {
    "nosuch.parquet": "does not exist; name a table of annotate (x.parquet), or a folder of them",
    "x*.parquet": "fits no file; name a table of annotate (x.parquet), or a folder of them",
    "data": "holds no .parquet file; name a table of annotate (x.parquet), or a folder of them",
    "empty.parquet": "is empty; name a table of annotate (x.parquet)",
    "text.parquet": "is no Parquet file; name a table of annotate (x.parquet)",
    "v.mp4": "is no Parquet file; name a table of annotate (x.parquet)",
    "pipe": "is a pipe or device; name a table of annotate (x.parquet)",
    "cut.parquet": "is damaged: its end is missing; copy or make it again",
}


@pytest.mark.parametrize("table", NO_TABLES)
@pytest.mark.parametrize("command", ["overlay", "report", "episodes", "summary", "export", "evaluate"])
def test_what_is_no_table_is_a_failure(command: str, table: str) -> None:
    words = [table if word == "t.parquet" else word for word in RIGHT[command]]
    assert _told(command, *words, code=1) == f"error: {table} {NO_TABLES[table]}"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("annotate", "data", "-o", "new.parquet"), "the folder holds no video"),
        (("annotate", "pipe", "-o", "new.parquet"), "is a pipe, not a video file"),
        (("annotate", "@nosuch", "-o", "new.parquet"), "the list cannot be read"),
        (("annotate", "v.mp4", "-o", "new.parquet", "--model", "data"), "is a folder without config.json"),
        (("annotate", "v.mp4", "-o", "new.parquet", "--detector", "nosuch.onnx"), "nosuch.onnx does not exist"),
        (("annotate", "v.mp4", "-o", "new.parquet", "--detector", "antelopev2"), "fetch it with: aucli models pull"),
        (("overlay", "nosuch.mp4", "t.parquet", "-o", "new.mp4"), "there is no such file"),
        (("overlay", "pipe", "t.parquet", "-o", "new.mp4"), "is a pipe or device; name a video"),
        (("overlay", "text.csv", "t.parquet", "-o", "new.mp4"), "text.csv: is not a video, or its header is damaged"),
        (("summary", "t.parquet", "--people", "nosuch.csv", "--by", "a"), "nosuch.csv does not exist; name a CSV"),
        (("summary", "t.parquet", "--people", "pipe", "--by", "a"), "pipe is a pipe or device; name a CSV"),
        (("summary", "t.parquet", "--people", "t.parquet", "--by", "a"), "t.parquet is not text"),
        (("summary", "t.parquet", "--people", "text.csv", "--by", "a"), "text.csv has no column video, but a, b"),
        (("evaluate", "t.parquet", "--codes", "nosuch.csv"), "nosuch.csv does not exist; name a file of codes"),
        (("evaluate", "t.parquet", "--codes", "pipe"), "pipe is a pipe or device; name a file of codes"),
        (("evaluate", "t.parquet", "--codes", "data"), "data holds no file of codes"),
        (("evaluate", "--codes", "codes.csv", "--against", "nosuch"), "nosuch does not exist; name a file of codes"),
        (("evaluate", "data"), "data holds no predictions.parquet"),
        (("evaluate", "--model", "aunce-small", "--dataset", "bp4d", "--root", "nosuch"), "nosuch is not a folder"),
        (("prepare", "--dataset", "bp4d", "--root", "nosuch", "-o", "new"), "nosuch is not a folder"),
        (("synth", "--rig", "nosuch", "-o", "new"), "nosuch"),
        (("models import", "nosuch"), "nosuch does not exist; what can be imported is"),
        (("models import", "v.mp4"), "v.mp4 is no model; what can be imported is"),
        (("models import", "text.onnx"), "error: text.onnx is no ONNX graph, or is damaged"),
        (("synth", "--rig", "text.csv", "-o", "new"), "text.csv is not a packed rig (.npz); give facekit.npz"),
        (("models info", "data"), "data is a folder without config.json"),
    ],
)
def test_a_file_that_is_missing_or_of_another_kind_is_a_failure(words: tuple[str, ...], message: str) -> None:
    command, *rest = words
    assert message in _told(command, *rest, code=1)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="a folder that even its owner cannot write to")
@pytest.mark.parametrize(
    ("command", "place"),
    [
        *(("annotate", place) for place in ("/proc/x.parquet", "/proc/x")),
        *(("overlay", "/proc/x.mp4"), ("report", "/proc/x.html"), ("export", "/proc/x.eaf"), ("export", "/proc/x")),
        *((command, "/proc/x.csv") for command in ("episodes", "summary", "evaluate")),
        *((command, "/proc/x") for command in ("prepare", "train")),
        ("models export", "/proc/x.onnx"),
    ],
)
def test_a_place_that_the_machine_forbids_is_a_failure_told_before_any_work(command: str, place: str) -> None:
    line = _told(command, *RIGHT[command], "-o", place, code=1)
    assert line.startswith("error: cannot write into /proc: ")
    assert line.endswith("; choose another -o") or line.endswith("; choose another --out")


@pytest.mark.parametrize("place", ["/dev/null", "/dev/full", "pipe", "text.csv/x", "-"])
@pytest.mark.parametrize("command", [c for c in RIGHT if "-o" in RIGHT[c] or c in ("episodes", "summary", "evaluate")])
def test_a_place_that_is_no_file_and_no_folder_is_wrong_usage(command: str, place: str) -> None:
    _told(command, *RIGHT[command], "-o", place, code=2)
