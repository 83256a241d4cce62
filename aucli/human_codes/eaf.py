"""ELAN's own files (.eaf).

Source: the EAF schema 3.0 and H. Sloetjes, "EAF Annotation Format" (The Language Archive, MPI for Psycholinguistics).
Annotations lie on tiers. An alignable one points at two time slots; a reference annotation lies on a parent and takes
its time, several of one tier on one parent share it evenly. Slots without a value stand evenly between neighbours.
``TIME_ORIGIN`` of a medium is its offset: annotation time plus it is the film's own time.

The XML is read by expat with document types refused, so there are no entities to expand. pympi-ling was tried: it
expands them, and damaged files end in KeyErrors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from aucli.errors import TableError
from aucli.human_codes.collector import CodedEvent, Collector
from aucli.human_codes.file import CodeFile, CodingProgram
from aucli.human_codes.film_names import MediaLink, media_link
from aucli.human_codes.names import codes_of_name, reading_of
from aucli.human_codes.text import shown
from aucli.human_codes.times import NTSC_RATE, CodedTime
from aucli.human_codes.values import CodeOptions, Codes

_UNIT_S: Final = {"milliseconds": 0.001, "PAL-frames": 1 / 25, "NTSC-frames": 1 / NTSC_RATE}
_LARGEST_TIME: Final = 10**12


def read_eaf(file: CodeFile, options: CodeOptions) -> list[Codes]:
    """Read an ELAN document: one value, named after its first film.

    A reference annotation that only holds an intensity (``C``) and lies on an annotation of an AU's tier is that
    annotation's intensity.

    Raises:
        TableError: if it is no ELAN document, is damaged, or nothing in it is an action unit.
        OptionsError: if several participants or annotators are in it and none was chosen.
    """
    document = _Document(parse_xml(file.source), file.source)
    collector = Collector(file, options)
    video, origin_s = document.film()
    collector.expect(video)
    for tier, annotation in document.annotations():
        if document.is_intensity(annotation):
            continue
        onset_s, offset_s = document.span(annotation)
        collector.add(
            CodedEvent(
                video=video,
                name=tier.get("TIER_ID", ""),
                value=document.value(annotation),
                onset=CodedTime(onset_s + origin_s),
                offset=CodedTime(offset_s + origin_s),
                subject=tier.get("PARTICIPANT", "").strip(),
                coder=tier.get("ANNOTATOR", "").strip(),
            )
        )
    return collector.finish()


def parse_xml(source: Path) -> Element:
    """The root of an XML file without document type, hence without entities.

    Raises:
        TableError: if it is damaged or declares a document type.
    """
    builder = TreeBuilder()

    def refuse(*_: Any) -> None:
        raise TableError(f"{source} declares an XML document type, which ELAN never does; it is refused")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    try:
        with source.open("rb") as opened:
            parser.ParseFile(opened)
        return builder.close()
    except (expat.ExpatError, AssertionError, ValueError, LookupError) as error:
        raise TableError(f"{source} is damaged XML: {error}") from None
    except OSError as error:
        raise TableError(f"{source} cannot be read: {error.strerror or error}") from error


class _Document:
    """An ELAN document: its film, annotations and their times.

    Raises:
        TableError: if it is none, or references in it lead nowhere.
    """

    def __init__(self, root: Element, source: Path) -> None:
        if root.tag != "ANNOTATION_DOCUMENT":
            raise TableError(f"{source} is XML of the kind {shown(root.tag)!r}, no ELAN document")
        self._root, self._source = root, source
        header = root.find("HEADER")
        unit = header.get("TIME_UNITS", "milliseconds") if header is not None else "milliseconds"
        if unit not in _UNIT_S:
            raise TableError(f"{source} counts time in {shown(unit)!r}; known are {', '.join(_UNIT_S)}")
        self._slots_s = self._read_slots(_UNIT_S[unit])
        self._tier_of: dict[str, Element] = {}
        self._by_id: dict[str, Element] = {}
        self._siblings: dict[tuple[str, str], list[str]] = {}
        for tier, annotation in self.annotations():
            name = annotation.get("ANNOTATION_ID", "")
            self._by_id[name], self._tier_of[name] = annotation, tier
            if annotation.tag == "REF_ANNOTATION":
                key = (tier.get("TIER_ID", ""), annotation.get("ANNOTATION_REF", ""))
                self._siblings.setdefault(key, []).append(name)
        self._intensity = {
            annotation.get("ANNOTATION_REF", ""): self._text(annotation)
            for _, annotation in self.annotations()
            if self.is_intensity(annotation)
        }

    def film(self) -> tuple[MediaLink | None, float]:
        """Place of the first film and its offset in seconds; sound alone names nothing."""
        media = list(self._root.iter("MEDIA_DESCRIPTOR"))
        films = [medium for medium in media if not medium.get("MIME_TYPE", "").startswith("audio")]
        for medium in films:
            url = medium.get("MEDIA_URL") or medium.get("RELATIVE_MEDIA_URL") or ""
            if link := media_link(url):
                return link, self._whole(medium.get("TIME_ORIGIN", "0")) / 1000
        return None, 0.0

    def annotations(self) -> Iterator[tuple[Element, Element]]:
        """Every annotation with its tier, in the order of the file."""
        for tier in self._root.iter("TIER"):
            for annotation in tier.iter():
                if annotation.tag in ("ALIGNABLE_ANNOTATION", "REF_ANNOTATION"):
                    yield tier, annotation

    def value(self, annotation: Element) -> str:
        """What stands in an annotation; where that is no intensity, the one that lies on it."""
        text = self._text(annotation)
        said = reading_of(text)
        if said is not None and said.grade is not None:
            return text
        return self._intensity.get(annotation.get("ANNOTATION_ID", ""), text)

    def is_intensity(self, annotation: Element) -> bool:
        """Whether it only gives the intensity of its parent."""
        parent = self._tier_of.get(annotation.get("ANNOTATION_REF", ""))
        said = reading_of(self._text(annotation))
        if annotation.tag != "REF_ANNOTATION" or parent is None or said is None or said.grade is None:
            return False
        of_parent = codes_of_name(parent.get("TIER_ID", ""))
        own = codes_of_name(self._tier_of[annotation.get("ANNOTATION_ID", "")].get("TIER_ID", ""))
        return bool(of_parent) and (not own or own == of_parent)

    def span(self, annotation: Element) -> tuple[float, float]:
        """Begin and end in seconds."""
        shares: list[tuple[int, int]] = []
        seen = set()
        while annotation.tag == "REF_ANNOTATION":
            name, parent = annotation.get("ANNOTATION_ID", ""), annotation.get("ANNOTATION_REF", "")
            if name in seen or parent not in self._by_id:
                raise TableError(f"annotation {shown(name)!r} of {self._source} lies on none or on itself")
            seen.add(name)
            siblings = self._siblings[self._tier_of[name].get("TIER_ID", ""), parent]
            shares.append((siblings.index(name), len(siblings)))
            annotation = self._by_id[parent]
        slots = [annotation.get("TIME_SLOT_REF1", ""), annotation.get("TIME_SLOT_REF2", "")]
        for slot in slots:
            if slot not in self._slots_s:
                raise TableError(f"{self._source} has no time slot {shown(slot)!r}, which an annotation points at")
        begin, end = (self._slots_s[slot] for slot in slots)
        for position, number in reversed(shares):
            step = (end - begin) / number
            begin, end = begin + position * step, begin + (position + 1) * step
        return begin, end

    def _text(self, annotation: Element) -> str:
        return (annotation.findtext("ANNOTATION_VALUE") or "").strip()

    def _whole(self, text: str) -> int:
        if re.fullmatch(r"-?\d{1,13}", text.strip(), re.ASCII) is None or abs(int(text)) > _LARGEST_TIME:
            raise TableError(f"{self._source} has the time {shown(text)!r}; expected a whole number")
        return int(text)

    def _read_slots(self, unit_s: float) -> dict[str, float]:
        """Seconds by slot; slots without a value lie evenly between their neighbours."""
        slots = [(slot.get("TIME_SLOT_ID", ""), slot.get("TIME_VALUE")) for slot in self._root.iter("TIME_SLOT")]
        known = [(i, self._whole(value) * unit_s) for i, (_, value) in enumerate(slots) if value is not None]
        if slots and not known:
            raise TableError(f"{self._source} has {len(slots)} time slots and no time")
        times: dict[str, float] = {}
        before = 0
        for i, (name, value) in enumerate(slots):
            if value is not None and before + 1 < len(known) and known[before + 1][0] == i:
                before += 1
            (i0, t0), (i1, t1) = known[before], known[min(before + 1, len(known) - 1)]
            inside = i0 < i < i1
            times[name] = t0 + (t1 - t0) * (i - i0) / (i1 - i0) if inside else (t0 if i <= i0 or i0 == i1 else t1)
        return times


def _recognises(file: CodeFile) -> bool:
    start = file.head[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    return start.startswith(b"<") and (b"ANNOTATION_DOCUMENT" in file.head or file.source.suffix.lower() == ".eaf")


PROGRAM: Final = CodingProgram("eaf", "an ELAN document (.eaf)", _recognises, read_eaf)
