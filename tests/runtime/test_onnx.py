from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from aucli.errors import DetectorError, ModelError
from aucli.models.zoo import find_model
from aucli.runtime.onnx import open_session

PACKAGE = Path(__file__).resolve().parents[2] / "aucli"


def test_one_file_imports_onnx_runtime() -> None:
    """Its telemetry is off before the import only if nobody imports it past this door."""
    importing = []
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] == "onnxruntime" for name in names):
                importing.append(path.relative_to(PACKAGE).as_posix())
    assert importing == ["runtime/onnx.py"]


@pytest.mark.parametrize(("before", "after"), [(None, "1"), ("0", "0")])
def test_telemetry_is_off_before_the_import_unless_a_user_wants_it(before: str | None, after: str) -> None:
    code = (
        "import builtins, os\n"
        "inner = builtins.__import__\n"
        "def watched(name, *more):\n"
        "    if name == 'onnxruntime': print(os.environ.get('ORT_DISABLE_TELEMETRY'), flush=True); os._exit(0)\n"
        "    return inner(name, *more)\n"
        "builtins.__import__ = watched\n"
        "from aucli.faces.detectors import open_detector\n"
        "open_detector('centerface')\n"
    )
    environment = {k: v for k, v in os.environ.items() if k != "ORT_DISABLE_TELEMETRY"}
    environment |= {} if before is None else {"ORT_DISABLE_TELEMETRY": before}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == after


def test_a_file_that_is_no_graph_is_one_line_of_the_callers_kind(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"no")
    with pytest.raises(ModelError, match=r"x\.onnx cannot be loaded by ONNX Runtime: [^\n]+$"):
        open_session(tmp_path / "x.onnx", device="cpu", threads=1)
    with pytest.raises(DetectorError, match=r"^CenterFace cannot be loaded"):
        open_session(b"no", device="cpu", threads=1, name="CenterFace", error=DetectorError)


def test_a_graph_opens_from_a_file_and_from_memory() -> None:
    graph = find_model("aunce-small").graph
    assert graph is not None
    for source in (graph, graph.parent / graph.name):
        session = open_session(source, device="cpu", threads=1)
        assert [put.name for put in session.get_inputs()] == ["crops"]
