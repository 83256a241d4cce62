"""Make the pictures by which aucli brings its networks to int8: eight frames of the example clip, one below the other.

python examples/make_calibration.py
"""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
from PIL import Image

HERE = Path(__file__).resolve().parent
N_FRAMES = 8


def main() -> None:
    """Write the pictures."""
    with av.open(str(HERE / "clip.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    chosen = [frames[round((place + 0.5) * len(frames) / N_FRAMES)] for place in range(N_FRAMES)]
    target = HERE.parent / "aucli" / "faces" / "calibration.jpg"
    Image.fromarray(np.concatenate(chosen)).save(target, quality=92, optimize=True)


if __name__ == "__main__":
    main()
