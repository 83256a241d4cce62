"""docs/faq.md: figures of the bundled model are those of its files."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.builders.page_blocks import DOCS

MODEL = Path(__file__).resolve().parents[2] / "models" / "aunce-small"


def test_what_is_said_of_the_bundled_model_is_so() -> None:
    page = " ".join((DOCS / "faq.md").read_text(encoding="utf-8").split())
    config = json.loads((MODEL / "config.json").read_text(encoding="utf-8"))
    named = re.search(r"## Which action units are experimental\? (.*?)\.", page)
    assert named is not None
    assert [int(au) for au in re.findall(r"AU(\d+)", named[1])] == config["experimental"]
    assert f"between {min(config['thresholds']):.2f} and {max(config['thresholds']):.2f}" in page


def rows_of(heading: str) -> dict[int, list[str]]:
    """Action unit -> the cells beside it, of the card's table below a heading."""
    card = (MODEL / "README.md").read_text(encoding="utf-8")
    section = card.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line.strip("| ").split(" | ") for line in section.splitlines() if re.match(r"\| \d+ \|", line)]
    return {int(au): cells for au, *cells in lines}


def test_what_is_said_of_its_card_is_so() -> None:
    page = " ".join((DOCS / "faq.md").read_text(encoding="utf-8").split())
    rho = {au: cells[-1] for au, cells in rows_of("Probability and intensity").items()}
    assert f"{rho[12]} for AU12, {rho[6]} for AU6 and {rho[15]} for AU15" in page
    found = {
        au: f"{float(cells[-1].removesuffix(' %')):.0f} %" for au, cells in rows_of("Figures on test subjects").items()
    }
    assert f"AU5 ({found[5]} of raised lids found) and AU17 ({found[17]})" in page
