"""The page itself: numbers and drawings into HTML, styles and a little script. The only door to Jinja and markdown-it.

Whatever a table says (names of videos and models, notes of decoders, cards) is text to the page, never markup: Jinja
escapes everything but our own drawings, and a content security policy in the page allows our one script by its digest,
no other, and no address outside of the page.
"""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Mapping, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from aucli import __version__
from aucli.annotation.options import AnnotateOptions
from aucli.errors import ModelError, OptionsError, printable
from aucli.models.zoo import find_model
from aucli.results.episodes import EpisodeRules
from aucli.results.report import words
from aucli.results.report.budget import LISTED_FACES
from aucli.results.report.distrust import LIMITS, OFTEN, au_remarks, judged_limits
from aucli.results.report.figures import draw_pairs, draw_rates
from aucli.results.report.film_part import FilmPart
from aucli.results.report.rates import Rates
from aucli.results.report.study import Study, StudyRun

if TYPE_CHECKING:
    from jinja2 import Environment

GENERATOR: Final = "aucli report"
TEMPLATES: Final = "templates"


def render_page(
    study: Study,
    rates: Rates,
    parts: Sequence[FilmPart],
    *,
    title: str | None,
    has_pictures: bool,
    failures: Mapping[str, str],
) -> bytes:
    """Return the page as UTF-8.

    Args:
        study: what it is about.
        rates: of the study.
        parts: of the films, in order.
        title: of the page; None: what the table is called.
        has_pictures: whether stills were asked for.
        failures: video -> why it could not be annotated.
    """
    script = _source("page.js")
    seen_s = float(rates.seen_s.sum())
    text = (
        _environment()
        .get_template("page.html.jinja")
        .render(
            title=printable(title) if title else f"Facial action units: {study.source}",
            generator=f"{GENERATOR} {__version__}",
            version=__version__,
            style=_source("style.css"),
            script=script,
            script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            study=study,
            rates=rates,
            parts=parts,
            short_labels=words.without_common_folders([film.label for film in study.films]),
            has_pictures=has_pictures,
            failures=dict(failures),
            runs=[_run(run, number) for number, run in enumerate(study.runs, 1)],
            totals=_totals(study, rates, parts),
            seen_s=seen_s,
            aus=[_au(study, rates, at) for at in range(len(study.aus))],
            rates_figure=_rates_figure(study, rates) if len(rates.film) else "",
            pairs_figure=_pairs_figure(study, rates) if len(rates.film) and len(study.aus) > 1 else "",
            distrust=_distrust(study, parts),
            au_remarks=au_remarks(study, rates) if seen_s else [],
            film_shares=_film_shares(rates, parts, len(study.aus)),
            rules=EpisodeRules(),
            often=OFTEN,
            listed_faces=LISTED_FACES,
            table_argument=shlex.join(study.paths) if study.paths else "TABLE.parquet",
            table_literal=_literal(study),
            given=_given(study),
            arguments=_arguments(study),
        )
    )
    return text.encode("utf-8", "backslashreplace")


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("aucli.results.report", TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        literal=repr,
        percent=lambda share: _unbroken(words.percent(share)),
        duration=lambda seconds: _unbroken(words.duration(seconds)),
        moment=lambda seconds: _unbroken(words.moment(seconds)),
        count=words.count,
        au_label=words.au_label,
    )
    environment.globals["is_known"] = lambda value: bool(np.isfinite(value))
    return environment


def _unbroken(text: str) -> str:
    """A number that stays with its unit on one line."""
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _literal(study: Study) -> str:
    """The table as Python's lines name it."""
    paths = study.paths or ("TABLE.parquet",)
    return repr(paths[0] if len(paths) == 1 else list(paths))


def _given(study: Study) -> str:
    """What the Python lines of the page hand over: the table, or the rows that the page is about."""
    if not study.chosen:
        return _literal(study) if study.paths else f"aucli.read({_literal(study)})"
    return f"aucli.read({_literal(study)}).filter(pl.col('video').is_in({list(study.chosen)!r}))"


def _arguments(study: Study) -> str:
    """What they hand over besides."""
    rules = study.left_out.row_filter.rules
    limits = ", ".join(f"{name}={limit!r}" for name, limit in rules.items())
    return f", row_filter=aucli.RowFilter({limits})" if rules else ""


def _source(name: str) -> str:
    return files("aucli.results.report").joinpath(TEMPLATES, name).read_text(encoding="utf-8")


def _totals(study: Study, rates: Rates, parts: Sequence[FilmPart]) -> dict[str, Any]:
    n_frames = sum(film.n_frames for film in study.films)
    with_face = sum(film.n_frames_with_face for film in study.films)
    n_rows = int(rates.n_rows.sum())
    doubtful = sum(part.distrust.any_share * rates.n_rows[part.faces].sum() for part in parts)
    return {
        "n_films": len(study.films),
        "n_frames": n_frames,
        "shown_s": sum(film.shown_s for film in study.films),
        "n_faces": len(rates.film),
        "n_face_rows": n_rows,
        "with_face": with_face / n_frames if n_frames else float("nan"),
        "doubtful": doubtful / n_rows if n_rows else float("nan"),
        "n_episodes": len(rates.episodes),
    }


def _run(run: StudyRun, number: int) -> dict[str, Any]:
    """What the page tells of a run."""
    facts = run.facts
    usual = AnnotateOptions().deciding()
    options = {name: value for name, value in run.options.items() if value != usual.get(name)}
    card, why_no_card = _card(facts.get("model"), facts.get("model_digest"))
    return {
        "number": number,
        "facts": facts,
        "tables": run.tables,
        "versions": run.versions,
        "options": options,
        "thresholds": run.thresholds,
        "card": card,
        "why_no_card": why_no_card,
    }


def _card(name: object, digest: object) -> tuple[str, str]:
    """The card of a model as HTML, if the model is at hand and the same; else why it is not shown."""
    from markdown_it import MarkdownIt

    if not isinstance(name, str):
        return "", "the table does not name its model"
    try:
        model = find_model(name)
        text = model.card()
    except (ModelError, OptionsError, OSError):
        return "", "the model is not installed here"
    if model.config.digest != digest:
        return "", "the model of this name that is installed here is another one"
    if not text:
        return "", "the model has no card"
    # No HTML, no pictures; what looks like a link to a script is left as text.
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    tokens = markdown.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + 3, 6)}"
    return str(markdown.renderer.render(tokens, markdown.options, {})), ""


def _au(study: Study, rates: Rates, at: int) -> dict[str, Any]:
    """What the page tells of an action unit over the study."""
    column = study.aus[at]
    known = rates.share[:, at][np.isfinite(rates.share[:, at])]
    quartiles = np.quantile(known, [0.25, 0.5, 0.75]) if len(known) else [float("nan")] * 3
    figures = rates.of_study[column]
    return {
        "column": column,
        "is_experimental": column in study.experimental,
        "threshold": study.thresholds.get(column),
        "share": figures["share_present"],
        "quartiles": quartiles,
        "n_episodes": int(rates.n_episodes[:, at].sum()),
        "per_min": figures["episodes_per_minute"],
        "mean_s": figures["mean_duration_s"],
        "longest_s": figures["longest_duration_s"],
        "probability": figures["mean_probability"],
        "near": rates.near[column],
    }


def _rates_figure(study: Study, rates: Rates) -> str:
    n_faces = words.count(len(rates.film), "face")
    about = f"Share of time and episodes a minute of each action unit over {n_faces}. The table below has the numbers."
    return draw_rates([words.au_label(au) for au in study.aus], rates.share, rates.per_min, about)


def _pairs_figure(study: Study, rates: Rates) -> str:
    about = "Correlation of each pair of action units over all frames. The table below has the numbers."
    return draw_pairs(list(study.aus), rates.phi, about)


def _distrust(study: Study, parts: Sequence[FilmPart]) -> dict[str, Any]:
    judged = judged_limits(study.rows)
    n_rows = {part.film.number: part.film for part in parts}
    total = sum(int(study.rows["face"][film.rows].is_not_null().sum()) for film in n_rows.values())
    limits = []
    for limit in judged:
        shares = [part.distrust.shares.get(limit.name, 0.0) for part in parts]
        rows = sum(
            share * int(study.rows["face"][part.film.rows].is_not_null().sum())
            for share, part in zip(shares, parts, strict=True)
        )
        limits.append(
            {
                "limit": limit,
                "share": rows / total if total else float("nan"),
                "n_films": sum(share >= OFTEN for share in shares),
            }
        )
    return {
        "limits": limits,
        "unjudged": [limit for limit in LIMITS if limit not in judged],
        "films": [part for part in parts if part.distrust.is_doubtful],
    }


def _film_shares(rates: Rates, parts: Sequence[FilmPart], n_aus: int) -> dict[int, Any]:
    """Number of a film -> (A,) share of the usable time of all its faces, NaN where there is none."""
    shares = {}
    for part in parts:
        weight, share = rates.usable_s[part.faces], rates.share[part.faces]
        if not weight.any():  # photographs are shown for no time
            weight = rates.n_usable[part.faces]
        known = np.isfinite(share) * weight
        total = known.sum(axis=0) if len(weight) else np.zeros(n_aus)
        summed = (np.nan_to_num(share) * known).sum(axis=0) if len(weight) else np.zeros(n_aus)
        shares[part.film.number] = np.divide(summed, total, out=np.full(n_aus, np.nan), where=total > 0)
    return shares
