"""What the columns of a table of codes are, from headers in English, French and German."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Final, Literal

from aucli.human_codes.names import plain_words
from aucli.human_codes.times import Unit

Role = Literal["frame", "time", "start", "end", "duration", "video", "subject", "coder", "label", "intensity"]

_WORDS: Final[Mapping[Role, Collection[str]]] = {
    "start": ("start", "begin", "begins", "onset", "begin time", "debut", "anfang", "anfangszeit", "beginn",
              "startzeit"),
    "end": ("end", "stop", "offset", "end time", "fin", "ende", "endzeit", "ends"),
    "duration": ("duration", "duree", "dauer"),
    "frame": ("frame", "frames", "image", "images", "trame", "bild", "bilder", "bildnummer", "einzelbild"),
    "time": ("time", "times", "timestamp", "temps", "zeit", "zeitpunkt", "zeitstempel"),
    "video": ("video", "file", "filename", "film", "path", "media", "fichier", "datei", "dateiname", "clip"),
    "subject": ("subject", "person", "participant", "sujet", "personne", "proband", "versuchsperson"),
    "coder": ("coder", "annotator", "rater", "codeur", "annotateur", "kodierer"),
    "intensity": ("intensity", "grade", "level", "intensite", "intensitat", "niveau"),
    "label": ("label", "code", "codes", "au", "aus", "annotation", "behavior", "behaviour", "event", "tier", "facs",
              "etiquette", "comportement", "verhalten", "kodierung", "value", "valeur", "wert", "name"),
}  # fmt: skip
_OF_WORD: Final[Mapping[str, Role]] = {word: role for role, words in _WORDS.items() for word in words}
_UNITS: Final[Mapping[str, Unit]] = {
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds", "millisecondes", "millisekunden"), "ms"),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds", "secondes", "sekunden"), "s"),
    **dict.fromkeys(("min", "minutes", "minuten"), "min"),
    "pal": "pal", "pal25": "pal", "pal50": "pal50", "ntsc": "ntsc", "smpte": "timecode", "timecode": "timecode",
}  # fmt: skip
_FRAME_WORDS: Final = frozenset(_WORDS["frame"])
# hh:mm:ss.ms, and the 50 of PAL-50.
_CLOCK_WORDS: Final = frozenset({"hh", "mm", "ss", "ff", "50", "25"})
# Words between these: "Frame number", "Temps de début", "Action units", "Start of event".
_FILLING: Final = frozenset(
    {"time", "times", "temps", "heure", "zeit", "de", "du", "la", "le", "l", "of", "the", "no", "nr", "n", "number",
     "numero", "nummer", "action", "unit", "units", "id", "point", "in", "en", "event", "name", "d"}
)  # fmt: skip

_KNOWN_WORDS: Final = frozenset(_UNITS) | _FILLING | _CLOCK_WORDS
_ACTION_UNITS: Final = ("action unit", "action units", "unite d action", "unites d action")
_ORDER: Final[tuple[Role, ...]] = (
    "duration", "start", "end", "frame", "time", "video", "subject", "coder", "intensity", "label",
)  # fmt: skip
_LONGEST_HEADER: Final = 60


def role_of(header: str) -> Role | None:
    """What a column holds: ``Start (s)`` is a start, ``Temps de fin`` an end, ``timestamp`` a time; None: unknown.

    Start and end go before time and frame: ``onset_frame`` is a start, counted in frames.
    """
    if len(header) > _LONGEST_HEADER:
        return None
    words = _split_camel(header)
    if " ".join(words) in _ACTION_UNITS:
        return "label"
    roles = {_OF_WORD[word] for word in words if word in _OF_WORD}
    if not roles or not all(word in _OF_WORD or word in _KNOWN_WORDS for word in words):
        return None
    return next(role for role in _ORDER if role in roles)


def _split_camel(header: str) -> list[str]:
    """Words of a header, ``OnsetFrame`` taken apart."""
    return plain_words(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", header)).split()


def columns_by_role(header: Sequence[str]) -> dict[Role, int]:
    """The first column of each role."""
    columns: dict[Role, int] = {}
    for i, cell in enumerate(header):
        role = role_of(cell)
        if role is not None:
            columns.setdefault(role, i)
    return columns


def unit_of(header: str) -> Unit | Literal["frame"]:
    """The unit of a time that a header names; seconds where it names none.

    ``hh:mm:ss.ms`` and ``ss.msec`` (ELAN) say themselves where the milliseconds are, so they are seconds.
    """
    words = _split_camel(header)
    if "pal" in words and "50" in words:
        return "pal50"
    if "ff" in words and "ss" in words:
        return "timecode"
    if "ss" in words:
        return "s"
    for word in words:
        if word in _UNITS:
            return _UNITS[word]
    return "frame" if _FRAME_WORDS & set(words) else "s"
