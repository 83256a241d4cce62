"""Measure the error of the head's pose, and what sharpness says of blur, on renders whose pose and blur are known.

    aucli synth --rig facekit.npz --out renders --count 2000
    python benchmarks/head_pose.py renders --count 1500

Faces are found by the detector as in `annotate`; a face that lies elsewhere than the rendered one is not counted.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image
from scipy.stats import spearmanr

from aucli.faces.alignment import CropSpec, crop_faces
from aucli.faces.crop_quality import crop_quality
from aucli.faces.detectors import open_detector
from aucli.faces.head_pose import head_pose

ANGLES = ("yaw_deg", "pitch_deg", "roll_deg")


def main() -> None:
    """Read the renders, find the faces, print the errors."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("renders", type=Path)
    parser.add_argument("--count", type=int, default=1500)
    parser.add_argument("--detector", default="centerface")
    given = parser.parse_args()
    labels = pl.read_parquet(given.renders / "labels.parquet")
    labels = labels.sample(min(given.count, len(labels)), seed=1, shuffle=True)
    detector, spec = open_detector(given.detector), CropSpec()
    found, known, blur, measured, cost_s = [], [], [], [], 0.0
    for row in labels.iter_rows(named=True):
        frame_rgb = np.asarray(Image.open(given.renders / row["path"]).convert("RGB"))
        landmarks_xy = detector.detect(frame_rgb[None])[0].landmarks_xy
        distances = np.abs(landmarks_xy - np.array(row["landmarks"]).reshape(5, 2)).max(axis=(1, 2))
        if not len(distances) or distances.min() > 0.6 * max(row["interocular_px"], 15.0):
            continue
        face = landmarks_xy[[distances.argmin()]]
        crops = crop_faces(frame_rgb, face, spec)
        begin_s = time.process_time()
        found.append(head_pose(face)[0])
        measured.append(np.concatenate(crop_quality(crops, spec)))
        cost_s += time.process_time() - begin_s
        known.append([row[angle] for angle in ANGLES])
        blur.append(row["blur_px"])
    errors, turned = np.abs(np.array(found) - np.array(known)), np.abs(np.array(known)[:, 0])
    print(f"{len(errors)} of {len(labels)} faces found; {1000 * cost_s / len(errors):.3f} ms a face for all figures")
    for name, chosen in (("all", turned >= 0), ("yaw to 30", turned <= 30), ("yaw over 30", turned > 30)):
        median, tenth = (np.quantile(errors[chosen], share, axis=0).round(1) for share in (0.5, 0.9))
        print(f"{name:12} {chosen.sum():5} faces; median error of yaw, pitch, roll {median}, 90 % within {tenth}")
    print(f"Spearman of sharpness and blur_px: {spearmanr(np.array(measured)[:, 0], blur).statistic:.2f}")


if __name__ == "__main__":
    main()
