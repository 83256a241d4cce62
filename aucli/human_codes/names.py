"""What the names and values in human codes say about action units, and what they leave open."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

from aucli.errors import OptionsError
from aucli.facs import AU_NAMES

PRESENT: Final = 1
ABSENT: Final = 0
MISSING: Final = -1

Side = Literal["", "left", "right"]
OneSided = Literal["leave_out", "count"]
"""An action unit that was coded on one side of the face only: not compared there, or present."""

Alignment = Literal["auto", "time", "frame"]
"""How a row of codes finds its frame."""

_ABSENT_WORDS: Final = frozenset({"0", "n", "no", "non", "nein", "absent", "none", "false", "off", "-"})
_PRESENT_WORDS: Final = frozenset(
    {"", "y", "yes", "oui", "ja", "present", "présent", "vorhanden", "true", "on", "x", "+", "bilateral", "both"}
)
_MISSING_WORDS: Final = frozenset(
    {"9", "?", ".", "na", "n/a", "nan", "null", "ns", "nc", "unscorable", "not scorable", "not scoreable"}
    | {"out of view", "999", "-1"}
)
GRADES: Final = {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}
"""FACS intensities A (trace) to E (maximum); also written 1 to 5 (Ekman, Friesen and Hager 2002)."""
MAX_GRADE: Final = 5

_SIDE_WORDS: Final[dict[str, Side]] = {
    **dict.fromkeys(("l", "left", "links", "gauche"), "left"),
    **dict.fromkeys(("r", "right", "rechts", "droite", "droit"), "right"),
}
_LONGEST_NAME: Final = 200
"""Longer texts are speech or damage, not the name of an action unit."""

_CODE_TIER = re.compile(r"(?:.*\b)?(?:aus?|facs|action units?|codes?|(?:upper|lower) face|value|default)\d*\b.*")
_AU_WORD = re.compile(r"(?<![A-Za-z0-9])([LR])?AU[ _-]?0*(\d{1,2})(?!\d)(?:([LR])(?![A-Za-z]))?", re.IGNORECASE)
_FACS_TOKEN = re.compile(r"(?:AU)?([LRTB](?=\d|AU))?(?:AU)?0*(\d{1,2})([LR])?([A-E])?([LR])?", re.IGNORECASE)
_NAME_TO_AU: Final = {name.casefold(): au for au, name in AU_NAMES.items()}


class AuCode(NamedTuple):
    """One action unit as a code names it.

    Attributes:
        au: its number.
        grade: FACS intensity 1 (A) to 5 (E); None where none is given.
        side: of the face, where only one is coded.
    """

    au: int
    grade: float | None = None
    side: Side = ""


class Said(NamedTuple):
    """What a cell says of its action unit: `PRESENT`, `ABSENT` or `MISSING`, how strong, and on which side."""

    state: int
    grade: float | None = None
    side: Side = ""


def plain_words(text: str) -> str:
    """Lower case without accents; everything but letters and digits is one blank: ``Début (s)`` is ``debut s``."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return " ".join(re.findall(r"[a-z0-9]+", bare))


def codes_of_name(name: str) -> tuple[AuCode, ...]:
    """Action units that a tier, column or behaviour names: ``AU12``, ``au_06 (left)``, ``Lip corner puller``.

    Bare numbers are not taken: a tier ``1`` may be the first speaker.
    """
    name = name.strip()
    if len(name) > _LONGEST_NAME:
        return ()
    words = plain_words(name).split()
    side = _side_of(words)
    called = _NAME_TO_AU.get(" ".join(word for word in words if word not in _SIDE_WORDS))
    if called is not None:
        return (AuCode(called, side=side),)
    if re.match(r"[LRTB]?AU", name, re.IGNORECASE):
        whole = facs_codes(name)
        if whole:
            return whole
    found = {}
    for before, number, after in _AU_WORD.findall(name):
        if int(number) in AU_NAMES:
            found[int(number)] = AuCode(int(number), side=_side_of([before or after]) or side)
    return tuple(found[au] for au in sorted(found))


def facs_codes(code: str) -> tuple[AuCode, ...]:
    """Action units in a FACS code, by number: ``6C+R12D`` is AU6 at 3 and AU12 at 4 on the right; () if it is none."""
    if len(code) > _LONGEST_NAME:
        return ()
    joined = re.sub(r"AU[ _-]+(?=\d)", "AU", code.strip(), flags=re.IGNORECASE)
    found: dict[int, AuCode] = {}
    for token in filter(None, re.split(r"[+,;/&\s]+", joined)):
        match = _FACS_TOKEN.fullmatch(token)
        if match is None or int(match.group(2)) not in AU_NAMES:
            return ()
        before, number, after, letter, last = match.groups()
        side = _side_of([before or "", after or "", last or ""])
        grade: float | None = GRADES[letter.lower()] if letter else None
        known = found.get(int(number))
        if known is not None and known.side and side and known.side != side:
            # L12B+R12C: both sides, as strong as the stronger.
            side, grade = "", max((g for g in (known.grade, grade) if g is not None), default=None)
        found[int(number)] = AuCode(int(number), grade, side)
    return tuple(found[au] for au in sorted(found))


def reading_of(value: str) -> Said | None:
    """What a cell says about its action unit; None for a text that says nothing known."""
    word = value.strip().casefold()
    if word in _MISSING_WORDS:
        return Said(MISSING)
    if word in _ABSENT_WORDS:
        return Said(ABSENT)
    if word in _PRESENT_WORDS:
        return Said(PRESENT)
    if word in _SIDE_WORDS:
        return Said(PRESENT, side=_SIDE_WORDS[word])
    if word in GRADES:
        return Said(PRESENT, GRADES[word])
    if re.fullmatch(r"\d(?:[.,]\d+)?", word, re.ASCII):
        grade = float(word.replace(",", "."))
        if grade <= MAX_GRADE:
            return Said(PRESENT if grade > 0 else ABSENT, grade or None)
    return None


def meaning_of(text: str) -> tuple[str, int | None]:
    """What a name means, as people write it: ``smile=12``, ``talk=none``.

    Raises:
        OptionsError: if it is written otherwise.
    """
    name, equals, au = text.rpartition("=")
    au = au.strip().upper().removeprefix("AU")
    if not equals or not name.strip() or not (au == "NONE" or (au.isascii() and au.isdigit())):
        raise OptionsError(f"`names` is {text!r}; write NAME=AU, as smile=12, or NAME=none to pass it over")
    return name.strip(), None if au == "NONE" else int(au)


def grade_of(text: str) -> float:
    """An intensity as people write it: ``C`` or ``3``.

    Raises:
        OptionsError: if it is neither.
    """
    word = text.strip().casefold()
    try:
        return float(GRADES[word]) if word in GRADES else float(word)
    except ValueError:
        raise OptionsError(f"`min_intensity` is {text!r}; allowed are A to E and 1 to 5") from None


def promises_codes(name: str) -> bool:
    """Whether a tier or column is named so that bare numbers in it are action units: ``FACS``, ``AU_codes``."""
    return len(name) <= _LONGEST_NAME and _CODE_TIER.fullmatch(plain_words(name)) is not None


def _side_of(words: Iterable[str]) -> Side:
    return next((_SIDE_WORDS[word.casefold()] for word in words if word.casefold() in _SIDE_WORDS), "")


def codes_in(value: str, *, promised: bool) -> tuple[AuCode, ...]:
    """Action units in a value: if it says AU, is a FACS name, or stands where FACS codes are promised."""
    return codes_of_name(value) or (facs_codes(value) if promised else ())
