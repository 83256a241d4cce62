from __future__ import annotations

import pytest

from aucli.human_codes.headers import role_of, unit_of


@pytest.mark.parametrize(
    ("header", "role", "unit"),
    [
        ("frame", "frame", "frame"),
        ("Frame number", "frame", "frame"),
        ("Numéro de trame", "frame", "frame"),
        ("Bild-Nr.", "frame", "frame"),
        ("time_s", "time", "s"),
        ("Time (ms)", "time", "ms"),
        ("timestamp", "time", "s"),
        ("Zeit (s)", "time", "s"),
        ("Temps", "time", "s"),
        ("Start (s)", "start", "s"),
        ("onset_ms", "start", "ms"),
        ("OnsetFrame", "start", "frame"),
        ("Begin Time - hh:mm:ss.ms", "start", "s"),
        ("Begin Time - ss.msec", "start", "s"),
        ("Anfangszeit - msec", "start", "ms"),
        ("Temps de début - PAL-50", "start", "pal50"),
        ("End Time - NTSC", "end", "ntsc"),
        ("Heure de fin", "end", "s"),
        ("Durée (s)", "duration", "s"),
        ("Action Units", "label", "s"),
        ("Étiquette", "label", "s"),
        ("Participant", "subject", "s"),
        ("Intensité", "intensity", "s"),
        ("Fichier", "video", "s"),
        ("AU12", None, "s"),
        ("smile", None, "s"),
        ("Observation id", None, "s"),
        ("time of day", None, "s"),
        ("", None, "s"),
        ("x" * 10_000, None, "s"),
    ],
)
def test_what_a_column_holds(header: str, role: str | None, unit: str) -> None:
    assert role_of(header) == role
    if role is not None:
        assert unit_of(header) == unit
