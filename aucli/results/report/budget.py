"""How much a page shows of each film, so that a study of hundreds still opens at once.

A page shall stay below 10 MB. Drawings and pictures each have a share of that; the more films and faces there are, the
fewer faces, bins and pixels each gets, and what is left out is said where it would stand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from aucli.results.report.figures import TIMELINE_PX
from aucli.results.report.pictures import Sizes
from aucli.results.report.rates import Rates
from aucli.results.report.study import Study

FIGURE_BYTES: Final = 4_800_000
PICTURE_BYTES: Final = 3_400_000
FILM_BYTES: Final = 2_600
LANE_BYTES: Final = 330
BIN_BYTES: Final = 7
"""What a timeline costs at most: itself, each lane, and each bin where every other one is on."""
TIMELINES: Final = ((1, 6), (2, 6), (2, 4), (2, 3), (3, 3), (3, 2), (4, 2), (4, 1), (6, 1))
"""Width of a bin in pixels and faces drawn, from rich to poor."""
PICTURES: Final = (
    (4, 32, Sizes(still=224, overview=640)),
    (16, 12, Sizes(still=224, overview=640)),
    (34, 8, Sizes(still=160, overview=480)),
    (52, 6, Sizes(still=160, overview=320)),
    (110, 4, Sizes(still=112, overview=240)),
)
"""Up to so many films: stills of each at most, and their size."""
FEWEST_PICTURES: Final = (2, Sizes(still=96, overview=160))
LISTED_FACES: Final = 60


@dataclass(frozen=True)
class Budget:
    """How much is shown.

    Attributes:
        n_bins: on the axis of a timeline.
        n_faces: drawn of each film at most.
        n_timelines: films that get a timeline: the first ones.
        n_stills: of each film at most.
        sizes: of pictures.
        picture_bytes: of all pictures together; when they are spent, the films that follow get none.
    """

    n_bins: int
    n_faces: int
    n_timelines: int
    n_stills: int
    sizes: Sizes
    picture_bytes: int = PICTURE_BYTES

    @classmethod
    def of(cls, study: Study, rates: Rates) -> Budget:
        """Share out a page."""
        n_films = len(study.films)
        faces = np.bincount(rates.film, minlength=n_films + 1)[1:]
        for bin_px, n_faces in TIMELINES:
            n_bins = TIMELINE_PX // bin_px
            lanes = np.minimum(faces, n_faces) * (len(study.aus) + 1)
            cost = np.cumsum(FILM_BYTES + lanes * (LANE_BYTES + BIN_BYTES * n_bins))
            if not n_films or cost[-1] <= FIGURE_BYTES:
                break
        n_timelines = int(np.searchsorted(cost, FIGURE_BYTES, side="right")) if n_films else 0
        rich = [(n_stills, sizes) for most, n_stills, sizes in PICTURES if n_films <= most]
        n_stills, sizes = rich[0] if rich else FEWEST_PICTURES
        return cls(n_bins, n_faces, n_timelines, n_stills, sizes)
