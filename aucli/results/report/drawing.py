"""A figure's specification in, static SVG out, by Vega-Lite. The only door to vl-convert."""

from __future__ import annotations

import html
import re
from typing import Any, Final

VEGA_LITE: Final = "5.20"
"""The version of the language that specifications are written in; vl-convert carries several."""


def page_colour(name: str) -> str:
    """A colour of the page's style."""
    return f"var(--{name})"


_CONFIG: Final[dict[str, Any]] = {
    "background": None,
    "font": "system-ui, sans-serif",
    "aria": False,
    "view": {"stroke": None},
    "axis": {
        "labelColor": page_colour("ink"),
        "titleColor": page_colour("soft"),
        "gridColor": page_colour("line"),
        "domainColor": page_colour("line"),
        "tickColor": page_colour("line"),
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "labelLimit": 320,
    },
    "header": {"labelColor": page_colour("ink"), "labelFontSize": 13, "labelFontWeight": "bold", "title": None},
}


def draw(spec: dict[str, Any], about: str) -> str:
    """Make a drawing: one picture with one sentence for screen readers, as wide as its place on the page."""
    import vl_convert

    schema = f"https://vega.github.io/schema/vega-lite/v{VEGA_LITE}.json"
    svg = vl_convert.vegalite_to_svg({"$schema": schema, "config": _CONFIG, **spec}, vl_version=VEGA_LITE)
    head = re.match(r'<svg [^>]*?width="([\d.]+)" height="([\d.]+)"[^>]*>', svg)
    assert head is not None, svg[:200]
    width, height = head[1], head[2]
    # The place has its height before the browser draws what is in it: what lies below never moves.
    place = f"aspect-ratio:{width}/{height};max-width:{width}px;min-width:min({width}px,42rem)"
    start = (
        f'<div class="drawing" style="{place}"><svg xmlns="http://www.w3.org/2000/svg" '
        f'role="img" aria-label="{html.escape(about)}" viewBox="0 0 {width} {height}">'
    )
    return _slim(start + own_links(svg[head.end() :])) + "</div>"


def own_links(svg: str) -> str:
    """Make every link of a drawing lead to its place on the page, whatever address Vega took for that of the page.

    Raises:
        ValueError: if one leads to no place of the page.
    """

    def own(link: re.Match[str]) -> str:
        place = link[1].partition("#")[2]
        if not place:
            raise ValueError(f"a drawing links to {link[1]!r}, which is no place of the page")
        return f'href="#{place}"'

    return re.sub(r'\b(?:xlink:)?href="([^"]*)"', own, svg)


def _slim(svg: str) -> str:
    """Leave out what changes nothing in the picture and is half of the bytes."""
    svg = re.sub(r'<path class="(?:background|foreground)" aria-hidden="true" d="[^"]*"[^>]*/>', "", svg)
    svg = re.sub(r' (?:pointer-events="none"|opacity="1"|font-family="[^"]*"|aria-roledescription="[^"]*")', "", svg)
    svg = re.sub(r' role="graphics-(?:object|symbol)"| class="mark-[^"]*"| aria-hidden="true"', "", svg)
    # A picture is one thing to the keyboard: what its links lead to is reached beside it.
    return svg.replace("<a ", '<a tabindex="-1" ')
