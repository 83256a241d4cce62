"""Tiny trees of real files in the layouts in which the benchmarks' owners distribute them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from aucli.datasets.load import load_dataset
from aucli.datasets.report import BROKEN_LABELS

PACKED_AUS = (1, 2, 4, 5, 6, 7, *range(9, 21), 22, 23, 24, *range(27, 40))
EVALUATED = (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)
PACKED_HEADER = "1," + ",".join(map(str, PACKED_AUS))
LEGACY_HEADER = ",".join(map(str, range(100)))

Labels = Mapping[int, Mapping[int, int]]
"""Code by AU, by frame."""


def jpeg(grey: int, *, width: int = 16, height: int = 12) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (grey, grey, grey)).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def grey_of(data: bytes) -> int:
    return round(float(np.asarray(Image.open(io.BytesIO(data)).convert("L")).mean()))


def write_images(folder: Path, names: Iterable[str], greys: Iterable[int]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, grey in zip(names, greys, strict=True):
        (folder / name).write_bytes(jpeg(grey))


def write_video(
    path: Path, greys: Sequence[int], *, fps: int = 20, tint: tuple[int, int, int] = (0, 0, 0), codec: str = "mjpeg"
) -> None:
    """One flat picture per frame; MJPEG in AVI, or MPEG-4 in MP4."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(fps))
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = 64, 48
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for grey in greys:
            pixels = np.zeros((48, 64, 3), np.uint8) + np.clip(np.array(tint) + grey, 0, 255).astype(np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)


def decoded_greys(path: Path) -> list[tuple[float, float, float]]:
    """Mean red, green and blue of every decoded frame."""
    with av.open(str(path)) as container:
        return [tuple(f.to_ndarray(format="rgb24").mean(axis=(0, 1)).tolist()) for f in container.decode(video=0)]


def left_out(name: str, root: Path, options: Mapping[str, Any] | None = None) -> str:
    """What is wrong with the labels of the one sequence that a reader leaves out, the others being read."""
    samples, report = load_dataset(name, root, options)
    assert len(samples)
    (broken,) = [finding for finding in report.findings if finding.kind == BROKEN_LABELS]
    assert broken.where not in {samples.sequences[i].name for i in samples.sequence_index}
    assert "\n" not in broken.detail
    return broken.detail


def occurrence_rows(frames: Sequence[int], labels: Labels, aus: Sequence[int], default: int = 0) -> list[str]:
    return [",".join(map(str, [f, *(labels.get(f, {}).get(au, default) for au in aus)])) for f in frames]


def write_legacy_csv(path: Path, frames: Sequence[int], labels: Labels) -> None:
    """100 columns; the AUs that were not coded are 9 throughout."""
    rows = []
    for frame in frames:
        cells = [9] * 100
        cells[0] = frame
        for au in EVALUATED:
            cells[au] = labels.get(frame, {}).get(au, 0)
        rows.append(",".join(map(str, cells)))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([LEGACY_HEADER, *rows]) + "\n")


def write_packed_csv(path: Path, frames: Sequence[int], labels: Labels) -> None:
    """About 35 columns, named by a header whose first two cells are both 1."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([PACKED_HEADER, *occurrence_rows(frames, labels, PACKED_AUS)]) + "\n")


def pattern(frames: Sequence[int]) -> dict[int, dict[int, int]]:
    """Labels that tell AUs and frames apart: AU k is present in frame f if (f + k) is divisible by 3."""
    return {f: {au: int((f + au) % 3 == 0) for au in EVALUATED} for f in frames}


def make_bp4d(root: Path) -> Path:
    """F001 (part 1), F003 (part 2), F004 (part 3), tasks T1 and T2, six labelled frames each."""
    occ, images = root / "AUCoding/AU_OCC", root / "Sequences_2D+3D"
    plan = {
        ("F001", "T1"): (range(7, 13), "{}"),
        ("F001", "T2"): (range(1, 7), "{:03d}"),
        ("F003", "T1"): (range(1, 7), "{:04d}"),
        ("F003", "T2"): (range(1, 7), "{:04d}"),
        ("F004", "T1"): (range(8, 14), "{}"),
        ("F004", "T2"): (range(97, 103), "{}"),
    }
    for (subject, task), (frames, name) in plan.items():
        labels = pattern(frames)
        if (subject, task) == ("F001", "T1"):
            labels[9][24] = 9
        write = write_packed_csv if subject == "F004" else write_legacy_csv
        write(occ / f"{subject}_{task}.csv", frames, labels)
        names = [f"{name.format(f)}.jpg" for f in frames]
        write_images(images / subject / task, names, [2 * f for f in frames])
    extra = images / "F001/T1"
    write_images(extra, ["5.jpg", "20.jpg", "0000.jpg"], [10, 40, 0])
    (extra / "11.jpg").unlink()
    intensity = root / "AUCoding/AU_INT/AU06/F003_T1_AU06.csv"
    intensity.parent.mkdir(parents=True)
    present = {f: pattern(range(1, 7))[f][6] for f in range(1, 7)}
    intensity.write_text("".join(f"{f},{9 if f == 2 else 3 * present[f]}\n" for f in range(1, 7)))
    return root


def make_bp4dplus(root: Path) -> Path:
    """F001 (fold 3) as a zip, F072 (fold 1) and M058 (fold 4) unpacked; T1 and T6 coded, T2 with images only."""
    occ, images = root / "AUCoding/AU_OCC", root / "2D+3D"
    frames = range(1, 7)
    images.mkdir(parents=True)
    for subject, name in (("F001", "{:03d}"), ("F072", "{:03d}"), ("M058", "{:04d}")):
        for task in ("T1", "T6", "T2"):
            names = [f"{name.format(f)}.jpg" for f in frames]
            if subject == "F001":
                with zipfile.ZipFile(images / "F001.zip", "a") as archive:
                    for member, f in zip(names, frames, strict=True):
                        archive.writestr(f"F001/{task}/{member}", jpeg(2 * f))
            else:
                write_images(images / subject / task, names, [2 * f for f in frames])
            labels = pattern(frames)
            if (subject, task) == ("F072", "T1"):
                labels[3][7] = 9
            if task != "T2":
                write_packed_csv(occ / f"{subject}_{task}.csv", frames, labels)
    (occ / "M058_T6.csv").write_text(PACKED_HEADER + "\n")
    write_packed_csv(occ / "F042_T11.csv", frames, pattern(frames))
    write_packed_csv(occ / "F005_T1.csv", frames, pattern(frames))
    intensity = root / "AUCoding/AU_INT/AU12/F072_T1_AU12.csv"
    intensity.parent.mkdir(parents=True)
    intensity.write_text("".join(f"{f},{2 * pattern(frames)[f][12]}\n" for f in range(1, 6)))
    return root


DISFA_CODED = (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)


def disfa_intensities(frames: int) -> dict[int, list[int]]:
    """Intensity by AU; AU25 is 1 in frame 3 and 2 in frame 4; every AU has its own pattern."""
    values = {au: [(0, 1, 2, 5)[(f + i) % 4] for f in range(1, frames + 1)] for i, au in enumerate(DISFA_CODED)}
    values[25][2], values[25][3] = 1, 2
    return values


def make_disfa(root: Path, *, pixels: str = "videos") -> Path:
    """SN001, SN006, SN003 (parts 1, 2, 3); ``pixels`` is ``videos``, ``images0`` or ``images1``."""
    for subject, frames in (("SN001", 8), ("SN006", 7), ("SN003", 8)):
        folder = root / "ActionUnit_Labels" / subject
        folder.mkdir(parents=True)
        for au, values in disfa_intensities(frames).items():
            lines = [f"{f},{v}" for f, v in enumerate(values, start=1)]
            (folder / f"{subject}_au{au}.txt").write_text("\n".join(lines) + "\n")
        greys = [10 + 30 * i for i in range(frames)]
        suffix = "_Comp" if subject == "SN003" else "_comp"
        if pixels == "videos":
            write_video(root / "Videos_LeftCamera" / f"LeftVideo{subject}{suffix}.avi", greys)
            write_video(root / "Video_RightCamera" / f"RightVideo{subject}{suffix}.avi", greys, tint=(0, 0, 30))
        else:
            first, name = (0, "{}.png") if pixels == "images0" else (1, "{:05d}.png")
            out = root / "Images" / subject
            out.mkdir(parents=True)
            for i, grey in enumerate(greys):
                Image.new("L", (16, 12), grey).save(out / name.format(i + first))
    return root


def make_disfaplus(root: Path) -> Path:
    """SN001 and SN003, two trials each; two header lines, a comment, one image missing."""
    for subject in ("SN001", "SN003"):
        for trial in ("A1_AU1_TrailNo_1", "Y_Happy"):
            names = [f"{i:03d}.jpg" for i in range(4)]
            write_images(root / "Images" / subject / trial, names, [10 * i for i in range(4)])
            labels = root / "Labels" / subject / trial
            labels.mkdir(parents=True)
            for i, au in enumerate(DISFA_CODED):
                rows = [f"{name}    {(0, 1, 2, 5)[(k + i) % 4]}" for k, name in enumerate(names)]
                (labels / f"AU{au}.txt").write_text(
                    "\n".join(["# name", "Frame  Intensity", "# comment", *rows]) + "\n"
                )
    (root / "Images/SN003/Y_Happy/002.jpg").unlink()
    return root


GFT_EVALUATED = (1, 2, 4, 6, 10, 12, 14, 15, 23, 24)
GFT_COLUMNS = (24, 1, 2, 5, 4, 6, 7, 9, 10, 11, 12, 14, 15, 17, 23)


def gft_codes() -> list[dict[int, str]]:
    """Six frames of codes by AU; frame 2 is all -1, frame 3 has a 9 in AU14 and frame 4 an empty AU12."""
    codes = [{au: str((f * au) % 2) for au in GFT_COLUMNS} for f in range(1, 7)]
    codes[1] = dict.fromkeys(GFT_COLUMNS, "-1")
    codes[2][14] = "9"
    codes[3][12] = ""
    return codes


def make_gft(root: Path) -> Path:
    """001A and 001B (one group) and 002A, one label dialect each; 001A as a video, the others as images."""
    labels, codes = root / "labels", gft_codes()
    labels.mkdir(parents=True)
    comma = ["frame," + ",".join(f"AU{au}" for au in GFT_COLUMNS)]
    comma += [",".join([str(f), *(row[au] for au in GFT_COLUMNS)]) for f, row in enumerate(codes, start=1)]
    (labels / "001A.csv").write_text("\n".join(comma) + "\n")
    tab = ["Frame\t" + "\t".join(f"AU{au:02d}" for au in GFT_COLUMNS)]
    tab += ["\t".join([str(f), *(row[au] for au in GFT_COLUMNS)]) for f, row in enumerate(codes, start=1)]
    (labels / "001B.tsv").write_text("\n".join(tab) + "\n")
    blank = [" ".join(f"au_{au}" for au in GFT_COLUMNS)]
    blank += [" ".join(row[au] or "NaN" for au in GFT_COLUMNS) for row in codes]
    (labels / "002A.txt").write_text("\n".join(blank) + "\n")
    write_video(root / "videos/001A.avi", [20 * i for i in range(6)], fps=30)
    for participant in ("001B", "002A"):
        write_images(root / "frames" / participant, [f"{i}.jpg" for i in range(1, 7)], [20 * i for i in range(6)])
    (root / "gft_partition.csv").write_text("participant,split\n001A,train\n001B,train\n")
    return root


AFFWILD2_AUS = (1, 2, 4, 6, 7, 10, 12, 15, 23, 24, 25, 26)


def affwild2_lines(lines: int) -> list[str]:
    """Lines 3 and 4 are all -1; line 6 has -1 in AU24 alone."""
    rows = [[int((f + au) % 3 == 0) for au in AFFWILD2_AUS] for f in range(1, lines + 1)]
    rows[2] = rows[3] = [-1] * 12
    rows[5][AFFWILD2_AUS.index(24)] = -1
    return [",".join(map(str, row)) for row in rows]


def make_affwild2(root: Path, *, header_aus: Sequence[int] = AFFWILD2_AUS) -> Path:
    """Two training videos, one of them with two people; one validation label of a side of ``video10_1``."""
    challenge = root / "5th ABAW Annotations/AU_Detection_Challenge"
    plan = {
        ("Train_Set", "1-30-160x120"): ("1-30-160x120", 30),
        ("Train_Set", "video2"): ("video2", 15),
        ("Train_Set", "video2_left"): ("video2", 15),
        ("Validation_Set", "video10_1_right"): ("video10_1", 30),
    }
    header = ",".join(f"AU{au}" for au in header_aus)
    for (partition, name), (video, fps) in plan.items():
        path = challenge / partition / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join([header, *affwild2_lines(9)]) + "\n")
        if not (root / f"batch1/{video}.mp4").exists():
            write_video(root / f"batch1/{video}.mp4", [20 + 20 * i for i in range(8)], fps=fps, codec="mpeg4")
        crops = [f"{i:05d}.jpg" for i in range(1, 9)]
        write_images(root / "cropped_aligned" / name, crops, [20 * i for i in range(1, 9)])
    (root / "cropped_aligned/1-30-160x120/00005.jpg").unlink()
    return root
