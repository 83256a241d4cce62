"""The order of the rooms: who may import whom, read from the imports themselves."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders.texts import texts_of

PACKAGE = Path(__file__).resolve().parents[1] / "aucli"

# From the top of the house to its ground. A room imports only rooms that stand below it.
ORDER = (
    "__main__",
    "cli",
    "commands",
    "doctor",
    "training",
    "evaluation",
    "datasets",
    "synth",
    "results",
    "annotation",
    "models",
    "faces",
    "video",
    "human_codes",
    "runtime",
    "facs",
    "errors",
)
# Importing the package itself gives its version; its other names are lazy and only for users.
PACKAGE_NAMES = {"__version__"}
MAX_LINES = 420


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def room_of(module: str) -> str:
    return module.split(".")[1]


def imports_of(path: Path) -> set[str]:
    """Every module of aucli that a file imports, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] == "aucli"}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            if (node.module or "").split(".")[0] == "aucli":
                for alias in node.names:
                    whole = f"{node.module}.{alias.name}"
                    if whole in FILES:
                        found.add(whole)
                    elif node.module != "aucli" or alias.name not in PACKAGE_NAMES:
                        found.add(str(node.module))
    return found


IMPORTS = {module: imports_of(path) for module, path in FILES.items() if module != "aucli"}


def test_every_room_has_its_place() -> None:
    assert {room_of(module) for module in IMPORTS} == set(ORDER)


@pytest.mark.parametrize("module", IMPORTS)
def test_rooms_import_only_what_stands_below(module: str) -> None:
    for imported in IMPORTS[module]:
        assert imported in FILES, f"{module} imports {imported}, which is no module"
        assert imported != "aucli", f"{module} imports the package; import the room instead"
        here, there = room_of(module), room_of(imported)
        assert ORDER.index(here) <= ORDER.index(there), f"{module} imports {imported}, which stands above it"


def test_no_import_goes_round_in_a_circle() -> None:
    done: set[str] = set()

    def visit(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, " -> ".join([*above[above.index(module) :], module])
        if module not in done:
            for imported in IMPORTS.get(module, ()):
                visit(imported, (*above, module))
            done.add(module)

    for module in IMPORTS:
        visit(module, ())


def test_no_two_classes_share_a_name() -> None:
    homes: dict[str, str] = {}
    for module, path in FILES.items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                assert node.name not in homes, f"{node.name} is a class of {homes[node.name]} and of {module}"
                homes[node.name] = module


def test_tests_import_no_other_than_builders() -> None:
    """What several test files use is in tests/builders/: who changes a test changes no other."""
    tests = Path(__file__).resolve().parent
    for path in tests.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == "tests":
                assert str(node.module).startswith(("tests.builders", "tests.conftest")), f"{path}: {node.module}"


def test_long_files_say_why() -> None:
    for path in FILES.values():
        text = path.read_text(encoding="utf-8")
        if text.count("\n") > MAX_LINES:
            head = ast.get_docstring(ast.parse(text)) or ""
            assert "One file, because" in head, f"{path} has {text.count(chr(10))} lines and no reason at its head"


def test_the_library_names_parameters_where_commands_have_options() -> None:
    """A message names a parameter in backticks, and the command turns it into its option. Whole command lines of pip
    and of aucli may stand as they are typed, from their first word to the end of the clause."""
    for module, path in FILES.items():
        if room_of(f"{module}.") not in ("commands", "cli"):
            for text in texts_of(path):
                rest = re.sub(r"\b(pip install|aucli [a-z]+) [^;)]*", "", text)
                assert not re.search(r"(?<![\w-])(--[a-z]|-o\b)", rest), f"{module}: {text!r} names an option"


def test_parquet_is_read_through_its_door() -> None:
    """polars ends the whole process over some damaged files. It alone can open tables of schema 1 under every arrow."""
    by_polars = re.compile(r"\b(pl|polars)\.(read|scan)_parquet")
    found = {module for module, path in FILES.items() if by_polars.search(path.read_text(encoding="utf-8"))}
    assert found == {"aucli.results.rows"}
    # Beside the door: what aucli itself has just written, with checksums or checked otherwise.
    by_arrow = re.compile(r"\bpq\.(ParquetFile\(|read_table|read_schema|read_metadata)")
    found = {module for module, path in FILES.items() if by_arrow.search(path.read_text(encoding="utf-8"))}
    assert found == {
        "aucli.runtime.parquet",
        *("aucli.annotation.finished", "aucli.annotation.segments", "aucli.annotation.writing"),
        "aucli.synth.generation",
    }


@pytest.mark.parametrize("room", ["runtime", "video", "faces", "models", "annotation", "results", "human_codes"])
def test_importing_a_room_loads_nothing_heavy(room: str) -> None:
    """`aucli annotate` on a CPU must run where torch, timm and insightface are not installed."""
    modules = [module for module in IMPORTS if room_of(module) == room]
    # These know torch; who imports them does so inside a function.
    torch_modules = {"aucli.models.network", "aucli.models.export", "aucli.models.aunce_checkpoint"}
    names = ", ".join(module for module in modules if module not in torch_modules)
    heavy = "{'torch', 'timm', 'torchvision', 'insightface', 'pandas'}"
    code = f"import sys, {names}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]", done.stdout
