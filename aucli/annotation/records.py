"""What a table's metadata tells of its run and of each video."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from aucli.errors import TableError
from aucli.video.damage import Losses

if TYPE_CHECKING:
    from aucli.video.reader import FrameReader


_KINDS: dict[str, Any] = {
    "int": int,
    "float": (int, float),
    "float | None": (int, float, type(None)),
    "int | None": (int, type(None)),
    "str": str,
    "str | None": (str, type(None)),
    "bool": bool,
    "tuple[str, ...]": (list, tuple),
}
"""What a field of each type is in JSON."""
LARGEST: Final = 2.0**63
DIGESTS: Final = {"model": "model_digest", "detector": "detector_digest"}
"""Of a `RunRecord`: what tells two of the same name apart."""


@dataclass(frozen=True)
class VideoRecord:
    """What the metadata tells of one video.

    Attributes:
        n_frames: frames decoded, whether or not they were sampled into the table.
        n_failed: frames that the container promises and that did not decode.
        n_damaged: frames asked for that decoded damaged: they have no rows, like those that did not decode.
        damaged: their numbers in short, ``("120-143", "300")``.
        n_rows: rows in the table.
        width: pixels, as displayed.
        height: pixels, as displayed.
        fps: frames a second on average.
        duration_s: seconds, None where the container does not say.
        rotation_deg: clockwise rotation that was applied.
        codec: name of the codec.
        decoder: who decoded it.
        size_bytes: size of the file.
        sha256: digest of the file.
        broken: why the video ended early, or None.
        fingerprint: of `content_fingerprint`, by which the file is recognised; empty in tables of schema 1.
        n_hidden: frames in the file that its edit list hides: not shown, not in the table.
        container: name of the container; ``photograph`` or ``numbered pictures`` for these.
        mirrored: whether the stored picture was mirrored left to right before it was turned.
        pixel_aspect: width of a stored pixel over its height, ``64/45``; frames are handed out with square pixels.
        transfer: ``sdr``, or ``pq`` or ``hlg``: high dynamic range, tone-mapped.
        stream: number among the file's video streams, 0-based.
        n_streams: video streams in the file.
        notes: what a user should know of how the file was read.
        n_faces: rows with a face; None in older tables.
        n_frames_with_face: frames in the table with a face at least; None in older tables.
    """

    n_frames: int
    n_failed: int
    n_rows: int
    width: int
    height: int
    fps: float
    duration_s: float | None
    rotation_deg: int
    codec: str
    decoder: str
    size_bytes: int
    sha256: str
    broken: str | None
    fingerprint: str = ""
    n_hidden: int = 0
    container: str = ""
    mirrored: bool = False
    pixel_aspect: str = "1"
    transfer: str = "sdr"
    stream: int = 0
    n_streams: int = 1
    notes: tuple[str, ...] = ()
    n_faces: int | None = None
    n_frames_with_face: int | None = None
    n_damaged: int = 0
    damaged: tuple[str, ...] = ()

    @classmethod
    def of(cls, reader: FrameReader, n_rows: int, *, size_bytes: int, sha256: str, fingerprint: str) -> VideoRecord:
        """Sum up a video that was read to its end."""
        info = reader.info
        return cls(
            n_frames=reader.n_frames,
            n_failed=reader.n_failed,
            n_rows=n_rows,
            width=info.width,
            height=info.height,
            fps=info.fps,
            duration_s=info.duration_s,
            rotation_deg=info.orientation.rotation_deg,
            codec=info.codec,
            decoder=reader.decoder,
            size_bytes=size_bytes,
            sha256=sha256,
            broken=reader.broken,
            fingerprint=fingerprint,
            n_hidden=reader.n_hidden,
            container=info.container,
            mirrored=info.orientation.mirrored,
            pixel_aspect=str(info.pixel_aspect),
            transfer=info.transfer,
            stream=info.stream,
            n_streams=info.n_streams,
            notes=reader.notes,
            n_damaged=reader.losses.n_damaged,
            damaged=reader.losses.damaged,
        )

    @property
    def losses(self) -> Losses:
        """What is not in the table because it did not decode, or decoded damaged."""
        return Losses(self.n_failed, self.n_frames + self.n_failed, self.n_damaged, self.damaged)

    @classmethod
    def from_json(cls, known: object) -> VideoRecord:
        """Take a record from a table's metadata; what this version does not know is left out.

        Raises:
            TableError: if something is missing or is of another kind.
        """
        check_record(known)
        assert isinstance(known, Mapping)
        values = {one.name: known[one.name] for one in fields(cls) if one.name in known}
        values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
        try:
            return cls(**values)
        except TypeError as error:
            raise TableError(f"a video's record is damaged ({error})") from error


_FIELDS: Final = tuple((one.name, str(one.type), _KINDS[str(one.type)]) for one in fields(VideoRecord))


def check_record(known: object) -> None:
    """Check what stands in a video's record; something may be missing, as in tables of earlier versions.

    Raises:
        TableError: if it is no record, or a value is of another kind: a number where a text belongs, a count below 0,
            or no finite number.
    """
    if not isinstance(known, Mapping):
        raise TableError("a video's record is damaged")
    for name, kind, types in _FIELDS:
        if name not in known:
            continue
        value = known[name]
        is_good = isinstance(value, types) and isinstance(value, bool) <= (kind == "bool")
        if isinstance(value, int | float):
            is_good &= (0 if isinstance(value, int) else -LARGEST) <= value < LARGEST
        if not is_good or (isinstance(value, list) and not all(isinstance(text, str) for text in value)):
            raise TableError(f"a video's record is damaged ({name} is {value!r:.40})")


@dataclass(frozen=True)
class RunRecord:
    """What the metadata tells of a run: all that decides the table's values.

    Two runs may share a table only if these are equal.

    Attributes:
        model: its name.
        model_digest: SHA-256 of its config, and through that of its files.
        aus: columns, ``("AU01", ...)``.
        thresholds: per column, the probability at and above which it counts as present.
        detector: its name.
        detector_digest: SHA-256 of its file.
        options: those that decide the table's values.
        experimental: those of ``aus`` that the model's maker calls experimental; part of what the digest covers.
    """

    model: str
    model_digest: str
    aus: tuple[str, ...]
    thresholds: tuple[float, ...]
    detector: str
    detector_digest: str
    options: dict[str, Any]
    experimental: tuple[str, ...] = ()

    def differences(self, other: Mapping[str, Any]) -> list[str]:
        """Say what differs from a record read from a file; nothing if all agrees.

        Returns:
            Fields of `AnnotateOptions` with their values there and here: ``["`detect_every` 1 -> 5"]``.
        """
        mine = json.loads(json.dumps(asdict(self)))
        found = [f"`{name}` {other.get(name)} -> {mine[name]}" for name in DIGESTS if mine[name] != other.get(name)]
        if mine["aus"] != other.get("aus") and not found:
            found.append("`model` with other action units")
        if not found:
            found = [f"another `{name}` of this name" for name, of in DIGESTS.items() if mine[of] != other.get(of)]
            found += self._other_thresholds(other.get("thresholds") or ())
        # Tables of versions that knew no other precision.
        before, now = {"precision": "float32", **other.get("options", {})}, mine["options"]
        changed = [name for name in now if now[name] != before.get(name)]
        if "detect_every" not in changed and "face_search" in changed:
            found.append(f"faces searched by {before.get('face_search')} -> {now['face_search']} (`device`)")
        options = [name for name in changed if name != "face_search"]
        return found + [f"`{name}` {_said(before.get(name))} -> {_said(now[name])}" for name in options]

    def _other_thresholds(self, before: Sequence[float]) -> list[str]:
        pairs = [pair for pair in zip(self.aus, before, self.thresholds, strict=False) if pair[1] != pair[2]]
        if not pairs and len(before) == len(self.thresholds):
            return []
        shown = ", ".join(f"{au} {_said(was)} -> {_said(now)}" for au, was, now in pairs[:3])
        return [f"`thresholds` {shown}{' ...' if len(pairs) > 3 else ''}".rstrip()]


def _said(value: Any) -> str:
    """A value of an option in a message."""
    if value is None:
        return "not given"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
