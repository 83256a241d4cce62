"""The page as text: whatever a table says is text on it, and it holds nothing that leads outside."""

from __future__ import annotations

import html
import itertools
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import aucli
from aucli.results.report.drawing import own_links
from aucli.results.report.rates import count_rates
from aucli.results.report.run import ReportOptions, report
from aucli.results.report.study import load_study
from aucli.results.report.words import without_common_folders
from aucli.results.row_filter import RowFilter
from tests.builders.made_studies import AUS, MadeFilm, film_with_pictures, write_study

HOSTILE = "p 1/<script>alert(1)</script> \"q\" 'a' {{ 7*7 }} & <img src=x onerror=alert(2)>.mp4"


class Tags(HTMLParser):
    """Every tag with its attributes, and all text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A study with everything that may go wrong: hostile names, no face, one frame, 200 faces, a broken film."""
    folder = tmp_path_factory.mktemp("study")
    films = {
        HOSTILE: MadeFilm(n_frames=1200, faces={0: (0, 1100), 1: (300, 900)}, more={"broken": "<b>cut</b> off"}),
        "empty.mp4": MadeFilm(faces={}),
        "no frame.mp4": MadeFilm(n_frames=0, faces={}),
        "one.jpg": MadeFilm(n_frames=1, faces={0: (0, 1)}),
        "crowd.mp4": MadeFilm(n_frames=60, faces={k: (k // 8, 60 - k // 8) for k in range(200)}, interocular_px=9),
        "dark.mp4": MadeFilm(n_frames=60, faces={0: (0, 60)}, quality={"brightness": 20}),
        "shown.mp4": film_with_pictures(folder / "shown.mp4"),
    }
    run = {"model": "<i>tiny</i>", "experimental": ("AU04",)}
    table = write_study(folder / "t & <u>.parquet", films, run=run)
    outcome = report(table, folder / "r.html", failures={"<s>x</s>.mp4": "No such <file>"})
    assert (outcome.n_videos, outcome.n_timelines, outcome.n_without_face) == (7, 5, 2)
    assert outcome.n_pictures >= 3
    return (folder / "r.html").read_text(encoding="utf-8")


def test_names_are_text(page: str) -> None:
    tags = Tags(page)
    assert [tag for tag, _ in tags.found].count("script") == 1
    assert not {tag for tag, _ in tags.found} & {"i>", "u", "s", "iframe", "object", "link"}
    assert not [attrs for _, attrs in tags.found if any(name.startswith("on") for name in attrs)]
    for text in (HOSTILE, "<i>tiny</i>", "<b>cut</b> off", "<s>x</s>.mp4", "No such <file>", "t & <u>.parquet"):
        assert text in tags.text


def test_nothing_leads_outside(page: str) -> None:
    tags = Tags(page)
    names = {attrs["id"] for _, attrs in tags.found if "id" in attrs}
    kinds = ("href", "xlink:href", "src", "srcset", "poster", "data", "action", "cite")
    addresses = [(tag, attrs[kind] or "") for tag, attrs in tags.found for kind in kinds if kind in attrs]
    places = [address for _, address in addresses if address[:1] == "#" and address[1:] in names]
    pictures = [address for tag, address in addresses if tag == "img" and address.startswith("data:image/jpeg;base64,")]
    assert len(places) + len(pictures) == len(addresses)
    assert len(pictures) >= 3
    assert {"#v2", "#v6s1", "#v6s2"} <= set(places)  # of the contents, and of the timeline
    assert not re.search(r"url\(|@import", page)


@given(st.text("htps:/.=&?vega", max_size=30))
def test_a_link_in_a_drawing_leads_to_its_place_on_the_page_whatever_vega_made_of_it(base: str) -> None:
    for name in ("href", "xlink:href"):
        assert (
            own_links(f'<a tabindex="-1" {name}="{base}#v1s2"><path/></a>')
            == '<a tabindex="-1" href="#v1s2"><path/></a>'
        )
        with pytest.raises(ValueError, match="no place of the page"):
            own_links(f'<a {name}="{base}"/>')


def test_the_contents_show_what_tells_films_apart(page: str) -> None:
    contents = page[page.index("<nav") : page.index("</nav>")]
    assert "2 empty.mp4</a>" in contents
    assert without_common_folders([]) == []
    assert without_common_folders(["s/a/film.mp4", "s/b/film.mp4", "s/x.mp4"]) == ["a/film.mp4", "b/film.mp4", "x.mp4"]
    assert without_common_folders(["s/x.mp4", "s/y.mp4"]) == ["x.mp4", "y.mp4"]
    assert without_common_folders(["film.mp4", "b/film.mp4"]) == ["film.mp4", "b/film.mp4"]


def test_names_of_places_are_there_once_and_pictures_have_a_sentence(page: str) -> None:
    tags = Tags(page)
    names = [attrs["id"] for _, attrs in tags.found if "id" in attrs]
    assert len(names) == len(set(names))
    assert all(attrs.get("aria-label") for tag, attrs in tags.found if tag == "svg")
    levels = [int(tag[1]) for tag, _ in tags.found if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_what_to_distrust_is_told(page: str) -> None:
    text = " ".join(Tags(page).text.split())
    assert "The film ends early or is damaged: <b>cut</b> off." in text
    assert "No face was found in it." in text
    assert "The table holds no frame of it." in text
    assert "Experimental (the model's maker says that their figures fall short" in text
    assert "held to): AU04 Brow lowerer." in text
    assert "AU04 Brow lowerer (experimental)" in text
    assert "The 6 of 200 faces that are seen longest are drawn" in text
    assert "140 more are in the table" in text
    assert "Small faces: " in text
    assert "Dark faces: " in text
    assert "No stills: it is not where it was." in text


def test_the_lines_under_the_figures_give_their_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_study(Path("t.parquet"), {'it\'s "a".mp4': MadeFilm(n_frames=300, faces={0: (0, 280), 1: (30, 300)})})
    report("t.parquet", "r.html", options=ReportOptions(pictures=False))
    code = re.findall(r'<details class="how">.*?<code>(.*?)</code>', Path("r.html").read_text(), flags=re.DOTALL)
    assert len(code) == 4
    spaces: list[dict[str, Any]] = [{} for _ in code]
    for lines, space in zip(code, spaces, strict=True):
        exec(html.unescape(lines), space)
    rates = count_rates(load_study("t.parquet", RowFilter()))
    study: Any = spaces[0]["study"]
    np.testing.assert_allclose(study.faces["share_present"].to_numpy().reshape(2, -1), rates.share, atol=1e-9)
    assert study.faces["n_episodes"].to_list() == rates.n_episodes.ravel().tolist()
    assert study.groups["share_present"].to_list() == [rates.of_study[au]["share_present"] for au in AUS]
    pairs: Any = spaces[1]["study"]
    np.testing.assert_allclose(pairs.co_occurrence["phi"].to_numpy(), rates.phi[np.triu_indices(4, 1)], atol=1e-9)
    found: Any = spaces[3]["found"]
    assert len(found) == len(rates.episodes) > 0
    write_study(Path("u.parquet"), {"b.mp4": MadeFilm(n_frames=50)})
    report(["t.parquet", "u.parquet"], "s.html", options=ReportOptions(pictures=False, videos=("b.mp4",)))
    code = re.findall(r'<details class="how">.*?<code>(.*?)</code>', Path("s.html").read_text(), flags=re.DOTALL)
    of_b: dict[str, Any] = {}
    exec(html.unescape(code[0]), of_b)
    assert of_b["study"].faces["video"].unique().to_list() == ["b.mp4"]


def test_an_empty_table_and_a_data_frame_make_a_page(tmp_path: Path) -> None:
    table = write_study(tmp_path / "t.parquet", {})
    report(table, tmp_path / "r.html")
    text = Tags((tmp_path / "r.html").read_text()).text
    assert "No face was found, so there are no action units to tell of." in text
    report(aucli.read(table), tmp_path / "f.html", options=ReportOptions(title="Mine"))
    assert "came as a data frame without the metadata" in (tmp_path / "f.html").read_text()


def test_the_same_table_gives_the_same_bytes_and_only_our_own_page_is_replaced(tmp_path: Path) -> None:
    table = write_study(tmp_path / "t.parquet", {"a.mp4": MadeFilm()})
    report(table, tmp_path / "r.html")
    first = (tmp_path / "r.html").read_bytes()
    report(table, tmp_path / "r.html")
    assert (tmp_path / "r.html").read_bytes() == first
