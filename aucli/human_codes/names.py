"""What the names and values in human codes say about action units, and what they leave open."""

from __future__ import annotations

import re
from typing import Final

from aucli.facs import AU_NAMES

PRESENT: Final = 1
ABSENT: Final = 0
MISSING: Final = -1

ABSENT_WORDS: Final = frozenset({"0", "n", "no", "absent", "none", "false", "off", "-"})
PRESENT_WORDS: Final = frozenset({"", "y", "yes", "present", "true", "on", "x", "+"})
MISSING_WORDS: Final = frozenset(
    {"9", "?", ".", "na", "n/a", "nan", "ns", "nc", "unscorable", "not scorable", "not scoreable", "out of view"}
)
INTENSITIES: Final = {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "1": 1, "2": 2, "3": 3, "4": 4, "5": 5}
"""FACS intensities A (trace) to E (maximum), also written 1 to 5."""

_CODE_TIER = re.compile(
    r"(?:.*\b)?(?:aus?|facs|action ?units?|codes?|(?:upper|lower) ?face|value|default)\d*\b.*", re.IGNORECASE
)
_AU_WORD = re.compile(r"(?<![A-Za-z0-9])AU[ _-]?0*(\d{1,2})(?!\d)", re.IGNORECASE)
_FACS_TOKEN = re.compile(r"(?:AU)?(?:[LRTB](?=\d|AU))?(?:AU)?0*(\d{1,2})([A-E])?[LR]?", re.IGNORECASE)
_NAME_TO_AU: Final = {name.casefold(): au for au, name in AU_NAMES.items()}


def aus_of_name(name: str) -> tuple[int, ...]:
    """Action units that a tier, column or behaviour names: ``AU12``, ``au_06 (left)``, ``Lip corner puller``.

    Bare numbers are not taken: a tier ``1`` may be the first speaker.
    """
    plain = _NAME_TO_AU.get(name.strip().casefold())
    if plain is not None:
        return (plain,)
    found = {int(number) for number in _AU_WORD.findall(name)}
    combined = facs_aus(name) if re.match(r"\s*AU", name, re.IGNORECASE) else {}
    return tuple(sorted(au for au in found | set(combined) if au in AU_NAMES))


def facs_aus(code: str) -> dict[int, int | None]:
    """Action units in a FACS code, with intensity where written: ``6C+12D`` is {6: 3, 12: 4}; {} if it is none."""
    joined = re.sub(r"AU[ _-]+(?=\d)", "AU", code.strip(), flags=re.IGNORECASE)
    found: dict[int, int | None] = {}
    for token in filter(None, re.split(r"[+,;/&\s]+", joined)):
        match = _FACS_TOKEN.fullmatch(token)
        if match is None or int(match.group(1)) not in AU_NAMES:
            return {}
        found[int(match.group(1))] = INTENSITIES[match.group(2).lower()] if match.group(2) else None
    return found


def state_of(value: str, min_intensity: int) -> int | None:
    """What a cell says about its action unit: 1, 0, -1 for not scorable, or None for a text that says nothing known."""
    word = value.strip().casefold()
    if word in MISSING_WORDS:
        return MISSING
    if word in ABSENT_WORDS:
        return ABSENT
    if word in PRESENT_WORDS:
        return PRESENT
    if word in INTENSITIES:
        # A bare 1 is "present" where nothing graded is asked for, and intensity A otherwise.
        return int(INTENSITIES[word] >= min_intensity)
    return None


def promises_codes(name: str) -> bool:
    """Whether a tier or column is named so that bare numbers in it are action units: ``FACS``, ``AU_codes``."""
    return _CODE_TIER.fullmatch(re.sub(r"[_-]", " ", name.strip())) is not None


def codes_in(name: str, value: str) -> dict[int, int | None]:
    """Action units in a value, if it says AU, is a FACS name, or stands under a name that promises codes."""
    named = _NAME_TO_AU.get(value.strip().casefold())
    if named is not None:
        return {named: None}
    if promises_codes(name) or re.search(r"AU[ _-]?\d", value, re.IGNORECASE):
        return facs_aus(value)
    return {}
