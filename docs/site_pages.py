"""Pages of the site that are made of files outside docs/, so that no text stands twice.

MkDocs calls the functions `on_...` (``hooks`` in mkdocs.yml). Links in a page lead where they lead in the repository:
they are written anew for the place that the page has on the site.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import aucli

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "CITATION.cff": "CITATION.cff",
    "examples/README.md": "examples.md",
    **{
        f"models/{card.parent.name}/README.md": f"models/{card.parent.name}.md"
        for card in ROOT.glob("models/*/README.md")
    },
}
"""Files of the repository and their places on the site."""
LINK = re.compile(r"\[(?P<text>[^\[\]]*)\]\((?P<target>[^)#\s:]+)(?P<anchor>#[^)\s]*)?\)")
NAMED_TYPES = ("read.TableGiven", "read.TablePaths", "read.Tables", "columns.Thresholds")
"""Types of parameters that have a name of their own."""
CODE = re.compile(r"`[^`\n]+`")
LOADED = re.compile(
    r"""<(?:script|img|iframe|video|source|link(?![^>]*rel="?canonical))\b[^>]*?(?:src|href)=["']?(?:https?:)?//[^>]*>"""
)
"""What a browser would fetch from another server while the page is read."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that do not lie in docs/."""
    for source, place in OUTSIDE.items():
        files.append(File.generated(config, place, abs_src_path=str(ROOT / source)))
    files.append(File.generated(config, "api.md", content=api_page()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Write the links of a page anew, and the strokes in a table's code, which only GitHub wants with a backslash."""
    del config, files
    place = page.file.src_uri
    source = next((source for source, its in OUTSIDE.items() if its == place), f"docs/{place}")
    markdown = CODE.sub(lambda code: code[0].replace("\\|", "|"), markdown)
    return LINK.sub(lambda link: _on_the_site(link, source, place), markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead a notebook's links to pages, which MkDocs itself does for Markdown alone."""
    del config

    def to_page(link: re.Match[str]) -> str:
        file = files.get_file_from_path(link["target"])
        if file is None:
            raise PluginError(f"{page.file.src_uri} links to {link['target']}, which is no page")
        return f'href="{file.url_relative_to(page.file)}{link["anchor"]}"'

    if not page.file.src_uri.endswith(".ipynb"):
        return html
    return re.sub(r'href="(?P<target>[\w./-]+\.(?:md|ipynb))(?P<anchor>(?:#[^"]*)?)"', to_page, html)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Refuse a page that asks another server for anything: reading it would be seen there."""
    del config
    if asked := LOADED.search(output):
        raise PluginError(f"{page.file.src_uri} loads from another server: {asked[0]}")
    return output


def api_page() -> str:
    """Every public name, as its docstring says."""
    head = "# API\n\nAll that `dir(aucli)` lists; a shorter list, with an example: [From Python](python.md).\n"
    names = [name for name in dir(aucli) if not name.startswith("__")]
    functions = [name for name in names if name.islower()]
    classes = sorted(set(names) - set(functions))
    parts = [head, *(f"::: aucli.{name}\n" for name in (*functions, *classes)), "## Names in signatures\n"]
    parts += [f"::: aucli.results.{name}\n    options: {{heading_level: 3}}\n" for name in NAMED_TYPES]
    return "\n".join(parts)


def _on_the_site(link: re.Match[str], source: str, place: str) -> str:
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link["target"]))
    its = OUTSIDE.get(target, target.removeprefix("docs/") if target.startswith("docs/") else None)
    if its is None:
        return link[0]
    text = posixpath.basename(its).removesuffix(".md") if link["text"] == link["target"] else link["text"]
    return f"[{text}]({posixpath.relpath(its, posixpath.dirname(place) or '.')}{link['anchor'] or ''})"
