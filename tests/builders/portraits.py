"""One plain person in a plain set, photographed."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

import numpy as np

from aucli.synth.appearance import Appearance, sample_appearance
from aucli.synth.degrade import Damage
from aucli.synth.expressions import symmetric
from aucli.synth.lighting import studio as studio_light
from aucli.synth.person import Person
from aucli.synth.studio import Set, Shot, Studio

PLAIN = Set(
    lighting=studio_light(),
    background=np.full((4, 4, 3), 150, np.uint8),
    focal=4.0,
    face_share=0.25,
    shift=(0.0, 0.0),
    camera_height_rad=0.0,
    damage=Damage(),
)


def plain_look() -> Appearance:
    look = sample_appearance(np.random.default_rng(21))
    return dataclasses.replace(look, hair="buzz", glasses="none", headwear="none", beard="none")


@cache
def plain_person(studio: Studio) -> Person:
    return Person.of(studio.body, plain_look())


def shoot(photographer: Studio, aus: dict[int, float], *, look: Appearance | None = None, **change: Any) -> Shot:
    person = Person.of(photographer.body, look) if look else plain_person(photographer)
    head = change.pop("head", (0.0, 0.0, 0.0))
    gaze = change.pop("gaze", (0.0, 0.0))
    scenery = dataclasses.replace(PLAIN, **change)
    return photographer.shoot(person, symmetric(aus), head, gaze, scenery, np.random.default_rng(0))
