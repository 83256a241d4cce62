"""ELAN's .eaf: one tier for each face and action unit, linked to the film.

Source: the EAF schema 3.0 and H. Sloetjes, "EAF Annotation Format" (The Language Archive, MPI for Psycholinguistics).
Every annotation has two time slots of its own, as ELAN makes them on tiers without a parent; slots stand in the order
of time. A tier is named ``AU12 face 0``, its participant is ``face 0``; ``unscorable face 0`` holds the stretches in
which the face is not seen. An annotation's text names its code.

Written with the standard library: pympi-ling writes format 2.8, slots out of order and a tier of its own, and renames
what lies at the place.
"""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePosixPath
from typing import Final
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from aucli.results.exports.intervals import UNSCORABLE, FilmIntervals
from aucli.results.exports.target import Content, ExportTarget

_SCHEMA: Final = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_DATE: Final = "1970-01-01T00:00:00+00:00"
"""Of every document, which must have one: the same table gives the same bytes."""
_MIME_TYPES: Final = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".mpg": "video/mpeg",
    ".mpeg": "video/mpeg",
    ".avi": "video/x-msvideo",
    ".mkv": "video/x-matroska",
    ".webm": "video/webm",
}
_ANY_VIDEO: Final = "video/*"
"""ELAN's own word for a film of another kind."""
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TIER_TYPE: Final = "action unit"


def write_elan(content: Content, temporary: Path, place: Path) -> None:
    """Write one video."""
    (video,) = content.videos
    assert content.intervals is not None
    document = eaf_document(content.intervals[video], content.aus, content.made_by)
    header = document.find("HEADER")
    assert header is not None
    header.insert(0, _media(video, content.films[video], place))
    indent(document, "    ")
    ElementTree(document).write(temporary, encoding="UTF-8", xml_declaration=True)


def eaf_document(film: FilmIntervals, aus: tuple[str, ...], made_by: str) -> Element:
    """The document, without its link to the film."""
    xsi = "http://www.w3.org/2001/XMLSchema-instance"
    about = {"AUTHOR": made_by, "DATE": _DATE, "FORMAT": "3.0", "VERSION": "3.0", "xmlns:xsi": xsi}
    document = Element("ANNOTATION_DOCUMENT", about | {"xsi:noNamespaceSchemaLocation": _SCHEMA})
    header = SubElement(document, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
    SubElement(header, "PROPERTY", {"NAME": "lastUsedAnnotationId"}).text = str(len(film.intervals))
    times = sorted(
        (ms, number, side)
        for number, one in enumerate(film.intervals)
        for side, ms in enumerate((one.onset_ms, one.offset_ms))
    )
    slots = {(number, side): f"ts{count}" for count, (_, number, side) in enumerate(times, start=1)}
    order = SubElement(document, "TIME_ORDER")
    for ms, number, side in times:
        SubElement(order, "TIME_SLOT", {"TIME_SLOT_ID": slots[number, side], "TIME_VALUE": str(ms)})
    tiers = {
        (face, code): SubElement(
            document,
            "TIER",
            {
                "ANNOTATOR": "aucli",
                "LINGUISTIC_TYPE_REF": _TIER_TYPE,
                "PARTICIPANT": f"face {face}",
                "TIER_ID": f"{code} face {face}",
            },
        )
        for face in film.faces
        for code in (*aus, UNSCORABLE)
    }
    for number, one in enumerate(film.intervals):
        annotation = SubElement(
            SubElement(tiers[one.face, one.code], "ANNOTATION"),
            "ALIGNABLE_ANNOTATION",
            {
                "ANNOTATION_ID": f"a{number + 1}",
                "TIME_SLOT_REF1": slots[number, 0],
                "TIME_SLOT_REF2": slots[number, 1],
            },
        )
        SubElement(annotation, "ANNOTATION_VALUE").text = one.code
    SubElement(
        document,
        "LINGUISTIC_TYPE",
        {"GRAPHIC_REFERENCES": "false", "LINGUISTIC_TYPE_ID": _TIER_TYPE, "TIME_ALIGNABLE": "true"},
    )
    return document


def _media(video: str, film: Path | None, place: Path) -> Element:
    """The link to the film: where it lies, and where that is from the document. ELAN writes no percent signs."""
    absolute = film if film is not None else Path(video).absolute()
    urls = {"MEDIA_URL": f"file:///{absolute.as_posix().lstrip('/')}"}
    if film is not None:
        try:
            relative = PurePosixPath(Path(os.path.relpath(film, place.parent.absolute())).as_posix())
            urls["RELATIVE_MEDIA_URL"] = str(relative) if relative.parts[:1] == ("..",) else f"./{relative}"
        except ValueError:
            pass  # another drive of Windows: there is no way from here to there
    urls = {name: _NOT_XML.sub("?", url) for name, url in urls.items()}
    return Element("MEDIA_DESCRIPTOR", {**urls, "MIME_TYPE": _MIME_TYPES.get(absolute.suffix.lower(), _ANY_VIDEO)})


TARGET: Final = ExportTarget("elan", ".eaf", True, True, (), None, write_elan)
