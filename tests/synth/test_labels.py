"""Which action units of a rendered picture can be seen."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from aucli.synth.degrade import Damage
from aucli.synth.expressions import SYNTH_AUS, Expression
from aucli.synth.labels import LipEdges, _gaps
from aucli.synth.lighting import studio as studio_light
from aucli.synth.person import Person
from aucli.synth.studio import Studio
from tests.builders.portraits import PLAIN, plain_look, shoot


@pytest.mark.parametrize("au", [au for au in SYNTH_AUS if au not in (25, 45)])
def test_strong_aus_are_seen_and_alone(either: Studio, au: int) -> None:
    codes = shoot(either, {au: 5.0}).row
    assert codes[f"AU{au:02d}"] == 1
    others = [other for other in SYNTH_AUS if other not in (au, 25)]
    assert all(codes[f"AU{other:02d}"] == 0 for other in others)


def test_rest_is_absent_and_traces_are_unknown(either: Studio) -> None:
    rest = shoot(either, {}).row
    assert all(rest[f"AU{au:02d}"] == 0 for au in SYNTH_AUS)
    assert shoot(either, {4: 0.6}).row["AU04"] == -1
    assert shoot(either, {12: 1.8}).row["AU12"] == -1
    assert shoot(either, {43: 2.0}).row["AU43"] == -1


def test_lips_are_coded_by_their_gap(portraitist: Studio) -> None:
    parted = shoot(portraitist, {26: 4.0}).row
    assert parted["AU25"] == 1
    assert parted["AU25_intensity"] > 1
    assert shoot(portraitist, {24: 4.0}).row["AU25"] == 0
    # From above, the upper lip hides a small gap: the picture cannot tell.
    frontal, from_above = (shoot(portraitist, {25: 2.8}, head=(0.0, pitch, 0.0)).row for pitch in (0.0, -0.5))
    assert from_above["AU25_intensity"] == pytest.approx(frontal["AU25_intensity"], abs=0.05)
    assert (frontal["AU25"], from_above["AU25"]) == (1, -1)


def test_teeth_in_a_smile_are_seen_and_a_closed_smile_is_closed(portraitist: Studio) -> None:
    """A smile bends both lips: the gap is measured along their curve."""
    for smile in (3.0, 4.0, 5.0):
        assert shoot(portraitist, {12: smile}).row["AU25"] == 0
        assert shoot(portraitist, {12: smile, 25: 3.0}).row["AU25"] == 1
        assert shoot(portraitist, {12: smile, 10: 3.0}).row["AU25"] == 1


@pytest.mark.parametrize("au", [23, 24, 28])
def test_lips_that_are_parted_are_not_pressed(photographer: Studio, au: int) -> None:
    pressed = shoot(photographer, {au: 5.0}).row
    assert (pressed[f"AU{au}"], pressed["AU25"]) == (1, 0)
    for other in (10, 25, 26):
        row = shoot(photographer, {au: 5.0, other: 5.0}).row
        assert row["AU25"] == 0 or row[f"AU{au}"] == -1
    assert shoot(photographer, {25: 5.0}).row[f"AU{au}"] == 0


def test_a_gap_is_measured_along_the_curve_of_the_lips() -> None:
    x = np.linspace(-1.4, 1.4, 57)
    upper, lower = np.arange(57), np.arange(57, 114)
    columns = tuple(
        (upper[np.abs(x - middle) <= 0.25], lower[np.abs(x - middle) <= 0.25]) for middle in np.linspace(-1.2, 1.2, 7)
    )
    for curve in (0 * x, 0.3 * x**2, 0.3 * x**2 + 0.2 * x):
        points = np.concatenate([np.column_stack([x, curve + gap]) for gap in (0.2, 0.0)])
        np.testing.assert_allclose(_gaps(points, LipEdges(columns)), 0.2, atol=1e-9)


def test_lips_that_funnel_may_also_pucker(photographer: Studio) -> None:
    assert shoot(photographer, {22: 4.0}).row["AU18"] == -1


def test_noise_hides_small_motions(photographer: Studio) -> None:
    codes = [shoot(photographer, {7: 5.0}, damage=Damage(noise=noise)).row["AU07"] for noise in (0.0, 30.0)]
    assert codes == [1, -1]


@pytest.mark.parametrize("au", [1, 4, 12, 15])
def test_what_only_the_resting_face_would_show_is_unknown(photographer: Studio, au: int) -> None:
    codes = [shoot(photographer, {au: intensity}).row[f"AU{au:02d}"] for intensity in (0.0, 1.0, 1.9, 4.0, 5.0)]
    assert codes == [0, -1, -1, 1, 1]


def test_a_face_of_a_few_pixels_says_nothing(photographer: Studio) -> None:
    row = shoot(photographer, {}, face_share=0.05).row
    assert {row[f"AU{au:02d}"] for au in SYNTH_AUS} == {-1}


def test_what_is_hidden_or_too_small_is_unknown(photographer: Studio) -> None:
    shaded = dataclasses.replace(plain_look(), glasses="sunglasses", lens_tint=0.97)
    eyes = shoot(photographer, {43: 5.0}, look=shaded).row
    assert eyes["AU43"] == -1
    assert eyes["AU05"] == -1
    assert eyes["AU12"] == 0
    tiny = shoot(photographer, {7: 2.0}, face_share=0.08).row
    assert tiny["AU07"] == -1
    blurred = shoot(photographer, {14: 3.0}, damage=Damage(blur_px=6.0)).row
    assert blurred["AU14"] == -1
    blocks = [shoot(photographer, {7: 5.0}, damage=Damage(h264_crf=crf)).row["AU07"] for crf in (22, 40)]
    assert blocks == [1, -1]
    night = dataclasses.replace(studio_light(), exposure=0.001)
    assert {shoot(photographer, {12: 5.0}, lighting=night).row[f"AU{au:02d}"] for au in (1, 4, 12, 17)} == {-1}


def test_one_sided_aus_keep_their_side(photographer: Studio) -> None:
    person = Person.of(photographer.body, plain_look())
    shot = photographer.shoot(person, Expression({12: 4.0}, {}), (0, 0, 0), (0, 0), PLAIN, np.random.default_rng(0))
    assert shot.row["AU12"] == 1
    assert shot.row["AU12_asymmetry"] == pytest.approx(4.0)
    points = np.array(shot.row["landmarks68"]).reshape(68, 2)
    # The left corner, right in the picture, is pulled up.
    assert points[54, 1] < points[48, 1] - 1
