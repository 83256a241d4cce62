"""No byte leaves the machine: nothing that annotates, imports or inspects asks the network for anything."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders.media import MadeVideo
from tests.builders.tiny_model import make_tiny_model
from tests.conftest import SHARED

GUARD = """
import os, sys

def watch(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.connect", "socket.sendto"):
        with open(os.environ["BREACHES"], "a") as file:
            print(event, arguments[:2], file=file)
    if event == "import" and arguments[0] == "onnxruntime" and os.environ.get("ORT_DISABLE_TELEMETRY") != "1":
        with open(os.environ["BREACHES"], "a") as file:
            print("onnxruntime imported with its telemetry on", file=file)

sys.addaudithook(watch)
"""
"""Python's audit hook sees every use of a socket and every import, in whatever library."""


ASKS = """
import socket
try:
    socket.getaddrinfo("x.invalid", 80)
except OSError:
    pass
"""


def _run_watched(tmp_path: Path, code: str, *arguments: object) -> str:
    """Run code in a process of its own and return what of the network it touched."""
    (tmp_path / "guard").mkdir(exist_ok=True)
    (tmp_path / "guard" / "sitecustomize.py").write_text(GUARD)
    breaches = tmp_path / "breaches"
    breaches.touch()
    places = [str(tmp_path / "guard"), str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**environment, "PYTHONPATH": os.pathsep.join(filter(None, places)), "BREACHES": str(breaches)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return breaches.read_text()


def _strace_works() -> bool:
    strace = shutil.which("strace")
    return (
        strace is not None and subprocess.run([strace, "-o", os.devnull, "true"], capture_output=True).returncode == 0
    )


class Traced:
    """A Python program whose system calls are written down."""

    def __init__(self, log: Path, code: str, *arguments: object) -> None:
        self.log = log
        strace = ["strace", "-f", "-qq", "-e", "trace=network", "-o", str(log)]
        command = [*strace, sys.executable, "-c", code, *map(str, arguments)]
        root = Path(__file__).parents[1]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root)

    def internet(self) -> str:
        """Wait for its end; its calls that have to do with the internet."""
        _, told = self.process.communicate()
        assert self.process.returncode == 0, told
        return "\n".join(line for line in self.log.read_text().splitlines() if "AF_INET" in line or "nscd" in line)


@pytest.fixture(scope="module")
def fifteen_seconds(example: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    """An annotation and the time after it; most of the time it waits, while other tests run."""
    if not _strace_works():
        pytest.skip("needs strace, and the right to use it")
    code = """
import sys, time
import aucli
began = time.monotonic()
aucli.annotate(sys.argv[1], sys.argv[2], options=aucli.AnnotateOptions(end_s=0.5))
time.sleep(max(0.0, 15.0 - (time.monotonic() - began)))
"""
    folder = tmp_path_factory.mktemp("traced")
    traced = Traced(folder / "log", code, example, folder / "t.parquet")
    with traced.process:  # closes its pipes, also where nobody asked it
        yield traced
        traced.process.kill()


def test_the_system_sees_an_annotation_begin(fifteen_seconds: Traced) -> None:
    assert fifteen_seconds.process.poll() is None


def test_the_watch_sees_what_it_should(tmp_path: Path) -> None:
    assert "socket.getaddrinfo" in _run_watched(
        tmp_path, "import socket\ntry: socket.getaddrinfo('x.invalid', 80)\nexcept OSError: pass"
    )
    assert "telemetry on" in _run_watched(tmp_path, "import onnxruntime")


@pytest.mark.slow
def test_annotating_importing_and_inspecting_ask_the_network_for_nothing(tmp_path: Path) -> None:
    """With insightface's detectors where the shared folder has one, and with timm."""
    MadeVideo(n_frames=4).write(tmp_path / "v.mp4")
    make_tiny_model(tmp_path / "model")
    code = """
import sys
from pathlib import Path
from aucli.cli import app
from aucli.faces.detectors import open_detector
from aucli.models.predictor import load_network
from aucli.models.zoo import find_model
folder, detector = sys.argv[1:]
for line in (
    ["annotate", f"{folder}/v.mp4", "-o", f"{folder}/t.parquet", "--quiet"],
    ["models", "import", f"{folder}/model"],
    ["models", "list"],
    ["doctor"],
):
    try:
        app(line)
    except SystemExit as end:
        assert line == ["doctor"] or not end.code, line
load_network(find_model("aunce-small"))
if Path(detector).exists():
    open_detector(detector)
"""
    assert _run_watched(tmp_path, code, tmp_path, SHARED / "models" / "scrfd_500m_kps.onnx") == ""


@pytest.mark.slow
def test_the_system_sees_no_traffic_for_fifteen_seconds(fifteen_seconds: Traced, tmp_path: Path) -> None:
    """ONNX Runtime looks up its telemetry host about ten seconds after it was loaded, from native code."""
    assert Traced(tmp_path / "log", ASKS).internet()
    assert fifteen_seconds.internet() == ""
