"""The page in a real browser: a made film, annotated, and what a reader can do with the page."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from aucli.annotation.options import AnnotateOptions
from aucli.annotation.run import annotate
from aucli.results.report.run import report
from tests.builders.made_studies import MadeFilm, film_with_pictures, write_study

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
A4_PX = 688
"""Width of A4 between the page's margins."""
pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium here")


@dataclass
class Opened:
    """A page that is open, and what it did."""

    page: Any
    messages: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page about seven frames of the example clip, under a name with blanks and markup."""
    folder = tmp_path_factory.mktemp("film")
    film = folder / "my <b>film 'one'.mp4"
    shutil.copy(Path(__file__).parents[3] / "examples" / "clip.mp4", film)
    options = AnnotateOptions(start_s=3.0, end_s=4.4, every_s=0.2, root=folder)
    outcome = annotate(film, folder / "t.parquet", options=options)
    assert not outcome.failures
    told = report(folder / "t.parquet", folder / "r.html")
    assert told.n_pictures >= 3
    assert told.without_pictures == {}
    return folder / "r.html"


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page about so many films that a browser reads pictures late; parts are high with a face, and low without."""
    folder = tmp_path_factory.mktemp("many")
    shown = film_with_pictures(folder / "film.mp4")
    films = {f"s/p{number:02d}/film.mp4": MadeFilm(faces={}) for number in range(1, 14)}
    for number in (4, 11, 12, 13):
        (folder / f"p{number:02d}").mkdir()
        os.link(folder / "film.mp4", folder / f"p{number:02d}" / "film.mp4")
        films[f"s/p{number:02d}/film.mp4"] = shown
    table = write_study(folder / "t.parquet", films)
    assert report(table, folder / "r.html").n_pictures >= 4 * 2
    return folder / "r.html"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


def opened(chromium: Any, path: Path, **options: Any) -> Opened:
    page = chromium.new_context(offline=True, **options).new_page()
    seen = Opened(page)
    page.on("console", lambda message: seen.messages.append(message.text))
    page.on("pageerror", lambda error: seen.messages.append(str(error)))
    page.on("request", lambda request: seen.requests.append(request.url))
    page.goto(path.as_uri())
    return seen


@pytest.mark.slow
def test_a_reader_finds_everything_by_mouse_and_keyboard(chromium: Any, written: Path) -> None:
    seen = opened(chromium, written, viewport={"width": 1280, "height": 900})
    page = seen.page
    headings = page.locator("h2").all_inner_texts()
    assert headings == ["What was run", "What to distrust", "The study", "Videos", "How this was made"]
    assert "my <b>film 'one'.mp4" in page.locator("section.film h3").text_content()
    assert page.locator("text=aunce-small").first.is_visible()

    page.locator("a", has_text="its card").click()
    card = page.locator(".card")
    assert card.locator("h4").first.inner_text() == "aunce-small"

    # The stills are pictures, not broken, and say what they show.
    for still in page.locator(".gallery img").all():
        still.scroll_into_view_if_needed()
        assert still.evaluate("image => image.decode().then(() => image.naturalWidth)") > 60
        assert still.get_attribute("alt")

    # The timeline is read by the pointer and by the arrow keys, and the two agree.
    timeline = page.locator("figure.timeline .wide")
    readout = page.locator("figure.timeline .readout")
    timeline.focus()
    page.keyboard.press("End")
    assert readout.inner_text().startswith("At 4.40 s")
    page.keyboard.press("Home")
    for _ in range(50):
        page.keyboard.press("ArrowRight")
    by_keys = readout.inner_text()
    assert by_keys.startswith("At 3.70 s \u2013 Face 0: ")
    assert "AU25" in by_keys
    lane = page.locator("figure.timeline svg path[aria-label]").first
    x = lane.evaluate("path => { const m = path.getScreenCTM(); return m.a * 390 + m.e; }")
    box = timeline.bounding_box()
    page.mouse.move(x, box["y"] + box["height"] / 2)
    assert readout.inner_text() == by_keys

    # Tables sort, both ways.
    page.locator("summary", has_text="every number of this figure").click()
    table = page.locator("table", has=page.locator("th", has_text="share of time")).first
    for direction in ("ascending", "descending"):
        table.locator("th button", has_text="share of time").click()
        assert table.locator(f"th[aria-sort={direction}]").count() == 1
    shares = [float(cell.get_attribute("data-v")) for cell in table.locator("tbody td:nth-child(3)").all()]
    assert shares == sorted(shares, reverse=True)

    assert seen.messages == []
    outside = """all => all.flatMap(one => [...one.attributes]).filter(
        one => /^(xlink:)?href$|^src/.test(one.name) && !/^(#|data:)/.test(one.value)).map(one => one.value)"""
    assert page.locator("*").evaluate_all(outside) == []  # also the model's card links to nothing outside
    assert [url for url in seen.requests if not url.startswith(("file://", "data:"))] == []
    assert len([url for url in seen.requests if url.startswith("file://")]) == 1


HOW_FAR = """name => {
    const to = document.getElementById(name).getBoundingClientRect(), page = document.documentElement;
    const is_edge = scrollY < 1 || scrollY + innerHeight >= page.scrollHeight - 1;
    return is_edge ? Math.max(0, -to.top, to.top - innerHeight + 40) : Math.abs(to.top - 16); }"""
"""Pixels between a place and where it should be: at the top of the window, or in sight where the page ends before."""
WRONG_LINKS = f"""all => all.filter(one => {{ one.dispatchEvent(new MouseEvent('click', {{ bubbles: true }}));
    return ({HOW_FAR})(one.getAttribute('href').slice(1)) > 2; }}).map(one => one.getAttribute('href'))"""


@pytest.mark.parametrize(("width", "script"), [(1280, False), (400, True)])
def test_every_link_leads_to_its_place(chromium: Any, many: Path, width: int, script: bool) -> None:
    page = opened(chromium, many, viewport={"width": width, "height": 800}, java_script_enabled=script).page
    # The first one far away decides: nothing on the way there has been in sight before.
    page.locator("a[href='#v13']:visible").first.focus()
    page.keyboard.press("Enter")
    assert page.evaluate(HOW_FAR, "v13") < 2
    page.locator("svg a[href='#v12s1'] text").click()
    assert page.evaluate(HOW_FAR, "v12s1") < 2
    page.goto("about:blank")
    page.goto(f"{many.as_uri()}#v11s2")
    assert page.evaluate(HOW_FAR, "v11s2") < 2
    links = page.locator("a[href^='#']:visible")
    assert links.count() > 13 * 2
    assert links.evaluate_all(WRONG_LINKS) == []


def test_everything_is_reached_by_the_tabulator_key_and_seen_to_be(chromium: Any, written: Path) -> None:
    page = opened(chromium, written, viewport={"width": 1280, "height": 900}, reduced_motion="reduce").page
    wanted = page.locator("a[href]:not([tabindex='-1']), button, summary, input, [tabindex='0']").evaluate_all(
        "all => all.filter(one => one.checkVisibility({ visibilityProperty: true })).map((one, i) => "
        "{ one.dataset.test = i; return i; })"
    )
    assert len(wanted) > 30
    reached = set()
    for _ in range(3 * len(wanted)):
        page.keyboard.press("Tab")
        place, outline, name, inside = page.evaluate(
            """() => { const one = document.activeElement;
            const style = getComputedStyle(one), box = one.getBoundingClientRect();
            return [one.dataset.test, style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
                one.getAttribute('aria-label') || one.textContent.trim() || one.getAttribute('aria-labelledby'),
                box.bottom > 0 && box.top < innerHeight]; }"""
        )
        if place is None:
            break  # round once: the browser's own, or something that nobody expected
        assert outline, f"no focus is seen on {name}"
        assert name, "a control without a name"
        assert inside, f"{name} is focused out of sight"
        reached.add(int(place))
    missed = [
        page.locator(f"[data-test='{place}']").first.evaluate("one => one.outerHTML")
        for place in wanted
        if place not in reached
    ]
    assert [text[:300] for text in missed] == []
    # What the timeline shows is told in words to who does not see it.
    drawing = page.locator("figure.timeline svg").first
    assert drawing.get_attribute("role") == "img"
    assert drawing.get_attribute("aria-label").endswith("The table below has the numbers.")
    assert page.locator("section.film details table").count() == 1


def test_what_is_cut_at_the_edge_says_that_it_goes_on(chromium: Any, written: Path) -> None:
    page = opened(chromium, written, viewport={"width": 500, "height": 900}).page
    for box in page.locator(".wide, .scroll").all():
        is_cut = box.evaluate("one => one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0")
        hint = box.locator("xpath=following-sibling::p[@class='goes-on'][1]")
        assert hint.is_visible() == is_cut
        assert ("more-right" in box.get_attribute("class")) == is_cut
    timeline = page.locator("figure.timeline .wide")
    timeline.focus()
    page.keyboard.press("End")
    page.wait_for_function("document.querySelector('figure.timeline .wide').classList.contains('more-left')")
    assert "more-right" not in timeline.get_attribute("class").split()
    page.set_viewport_size({"width": 1600, "height": 900})
    page.wait_for_function("!document.querySelector('figure.timeline .wide').matches('.more-left, .more-right')")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_narrow_screen_needs_no_scrolling_sideways(chromium: Any, written: Path, scheme: str) -> None:
    seen = opened(chromium, written, viewport={"width": 400, "height": 800}, color_scheme=scheme)
    assert seen.page.evaluate("document.documentElement.scrollWidth") == 400
    ink, paper = (
        seen.page.evaluate(f"getComputedStyle(document.body).{name}") for name in ("color", "backgroundColor")
    )
    assert (sum(_channels(ink)) < sum(_channels(paper))) == (scheme == "light")
    assert seen.messages == []


def test_it_prints_and_works_without_a_script(chromium: Any, written: Path) -> None:
    seen = opened(chromium, written, java_script_enabled=False)
    assert seen.page.locator("figure.timeline svg").is_visible()
    pdf = seen.page.pdf(format="A4")
    assert pdf.startswith(b"%PDF")
    assert 2 <= pdf.count(b"/Type /Page\n") <= 8


@pytest.mark.slow
def test_on_paper_nothing_is_cut(chromium: Any, written: Path) -> None:
    seen = opened(chromium, written, viewport={"width": A4_PX, "height": 900})
    page = seen.page
    page.emulate_media(media="print")
    page.evaluate(
        "document.querySelectorAll('details:not(.how):not(:has(.card))').forEach(one => { one.open = true; })"
    )
    assert page.evaluate("document.documentElement.scrollWidth") == A4_PX
    # Names in front of lanes lie inside of their drawing.
    cut = """[...document.querySelectorAll('svg')].flatMap(svg => [...svg.querySelectorAll('text')].filter(
        one => one.getBoundingClientRect().left < svg.getBoundingClientRect().left - 1).map(one => one.textContent))"""
    assert "AU20 Lip stretcher (experimental)" in page.locator("svg text").all_text_contents()
    assert page.evaluate(cut) == []


def _channels(colour: str) -> list[int]:
    return [int(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
