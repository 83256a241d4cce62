"""Files of codes in the layouts that the programs write, from a few events."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr


class Event(NamedTuple):
    """A code: tier or behaviour, begin and end in seconds, value, participant, coder."""

    tier: str
    start_s: float
    end_s: float
    value: str = ""
    participant: str = ""
    coder: str = ""


class Child(NamedTuple):
    """A reference annotation of an .eaf: tier, number of the event it lies on, value."""

    tier: str
    parent: int
    value: str


EVENTS = (Event("AU12", 0.4, 1.2, "C"), Event("AU06", 1.0, 2.0, "y"), Event("Speech", 1.0, 2.0, "hello"))
"""At 25 frames a second AU12 covers frames 10 to 29, AU6 frames 25 to 49."""


def eaf(
    events: Sequence[Event] = EVENTS,
    children: Sequence[Child] = (),
    *,
    media: Sequence[tuple[str, str]] = (("file:///C:/Users/anna/Filme/Gespr%C3%A4ch%201.mp4", "video/mp4"),),
    time_origin_ms: int | None = None,
    units: str = "milliseconds",
    unit_s: float = 0.001,
    head: str = '<?xml version="1.0" encoding="UTF-8"?>\n',
) -> str:
    """An ELAN document (EAF 3.0): a tier each, with the times in slots of their own."""
    origin = "" if time_origin_ms is None else f' TIME_ORIGIN="{time_origin_ms}"'
    described = "".join(
        f"<MEDIA_DESCRIPTOR MEDIA_URL={quoteattr(url)} MIME_TYPE={quoteattr(mime)}{origin}/>" for url, mime in media
    )
    slots: list[tuple[int, str]] = []
    tiers: dict[str, list[str]] = {}
    for k, event in enumerate(events):
        for n, time_s in ((2 * k + 1, event.start_s), (2 * k + 2, event.end_s)):
            slots.append(
                (round(time_s / unit_s), f'<TIME_SLOT TIME_SLOT_ID="ts{n}" TIME_VALUE="{round(time_s / unit_s)}"/>')
            )
        attributes = f"TIER_ID={quoteattr(event.tier)}"
        for name, said in (("PARTICIPANT", event.participant), ("ANNOTATOR", event.coder)):
            attributes += f" {name}={quoteattr(said)}" if said else ""
        tiers.setdefault(attributes, []).append(
            f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a{k}" TIME_SLOT_REF1="ts{2 * k + 1}" '
            f'TIME_SLOT_REF2="ts{2 * k + 2}"><ANNOTATION_VALUE>{escape(event.value)}</ANNOTATION_VALUE>'
            "</ALIGNABLE_ANNOTATION></ANNOTATION>"
        )
    for k, child in enumerate(children):
        tiers.setdefault(f"TIER_ID={quoteattr(child.tier)}", []).append(
            f'<ANNOTATION><REF_ANNOTATION ANNOTATION_ID="r{k}" ANNOTATION_REF="a{child.parent}">'
            f"<ANNOTATION_VALUE>{escape(child.value)}</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>"
        )
    listed = "".join(
        f'<TIER LINGUISTIC_TYPE_REF="default-lt" {at}>{"".join(inside)}</TIER>' for at, inside in tiers.items()
    )
    return (
        f'{head}<ANNOTATION_DOCUMENT AUTHOR="anna" DATE="2026-03-01T10:00:00+01:00" FORMAT="3.0" VERSION="3.0" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        'xsi:noNamespaceSchemaLocation="http://www.mpi.nl/tools/elan/EAFv3.0.xsd">'
        f'<HEADER MEDIA_FILE="" TIME_UNITS="{units}">{described}'
        '<PROPERTY NAME="lastUsedAnnotationId">9</PROPERTY></HEADER>'
        f"<TIME_ORDER>{''.join(slot for _, slot in sorted(slots))}</TIME_ORDER>{listed}"
        '<LINGUISTIC_TYPE GRAPHIC_REFERENCES="false" LINGUISTIC_TYPE_ID="default-lt" TIME_ALIGNABLE="true"/>'
        "</ANNOTATION_DOCUMENT>"
    )


ELAN_WORDS: Mapping[str, tuple[str, str, str]] = {
    "en": ("Begin Time", "End Time", "Duration"),
    "de": ("Anfangszeit", "Endzeit", "Dauer"),
    "fr": ("Temps de début", "Temps de fin", "Durée"),
}
ELAN_FORMATS: Mapping[str, str] = {"hh": "hh:mm:ss.ms", "ss": "ss.msec", "ms": "msec", "pal": "PAL", "ntsc": "NTSC"}


def clock(time_s: float) -> str:
    """``hh:mm:ss.mmm``."""
    ms = round(time_s * 1000)
    return f"{ms // 3600000:02d}:{ms // 60000 % 60:02d}:{ms // 1000 % 60:02d}.{ms % 1000:03d}"


def timecode(frame: int, nominal: int, *, drop: bool = False, mark: str = ":") -> str:
    """Frame number as hh:mm:ss:ff, counted up one by one from the rule: slow and plain."""
    shown = 0
    for _ in range(frame):
        shown += 1
        if drop and shown % (nominal * 60) == 0 and shown % (nominal * 600):
            shown += nominal // 15
    seconds, rest = divmod(shown, nominal)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{mark}{rest:02d}"


def elan_time(time_s: float, form: str) -> str:
    """One of ELAN's formats; frames are rounded down, as ELAN does."""
    if form == "hh":
        return clock(time_s)
    if form == "ms":
        return str(round(time_s * 1000))
    if form == "ss":
        return str(round(time_s, 3))
    rate, nominal = (25.0, 25) if form == "pal" else (30000 / 1001, 30)
    return timecode(int(time_s * rate + 1e-6), nominal, drop=form == "ntsc")


def elan_per_tier(
    events: Sequence[Event] = EVENTS,
    *,
    language: str = "en",
    formats: Sequence[str] = ("hh", "ss", "ms"),
    delimiter: str = "\t",
    head: str = "",
) -> str:
    """ELAN's export with a column per tier: begin, end, duration in every format, then tiers; a tab ends each line."""
    tiers = list(dict.fromkeys(event.tier for event in events))
    header = [f"{word} - {ELAN_FORMATS[form]}" for word in ELAN_WORDS[language] for form in formats] + tiers
    lines = [delimiter.join(header) + delimiter]
    for event in events:
        times = [
            elan_time(t, form) for t in (event.start_s, event.end_s, event.end_s - event.start_s) for form in formats
        ]
        lines.append(
            delimiter.join([*times, *(event.value if tier == event.tier else "" for tier in tiers)]) + delimiter
        )
    return head + "\n".join(lines) + "\n"


def elan_rows(
    events: Sequence[Event] = EVENTS, *, formats: Sequence[str] = ("hh", "ss", "ms"), documents: Sequence[str] = ()
) -> str:
    """ELAN's export of a row per annotation, without header; over several .eaf the name of each ends its lines."""
    lines = []
    for k, event in enumerate(events):
        cells = [event.tier, event.participant]
        for time_s in (event.start_s, event.end_s, event.end_s - event.start_s):
            cells += [elan_time(time_s, form) for form in formats]
        lines.append("\t".join([*cells, event.value, *([documents[k]] if documents else [])]))
    return "\n".join(lines) + "\n"


def boris_project(
    observations: Mapping[str, Sequence[tuple[float, str, str, str]]],
    films: Sequence[tuple[str, float | None]] = (("films/a.mp4", 4.0),),
) -> str:
    """A project of BORIS 8, in which AU12 and AU06 are states and AU45 is a point.

    Args:
        observations: name -> events: time in seconds, subject, code, modifiers.
        films: of every observation, with their lengths in seconds.
    """
    codes = {"AU12": "State event", "AU06": "State event", "AU45": "Point event"}
    about = {"length": {name: length for name, length in films if length is not None}, "offset": {"1": 0.0}}
    project = {
        "time_format": "hh:mm:ss",
        "project_format_version": "7.0",
        "subjects_conf": {},
        "behaviors_conf": {str(k): {"type": kind, "code": code} for k, (code, kind) in enumerate(codes.items())},
        "observations": {
            name: {
                "file": {"1": [film for film, _ in films], "2": ["films/other_view.mp4"]},
                "type": "MEDIA",
                "time offset": 0.0,
                "media_info": about,
                "events": [[*event, "", 0] for event in events],
            }
            for name, events in observations.items()
        },
    }
    return json.dumps(project)


def boris_aggregated(
    events: Sequence[Event],
    films: Sequence[tuple[str, float]] = (("a.mp4", 4.0),),
    *,
    durations: bool = True,
    second_player: str = "",
    delimiter: str = "\t",
    observation: str = "obs 1",
) -> str:
    """BORIS 8's aggregated events of one observation, whose clock runs through all its films."""
    header = [
        "Observation id",
        "Observation date",
        "Description",
        "Observation type",
        "Source",
        "Time offset (s)",
        "Coding duration",
    ]
    header += ["Media duration (s)"] if durations else []
    header += ["FPS (frame/s)", "Subject", "Observation duration by subject by observation", "Behavior"]
    header += [
        "Behavioral category",
        "Modifier #1",
        "Behavior type",
        "Start (s)",
        "Stop (s)",
        "Duration (s)",
        "Media file name",
    ]
    header += [
        "Image index start",
        "Image index stop",
        "Image file path start",
        "Image file path stop",
        "Comment start",
        "Comment stop",
    ]
    names, lengths = ";".join(name for name, _ in films), ";".join(f"{length:.3f}" for _, length in films)
    if second_player:
        names, lengths = f"{names}|player #2:{second_player}", f"{lengths}|9.000"
    starts = [sum(length for _, length in films[:k]) for k in range(len(films))]
    lines = [delimiter.join(header)]
    for event in events:
        at = next(k for k in reversed(range(len(films))) if starts[k] <= event.start_s)
        moment = event.start_s == event.end_s
        cells = [observation, "2026-03-01 10:00:00", "", "Media file", f"player #1:{names}", "0.0", "9.000"]
        cells += [lengths] if durations else []
        cells += ["25.000", event.participant or "No focal subject", "3.2", event.tier, "Not defined", event.value]
        cells += ["POINT" if moment else "STATE", f"{event.start_s:.3f}", f"{event.end_s:.3f}"]
        cells += [
            "NA" if moment else f"{event.end_s - event.start_s:.3f}",
            f"/data/{films[at][0]}",
            "1",
            "2",
            "",
            "",
            "",
            "",
        ]
        lines.append(delimiter.join(cells))
    return "\n".join(lines) + "\n"


def openface(
    faces: Sequence[Sequence[tuple[float, int, float, bool]]],
    *,
    centres_xy: Sequence[tuple[float, float]] | None = None,
    au: str = "AU12",
) -> str:
    """OpenFace's CSV: for each face rows of time, occurrence, intensity and success; a blank before every name."""
    points = [f"x_{k}" for k in range(68)] + [f"y_{k}" for k in range(68)] if centres_xy is not None else []
    header = [
        "frame",
        " face_id",
        " timestamp",
        " confidence",
        " success",
        *(f" {p}" for p in points),
        f" {au}_r",
        f" {au}_c",
    ]
    lines = []
    for face, rows in enumerate(faces):
        for k, (time_s, occurs, intensity, success) in enumerate(rows):
            cells = [str(k + 1), str(face), f"{time_s:.3f}", "0.98" if success else "0.00", str(int(success))]
            if centres_xy is not None:
                x, y = centres_xy[face]
                cells += [f"{x + (j - 33.5) / 2:.1f}" for j in range(68)] + [
                    f"{y + (j - 33.5) / 2:.1f}" for j in range(68)
                ]
            lines.append((k, ", ".join([*cells, f"{intensity:.2f}", f"{occurs:.2f}"])))
    # OpenFace writes frame by frame.
    return "\n".join([",".join(header), *(line for _, line in sorted(lines, key=lambda pair: pair[0]))]) + "\n"


DATAVYU_DB = """#4
AU12 (MATRIX,true,)-intensity|NOMINAL
00:00:00:400,00:00:01:200,(c)
face (MATRIX,true,)-au06|NOMINAL
00:00:01:000,00:00:02:000,(y)
"""


def opf(path: Path, db: str = DATAVYU_DB, name: str = "db") -> Path:
    """A Datavyu archive: the spreadsheet and the project's settings."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, db)
        archive.writestr("project", "!project\nversion: 5\nname: interview\ndbFile: db\nviewerSettings: []\n")
    return path
