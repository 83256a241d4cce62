"""Figures of the page, as what Vega-Lite is to draw.

Colours are CSS variables of the page, so that one drawing serves light, dark and print. Every figure has a table of its
numbers beside it on the page; a screen reader is given that, and the drawing as one picture with a sentence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aucli.results.film_times import US_PER_S
from aucli.results.report.drawing import draw, page_colour
from aucli.results.report.time_axis import CLOCK_EXPRESSION, time_ticks
from aucli.results.report.timeline import Stretches

FloatArray = npt.NDArray[np.float64]

LANE_PX: Final = 16
TIMELINE_PX: Final = 780
NAME_PX: Final = 190
CHARACTER_PX: Final = 7.2
"""Room for names in front of lanes: at least, and for each character. The reader's font is not known here, and may be
wider than the measured one."""
DOTS: Final = 600
"""Faces times action units up to which each face is a dot; beyond, quartiles tell."""


@dataclass(frozen=True, eq=False)
class Lane:
    """One row of a timeline.

    Attributes:
        name: in front of it.
        at_end: behind it: ``31 %``.
        spans: kind (``present``, ``seen``, ``doubtful``) -> when.
    """

    name: str
    at_end: str
    spans: Mapping[str, Stretches]


@dataclass(frozen=True, eq=False)
class Panel:
    """The timeline of one face.

    Attributes:
        name: of the face: ``Face 0``.
        title: above it.
        lanes: all panels of a figure have lanes of the same names.
        unseen: when the face is not seen, or its rows are left out.
        marks: time in seconds, number, and address of each still.
    """

    name: str
    title: str
    lanes: tuple[Lane, ...]
    unseen: Stretches
    marks: tuple[tuple[float, int, str], ...]


STILLS_LANE: Final = "stills"


def draw_timeline(panels: Sequence[Panel], begin_s: float, end_s: float, about: str) -> str:
    """Draw the faces of a film below one another over one axis of time.

    Args:
        panels: a face each.
        begin_s: of the axis.
        end_s: likewise.
        about: the figure in a sentence, for who does not see it.
    """
    names = [lane.name for lane in panels[0].lanes]
    has_marks = any(panel.marks for panel in panels)
    order = [*([STILLS_LANE] if has_marks else []), *names]
    titles = [panel.title for panel in panels]
    height = LANE_PX * len(order)
    x = {
        "field": "t",
        "type": "quantitative",
        "scale": {"domain": [begin_s, end_s], "nice": False},
        "axis": {
            "values": time_ticks(begin_s, end_s),
            "labelExpr": CLOCK_EXPRESSION if end_s - begin_s >= 120 else "format(datum.value, '~r') + ' s'",
            "title": None,
            "grid": True,
            "labelFlush": False,
        },
    }
    y = {
        "field": "lane",
        "type": "nominal",
        "sort": order,
        "scale": {"domain": order},
        "axis": {
            "title": None,
            "ticks": False,
            "domain": False,
            "labelPadding": 8,
            "minExtent": _room(order),
            "grid": True,
        },
    }
    layers: list[dict[str, Any]] = [
        {
            "transform": [{"filter": "datum.kind == 'unseen'"}],
            "mark": {"type": "rect", "color": page_colour("unseen")},
            "encoding": {"x": x, "x2": {"field": "t2"}, "y": {"value": 0}, "y2": {"value": height}},
        },
        *(
            _bars(kind, x, y, page_colour(kind), width, aria=kind != "doubtful")
            for kind, width in (("seen", 4), ("doubtful", 8), ("present", 11))
        ),
        {
            "transform": [{"filter": "datum.kind == 'end'"}],
            "mark": {"type": "text", "align": "left", "fontSize": 12, "color": page_colour("ink")},
            "encoding": {"x": {"value": TIMELINE_PX + 8}, "y": y, "text": {"field": "text"}},
        },
    ]
    if has_marks:
        on_mark = {"x": x, "y": y, "href": {"field": "href"}}
        chosen = [{"filter": "datum.kind == 'mark'"}]
        layers += [
            {
                "transform": chosen,
                "mark": {"type": "circle", "size": 230, "color": page_colour("ink"), "opacity": 1},
                "encoding": on_mark,
            },
            {
                "transform": chosen,
                "mark": {"type": "text", "fontSize": 10, "fontWeight": "bold", "color": page_colour("paper")},
                "encoding": {**on_mark, "text": {"field": "text"}},
            },
        ]
    spec = {
        "data": {"values": [value for panel in panels for value in _values(panel)]},
        "facet": {
            "field": "panel",
            "type": "nominal",
            "sort": titles,
            "header": {"labelAnchor": "start", "labelPadding": 4},
        },
        "columns": 1,
        "spacing": 12,
        "spec": {"width": TIMELINE_PX, "height": height, "layer": layers},
    }
    return draw(spec, about)


def _bars(
    kind: str, x: dict[str, Any], y: dict[str, Any], colour: str, width: float, *, aria: bool = False
) -> dict[str, Any]:
    """Stretches as thick lines with gaps: one element a lane, however many there are."""
    mark = {"type": "line", "strokeWidth": width, "strokeCap": "butt", "color": colour, "aria": aria}
    encoding: dict[str, Any] = {"x": x, "y": y, "detail": {"field": "lane"}, "order": {"value": None}}
    if aria:
        encoding["description"] = {"field": "about"}
    return {
        "transform": [{"filter": f"datum.kind == '{kind}'"}],
        "mark": {**mark, "invalid": "break-paths-filter-domains"},
        "encoding": encoding,
    }


def _values(panel: Panel) -> list[dict[str, Any]]:
    """A panel as rows for Vega-Lite."""
    values: list[dict[str, Any]] = []

    def add(kind: str, lane: str, spans: Stretches, about: str = "") -> None:
        for begin_us, end_us in spans.tolist():
            for time_us in (begin_us, end_us, None):
                t = None if time_us is None else round(time_us / US_PER_S, 3)
                values.append({"panel": panel.title, "kind": kind, "lane": lane, "t": t, "about": about})

    for begin_us, end_us in panel.unseen.tolist():
        begin_s, end_s = round(begin_us / US_PER_S, 3), round(end_us / US_PER_S, 3)
        values.append({"panel": panel.title, "kind": "unseen", "t": begin_s, "t2": end_s})
    for lane in panel.lanes:
        for kind, spans in lane.spans.items():
            add(kind, lane.name, spans, f"{panel.name}: {lane.name}")
        values.append({"panel": panel.title, "kind": "end", "lane": lane.name, "text": lane.at_end})
    for time_s, number, href in panel.marks:
        mark = {
            "panel": panel.title,
            "kind": "mark",
            "lane": STILLS_LANE,
            "t": time_s,
            "text": str(number),
            "href": href,
        }
        values.append(mark)
    return values


def draw_rates(names: Sequence[str], share: FloatArray, per_min: FloatArray, about: str) -> str:
    """Draw how often each action unit was present, over the faces of a study.

    Args:
        names: (A,) of the action units.
        share: (F, A) of time, NaN where unknown.
        per_min: (F, A) episodes a minute.
        about: the figure in a sentence.
    """
    is_dotted = share.size <= DOTS
    parts = []
    for column, (values, title, form) in enumerate(
        ((100 * share, "share of the time seen, %", ".0f"), (per_min, "episodes a minute", "~r"))
    ):
        data = [
            {"au": name, **_spread(values[:, number])}
            for number, name in enumerate(names)
            if np.isfinite(values[:, number]).any()
        ]
        y = {
            "field": "au",
            "type": "nominal",
            "sort": list(names),
            "scale": {"domain": list(names)},
            "axis": {
                "title": None,
                "ticks": False,
                "domain": False,
                "labels": column == 0,
                "labelPadding": 8,
                "minExtent": 0 if column else _room(names),
            },
        }
        most = float(np.nanmax(values, initial=0.0)) or 1.0
        x = {
            "type": "quantitative",
            "scale": {"domain": [0, most], "nice": True},
            "axis": {"title": title, "tickCount": 5, "format": form},
        }
        whiskers = {
            "mark": {"type": "rule", "color": page_colour("soft")},
            "encoding": {"y": y, "x": {**x, "field": "least"}, "x2": {"field": "most"}},
        }
        layers: list[dict[str, Any]] = [
            *([] if is_dotted else [whiskers]),
            {
                "mark": {"type": "bar", "height": 10, "color": page_colour("present"), "opacity": 0.35},
                "encoding": {"y": y, "x": {**x, "field": "q1"}, "x2": {"field": "q3"}},
            },
            {
                "mark": {"type": "tick", "thickness": 3, "height": 14, "color": page_colour("present"), "opacity": 1},
                "encoding": {"y": y, "x": {**x, "field": "median"}},
            },
        ]
        if is_dotted:
            dots = [
                {"au": name, "dot": _plain(value)}
                for number, name in enumerate(names)
                for value in values[np.isfinite(values[:, number]), number]
            ]
            layers.append(
                {
                    "data": {"values": dots},
                    "mark": {
                        "type": "point",
                        "size": 26,
                        "color": page_colour("ink"),
                        "opacity": 0.55,
                        "strokeWidth": 1.2,
                    },
                    "encoding": {"y": y, "x": {**x, "field": "dot"}},
                }
            )
        parts.append({"data": {"values": data}, "width": 320, "height": {"step": 24}, "layer": layers})
    return draw({"hconcat": parts, "spacing": 28}, about)


def _spread(values: FloatArray) -> dict[str, float]:
    known = values[np.isfinite(values)]
    least, q1, median, q3, most = (_plain(value) for value in np.quantile(known, [0, 0.25, 0.5, 0.75, 1]))
    return {"least": least, "q1": q1, "median": median, "q3": q3, "most": most}


def _room(names: Sequence[str]) -> float:
    """Pixels in front of lanes or bars that have these names."""
    return max(NAME_PX, CHARACTER_PX * max(map(len, names), default=0))


def _correlation(phi: float) -> str:
    """``.98``, ``−.09``, ``.00``; a dash where it is unknown."""
    if not np.isfinite(phi):
        return "–"
    text = f"{abs(phi):.2f}".removeprefix("0")
    return f"\N{MINUS SIGN}{text}" if phi <= -0.005 else text


def draw_pairs(names: Sequence[str], phi: FloatArray, about: str) -> str:
    """Draw which action units go together.

    Args:
        names: (A,) short names.
        phi: (A, A) correlations, NaN where unknown.
        about: the figure in a sentence.
    """
    data = [
        {
            "row": names[i],
            "column": names[j],
            "size": _plain(abs(phi[i, j])) if np.isfinite(phi[i, j]) else 0,
            "sign": "none" if not np.isfinite(phi[i, j]) else "positive" if phi[i, j] >= 0 else "negative",
            "text": _correlation(phi[i, j]),
        }
        for i in range(1, len(names))
        for j in range(i)
    ]
    side = {"type": "nominal", "axis": {"title": None, "ticks": False, "domain": False, "labelAngle": 0}}
    y = {**side, "field": "row", "sort": list(names), "scale": {"domain": list(names[1:])}}
    x = {**side, "field": "column", "sort": list(names), "scale": {"domain": list(names[:-1])}}
    colour = {
        "field": "sign",
        "type": "nominal",
        "legend": None,
        "scale": {
            "domain": ["positive", "negative", "none"],
            "range": [page_colour("present"), page_colour("doubtful"), page_colour("unseen")],
        },
    }
    spec = {
        "data": {"values": data},
        "width": {"step": 44},
        "height": {"step": 28},
        "layer": [
            {
                "mark": {"type": "rect", "stroke": page_colour("paper"), "strokeWidth": 2},
                "encoding": {
                    "x": x,
                    "y": y,
                    "fill": colour,
                    "fillOpacity": {
                        "field": "size",
                        "type": "quantitative",
                        "scale": {"domain": [0, 1], "range": [0.06, 0.9]},
                        "legend": None,
                    },
                },
            },
            {
                "mark": {"type": "text", "fontSize": 12, "color": page_colour("ink")},
                "encoding": {"x": x, "y": y, "text": {"field": "text"}},
            },
        ],
    }
    return draw(spec, about)


def _plain(value: float) -> float:
    return round(float(value), 4)
