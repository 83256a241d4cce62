"""Names of films: the rule, against the slow obvious version of it."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aucli.human_codes.film_names import FilmNames, MediaLink, media_link, nearest, several

FOLDERS = st.lists(st.sampled_from(["p1", "p2", "P1", "x"]), max_size=3)
NAMES = st.builds(
    lambda folders, name: "/".join([*folders, name]),
    FOLDERS,
    st.sampled_from(["a.mp4", "A.mp4", "a.mov", "a.b.mp4", "b.mp4", "a", "a.b"]),
)


def common(one: list[str], other: list[str]) -> int:
    """How many parts the ends of two paths share."""
    n = 0
    while n < min(len(one), len(other)) and one[-1 - n] == other[-1 - n]:
        n += 1
    return n


def parts(name: str, *, suffix: bool = True) -> list[str]:
    *folders, last = name.lower().split("/")
    return [*folders, last if suffix or "." not in last else last.rpartition(".")[0]]


def slowly_named(wanted: str, films: list[str]) -> set[str]:
    """Film by film, as docs/table.md says it."""
    if wanted in films:
        return {wanted}
    if same := {film for film in films if film.lower() == wanted.lower()}:
        return same
    mine = parts(wanted)
    shared = {film: common(mine, parts(film)) for film in films}
    fits = {film: n for film, n in shared.items() if n == min(len(mine), len(parts(film)))}
    if fits:
        return {film for film, n in fits.items() if n == max(fits.values())}
    if len(mine) > 1:
        return set()
    for last in (mine[0], parts(wanted, suffix=False)[0]):
        if found := {film for film in films if parts(film, suffix=False)[-1] == last}:
            return found
    return set()


def slowly_linked(wanted: str, films: list[str]) -> set[str]:
    if named := slowly_named(wanted, films):
        return named
    for suffix in (True, False):
        shared = {film: common(parts(wanted, suffix=suffix), parts(film, suffix=suffix)) for film in films}
        if best := max(shared.values(), default=0):
            return {film for film, n in shared.items() if n == best}
    return set()


@given(st.lists(NAMES, unique=True, max_size=6), NAMES)
@example([], "a.mp4")
@example(["p1/a.mp4", "x/p1/a.mp4"], "x/x/p1/a.mp4")
def test_names_and_links_mean_what_the_slow_rule_says(films: list[str], wanted: str) -> None:
    known = FilmNames(films)
    assert set(known.fitting(wanted)) == slowly_named(wanted, films)
    assert set(known.fitting(MediaLink(wanted))) == slowly_linked(wanted, films)


@given(st.lists(NAMES, unique=True, min_size=1, max_size=6), st.data())
def test_a_name_of_a_film_is_that_film_and_folders_are_never_passed_over(films: list[str], data: st.DataObject) -> None:
    known = FilmNames(films)
    film = data.draw(st.sampled_from(films))
    assert known.fitting(film) == known.fitting(MediaLink(film)) == (film,)
    assert film in known.fitting(f"/data/{film}"), "wherever the study lies"
    folder = data.draw(st.sampled_from(["other", "p9"]))
    wanted = f"{folder}/{film.rpartition('/')[2]}"
    for fit in known.fitting(wanted):
        assert "/" not in fit, "only a film that has no folder"


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("", None),
        ("file:///C:/films/a%20b.mp4", "C:/films/a b.mp4"),
        ("file:///old/proxy.mpg", "old/proxy.mpg"),
        (r"C:\films\50%25.mp4", "C:/films/50%25.mp4"),
        ("./p01//film.mp4 ", "p01/film.mp4"),
        ("/media/talk.WAV", None),
        ("file:///films/", None),
    ],
)
def test_links_of_coding_programs(url: str, link: str | None) -> None:
    assert media_link(url) == link


def test_films_of_other_spellings_and_files_of_codes() -> None:
    known = FilmNames(["p1/Ge\u0301spra\u0308ch.mp4", "p2/b.mp4", "p3/b.mov"])
    assert known.fitting(".\\P1\\G\u00e9spr\u00e4ch.MP4") == (known.names[0],)
    assert known.called_like("p3/codes/B.eaf") == ("p3/b.mov",)
    assert known.called_like("b.eaf") == ("p2/b.mp4", "p3/b.mov")
    assert known.called_like("c.eaf") == nearest("c.eaf", ()) == ()
    assert several(known.names[1:]) == "p2/b.mp4 and p3/b.mov"
    assert several(list("abcdef")) == "a, b, c, d, e ..."
