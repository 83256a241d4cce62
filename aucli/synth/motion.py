"""How a face moves through a video: AUs with onset, apex and offset, blinks, speech, glances, and a head that sways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from aucli.synth.expressions import Expression, sample_aus, sample_sides, without_conflicts

BLINK: Final = 45


@dataclass(frozen=True)
class Event:
    """AUs that rise, stay and fall together.

    Attributes:
        start_s: when the onset begins.
        onset_s, apex_s, offset_s: durations of the three phases.
        expression: intensities at the apex.
    """

    start_s: float
    onset_s: float
    apex_s: float
    offset_s: float
    expression: Expression

    @property
    def end_s(self) -> float:
        """When the face is back at rest."""
        return self.start_s + self.onset_s + self.apex_s + self.offset_s

    def share(self, time_s: float) -> float:
        """Share of the apex at a time, 0-1: smooth at both ends, as muscles are."""
        rising = (time_s - self.start_s) / self.onset_s
        falling = (self.end_s - time_s) / self.offset_s
        u = float(np.clip(min(rising, falling), 0, 1))
        return u * u * (3 - 2 * u)


@dataclass(frozen=True)
class Sway:
    """A slow random motion: sums of sines, one row per coordinate.

    Attributes:
        centre: value about which it moves, per coordinate.
        amplitudes, frequencies_hz, phases_rad: per coordinate and sine.
    """

    centre: tuple[float, ...]
    amplitudes: tuple[tuple[float, ...], ...]
    frequencies_hz: tuple[tuple[float, ...], ...]
    phases_rad: tuple[tuple[float, ...], ...]

    def at(self, time_s: float) -> npt.NDArray[np.float64]:
        """Value at a time, one number per coordinate."""
        angle = 2 * np.pi * np.array(self.frequencies_hz) * time_s + np.array(self.phases_rad)
        return np.asarray(np.array(self.centre) + (np.array(self.amplitudes) * np.sin(angle)).sum(axis=1))


@dataclass(frozen=True)
class Performance:
    """Everything that moves in one video.

    Attributes:
        events: AU events; where several move one AU, the strongest counts.
        head: yaw, pitch, roll in radians.
        gaze: yaw, pitch of the eyes in the head in radians.
        glances: (time_s, yaw, pitch) from which the gaze jumps to a new centre.
    """

    events: tuple[Event, ...]
    head: Sway
    gaze: Sway
    glances: tuple[tuple[float, float, float], ...] = ()

    def expression(self, time_s: float) -> Expression:
        """Intensities at a time."""
        left: dict[int, float] = {}
        right: dict[int, float] = {}
        for event in self.events:
            share = event.share(time_s)
            for total, side in ((left, event.expression.left), (right, event.expression.right)):
                for au, intensity in side.items():
                    if share * intensity > 0:
                        total[au] = max(total.get(au, 0.0), share * intensity)
        return Expression(left, right)

    def gaze_rad(self, time_s: float) -> tuple[float, float]:
        """Yaw and pitch of the eyes in the head."""
        yaw, pitch = self.gaze.at(time_s)
        for start_s, to_yaw, to_pitch in self.glances:
            if time_s >= start_s:
                yaw, pitch = self.gaze.at(time_s) - np.array(self.gaze.centre) + (to_yaw, to_pitch)
        return float(yaw), float(pitch)


def blink(start_s: float, duration_s: float) -> Event:
    """One blink: lids close in a third of the time that they take to open."""
    full = Expression({BLINK: 5.0}, {BLINK: 5.0})
    return Event(start_s, 0.28 * duration_s, 0.15 * duration_s, 0.57 * duration_s, full)


def sample_sway(rng: np.random.Generator, centre: Sequence[float], extent: Sequence[float]) -> Sway:
    """Draw a motion of three sines per coordinate, slower ones larger."""
    count = len(centre)
    frequencies = np.array([0.11, 0.27, 0.7]) * rng.uniform(0.7, 1.4, (count, 3))
    amplitudes = np.array(extent)[:, None] * np.array([1.0, 0.45, 0.12]) * rng.uniform(0.4, 1.0, (count, 3))
    phases = rng.uniform(0, 2 * np.pi, (count, 3))
    rows = [tuple(map(tuple, values.tolist())) for values in (amplitudes, frequencies, phases)]
    return Sway(tuple(centre), *rows)


def sample_performance(rng: np.random.Generator, seconds: float) -> Performance:
    """Draw what happens in a video of some length."""
    events = [*_expressive_events(rng, seconds), *_blinks(rng, seconds)]
    if rng.random() < 0.35:
        events += _speech(rng, seconds)
    lively = rng.gamma(1.5, 0.6)
    head = sample_sway(rng, sample_head_pose(rng), [lively * extent for extent in (0.10, 0.06, 0.04)])
    gaze = sample_sway(rng, sample_gaze(rng), (0.015, 0.01))
    glances = []
    time_s = float(rng.exponential(1.5))
    while time_s < seconds:
        yaw, pitch = sample_gaze(rng)
        glances.append((time_s, yaw, pitch))
        time_s += float(rng.exponential(1.8)) + 0.3
    return Performance(tuple(events), head, gaze, tuple(glances))


def sample_head_pose(rng: np.random.Generator) -> tuple[float, float, float]:
    """Yaw, pitch, roll in radians: mostly frontal, now and then nearly a profile."""
    wide = rng.random() < 0.25
    yaw = rng.uniform(-1.05, 1.05) if wide else rng.normal(0, 0.22)
    pitch = float(np.clip(rng.normal(0.0, 0.22 if wide else 0.13), -0.6, 0.6))
    return float(yaw), pitch, float(np.clip(rng.normal(0, 0.10), -0.4, 0.4))


def sample_gaze(rng: np.random.Generator) -> tuple[float, float]:
    """Yaw and pitch in radians: often straight, else anywhere that eyes turn comfortably."""
    if rng.random() < 0.5:
        return float(rng.normal(0, 0.05)), float(rng.normal(0, 0.04))
    return float(np.clip(rng.normal(0, 0.25), -0.55, 0.55)), float(np.clip(rng.normal(-0.03, 0.16), -0.4, 0.35))


def _expressive_events(rng: np.random.Generator, seconds: float) -> list[Event]:
    events = []
    time_s = float(rng.uniform(0.0, 0.8))
    while time_s < seconds:
        expression = sample_sides(rng, sample_aus(rng))
        onset_s, apex_s, offset_s = (float(rng.uniform(*span)) for span in ((0.15, 0.8), (0.2, 2.0), (0.25, 1.3)))
        event = Event(time_s, onset_s, apex_s, offset_s, expression)
        events.append(event)
        time_s = event.end_s + float(rng.exponential(0.5)) - 0.1 * event.offset_s
    return events


def _blinks(rng: np.random.Generator, seconds: float) -> list[Event]:
    """About 17 a minute, as people at rest blink."""
    events = []
    time_s = float(rng.exponential(1.7))
    while time_s < seconds:
        events.append(blink(time_s, float(rng.uniform(0.22, 0.42))))
        time_s += 0.6 + float(rng.exponential(2.9))
    return events


def _speech(rng: np.random.Generator, seconds: float) -> list[Event]:
    """A burst of short, overlapping mouth shapes."""
    start_s, stop_s = sorted(rng.uniform(0, seconds, 2).tolist())
    events = []
    time_s = start_s
    while time_s < stop_s:
        shape = {25: float(rng.uniform(1, 3.5)), 26: float(rng.uniform(0, 3))}
        if rng.random() < 0.4:
            shape = {int(rng.choice((18, 20, 24, 17, 10))): float(rng.uniform(1, 3)), **shape}
        expression = sample_sides(rng, without_conflicts(shape, rng))
        events.append(Event(time_s, 0.09, float(rng.uniform(0.02, 0.10)), 0.11, expression))
        time_s += float(rng.uniform(0.11, 0.24))
    return events
