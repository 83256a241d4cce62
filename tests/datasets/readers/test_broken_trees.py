"""Whatever is wrong with a copy, the answer is a report or one line that a user can act on, never a traceback."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from aucli.datasets.folds import make_folds
from aucli.datasets.load import load_dataset
from aucli.datasets.pictures import read_sequence, sequence_rows
from aucli.datasets.report import Findings
from aucli.errors import AucliError
from tests.builders.benchmark_trees import make_affwild2, make_bp4d, make_bp4dplus, make_disfa, make_disfaplus, make_gft

MAKERS: dict[str, Callable[[Path], Path]] = {
    "bp4d": make_bp4d,
    "bp4dplus": make_bp4dplus,
    "disfa": make_disfa,
    "disfaplus": make_disfaplus,
    "gft": make_gft,
    "affwild2": make_affwild2,
}
CELLS = (b"", b"9", b"x", b"-1", b"1e9", b"99999999999", b"nan", b"inf")


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: make(tmp_path_factory.mktemp(name) / name) for name, make in MAKERS.items()}


def damage(root: Path, chance: random.Random) -> str:
    """Break one thing in a tree and say which."""
    files = sorted(p for p in root.rglob("*") if p.is_file())
    labels = [p for p in files if p.suffix in (".csv", ".txt", ".tsv")]
    path = chance.choice(labels if chance.random() < 0.7 else files)
    content = path.read_bytes()
    lines, line = content.split(b"\n"), chance.randrange(content.count(b"\n") + 1)
    how = chance.choice(["delete", "truncate", "garbage", "line", "cell", "folder", "rename", "double"])
    if how == "delete":
        path.unlink()
    elif how == "truncate":
        path.write_bytes(content[: chance.randint(0, len(content))])
    elif how == "garbage":
        path.write_bytes(content[:20] + bytes(chance.choices(range(256), k=3)) + content[20:])
    elif how == "line":
        path.write_bytes(b"\n".join(lines[:line] + lines[line + 1 :]))
    elif how == "cell":
        lines[line] = lines[line].replace(chance.choice([b"1", b"0", b",", b"AU"]), chance.choice(CELLS), 1)
        path.write_bytes(b"\n".join(lines))
    elif how == "folder":
        path = chance.choice(sorted(p for p in root.rglob("*") if p.is_dir()))
        shutil.rmtree(path)
        if chance.random() < 0.5:
            path.write_bytes(b"not a folder")
    elif how == "rename":
        path.rename(path.with_name(chance.choice(["x", "SN999", "F999_T9", "7", "video"]) + path.suffix))
    else:
        shutil.copy(path, path.with_name("0" + path.name))
    return f"{how} {path.relative_to(root)}"


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("name", MAKERS)
def test_damage_is_reported_or_refused_in_one_line(
    trees: dict[str, Path], tmp_path: Path, name: str, seed: int
) -> None:
    root = tmp_path / name
    shutil.copytree(trees[name], root)
    print(damage(root, random.Random(f"{name} {seed}")))
    message = ""
    try:
        samples, report = load_dataset(name, root)
        assert report.to_table()
        findings = Findings()
        read = sum(len(p.rows) for rows in sequence_rows(samples) for p in read_sequence(samples, rows, findings))
        lost = sum(f.count for f in findings.items if f.effect == "dropped")
        assert read + lost == len(samples)
        make_folds(samples)
    except AucliError as error:
        message = str(error)
    assert "\n" not in message
