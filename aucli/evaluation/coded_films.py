"""Which film of a table each file of codes belongs to, and what is told of those that belong to none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from aucli.errors import TableError
from aucli.evaluation.films import Claim, Films, some_names
from aucli.human_codes.film_names import MediaLink
from aucli.human_codes.values import Codes


def codes_by_film(
    films: Films, codes: Sequence[Codes], video: str | None = None
) -> tuple[dict[str, list[Codes]], list[str]]:
    """Codes by the name of their film in the table, and notes about films that are called otherwise or are not there.

    Args:
        films: of the table.
        codes: of one coder.
        video: the film of all these codes, whatever they call it.

    Raises:
        TableError: if none is in the table, a name fits several, or two files hold codes of the same film and subject.
    """
    claims = _claims(films, codes, video)
    found: dict[str, list[Codes]] = {}
    seen: dict[tuple[str, str | None], Codes] = {}
    for one, claim in zip(codes, claims, strict=True):
        if not _is_settled(films, claim):
            continue
        (name,) = claim.films
        if known := seen.get((name, one.subject)):
            raise TableError(_twice(known, one, name))
        seen[name, one.subject] = one
        found.setdefault(name, []).append(one)
    if not found:
        first = next((i for i, claim in enumerate(claims) if claim.films), 0)
        raise TableError(_no_film(films, codes[first], claims[first]))
    return found, _pairing_notes(films, codes, claims)


def _claims(films: Films, codes: Sequence[Codes], video: str | None) -> list[Claim]:
    """The films that each of some codes belongs to.

    A link of whose path only the end fits, and a file by its own name, give way to codes that name the film: they are
    of a film that is called the same and not in the table.

    Raises:
        TableError: if `video`, or a name in the codes, fits several films, or `video` none.
    """
    if video is not None:
        return [Claim((films.require(video),), "name")] * len(codes)
    n_films = Counter(source for source, _ in {(one.source, one.video) for one in codes})
    claims = [films.claimed(one.video, one.source, alone=n_films[one.source] == 1) for one in codes]
    for one, claim in zip(codes, claims, strict=True):
        if len(claim.films) > 1 and one.video is not None and not isinstance(one.video, MediaLink):
            raise TableError(_no_film(films, one, claim))
    named = {film for claim in claims if claim.by == "name" for film in claim.films}
    return [claim if claim.by == "name" or set(claim.films) - named else Claim((), claim.by) for claim in claims]


def _is_settled(films: Films, claim: Claim) -> bool:
    return len(claim.films) == 1 and claim.films[0] in films


def _no_film(films: Films, one: Codes, claim: Claim) -> str:
    kind, names = ("several", claim.films) if len(claim.films) > 1 else ("none of the table's", films.names)
    about = one.video or one.source.name
    return f"codes of {about} in {one.source} fit {kind} videos: {some_names(names)}; say which with `video`"


def _twice(known: Codes, one: Codes, name: str) -> str:
    if known.source == one.source:
        called = "" if known.video == one.video else f", as {known.video} and as {one.video}"
        return f"{one.source} holds codes of {name} twice{called}; choose one with `observation`, or take one out"
    return (
        f"{known.source} and {one.source} both hold codes of {name}; compare with one coder at a time, or two coders "
        "with each other (`against`)"
    )


def _pairing_notes(films: Films, codes: Sequence[Codes], claims: Sequence[Claim]) -> list[str]:
    """What was taken for a film that is called otherwise, what fits several, and what fits none."""
    moved: list[str] = []
    notes: list[str] = []
    unclear: list[tuple[Codes, Claim]] = []
    lacking: list[tuple[Codes, Claim]] = []
    for one, claim in zip(codes, claims, strict=True):
        if not _is_settled(films, claim):
            (unclear if len(claim.films) > 1 else lacking).append((one, claim))
        elif claim.by == "link":
            moved.append(f"{one.video} as {claim.films[0]}")
        elif claim.by == "file":
            notes.append(f"{one.source.name} is about {one.video}; by its own name it is taken for {claim.films[0]}")
    if moved:
        listed = short(", ".join(dict.fromkeys(moved)))
        notes.append(f"{len(set(moved))} films lie in other folders than the codes say: {listed}")
    notes += dict.fromkeys(f"left out: {_no_film(films, one, claim)}" for one, claim in unclear)
    if lacking:
        there = {(one.source, one.video) for one in codes}
        missing = dict.fromkeys((one.source, one.video) for one, _ in lacking)
        names = short(", ".join(dict.fromkeys(str(video or source.name) for source, video in missing)))
        notes.append(f"{len(missing)} of {len(there)} coded videos are not in the table: {names}")
    return notes


def short(text: str) -> str:
    """At most 200 characters of a list."""
    return text if len(text) <= 200 else text[:197] + "..."
