"""Check the built site without a browser: links, anchors, pictures, headings, the search index.

``python docs/check_site.py docs/_build/html`` prints every problem and exits with 1 if there are
any. Nothing outside the folder is read, so that a site that passes can be read from a disk.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from os.path import normpath
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["TERMS", "Page", "check", "pages", "read", "search_index"]

#: Words that the search must find.
TERMS = ("CEL0", "Willshaw", "omp", "dendrite", "Sparsey", "certificate")
#: Attributes that name a file, by the tag.
SOURCES = {"img": "src", "script": "src", "source": "src", "video": "src", "iframe": "src",
           "embed": "src", "object": "data", "link": "href", "audio": "src"}  # fmt: skip
#: What a <link> may be without being loaded.
NOT_LOADED = {"author", "canonical", "help", "index", "license", "next", "prev", "search", "up"}


@dataclass
class Page(HTMLParser):
    """What one page has: its title, headings, anchors, links, and the files that it loads."""

    title: str = ""
    n_headings: int = 0
    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._in_title = self._in_svg = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take the attributes that matter."""
        found = {name: value or "" for name, value in attrs}
        self.anchors.update(found[name] for name in ("id", "name") if found.get(name))
        self._in_svg = self._in_svg or tag == "svg"
        self._in_title = tag == "title" and not self._in_svg
        self.n_headings += tag == "h1"
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        if tag == "img":
            self.pictures.append(found.get("src", ""))
        if source := found.get(SOURCES.get(tag, "")):
            rel = set(found.get("rel", "").lower().split())
            if tag == "link" and rel & NOT_LOADED:
                self.links.append(source)
            else:
                self.loaded.append(source)
        self.loaded += [one.split()[0] for one in found.get("srcset", "").split(",") if one.strip()]

    def handle_endtag(self, tag: str) -> None:
        """Leave a title, or a drawing, which has titles of its own."""
        self._in_title = False
        self._in_svg = self._in_svg and tag != "svg"

    def handle_data(self, data: str) -> None:
        """Take the title's text."""
        if self._in_title:
            self.title += data


def pages(site: Path) -> list[Path]:
    """Return the pages of a site, without what the theme keeps in ``_static``."""
    return sorted(
        path for path in site.rglob("*.html") if path.relative_to(site).parts[0] != "_static"
    )


@cache
def read(path: Path) -> Page:
    """Return what a page has."""
    page = Page()
    page.feed(path.read_text(encoding="utf8"))
    page.close()
    return page


def search_index(site: Path) -> dict[str, object]:
    """Return the index that the search of the site loads.

    Raises
    ------
    ValueError
        If it is not the call with one object that the search expects.
    """
    text = (site / "searchindex.js").read_text(encoding="utf8")
    call = re.fullmatch(r"Search\.setIndex\((.*)\);?\s*", text, re.DOTALL)
    if call is None:
        raise ValueError("searchindex.js must be one call of Search.setIndex; build the site anew.")
    index: dict[str, object] = json.loads(call[1])
    return index


def check(site: Path, terms: Iterable[str] = TERMS) -> list[str]:
    """Return every problem of a site, a sentence each.

    Parameters
    ----------
    site : pathlib.Path
        The folder with ``index.html``.
    terms : iterable of str
        Words that the search must find.
    """
    site = site.resolve()
    if not (site / "index.html").is_file():
        return [f"{site} has no index.html; build the site first."]
    found = [problem for path in pages(site) for problem in _check_page(site, path)]
    for sheet in site.rglob("*.css"):
        found += _check_sheet(site, sheet)
    return [*found, *_check_gallery(site), *_check_search(site, terms)]


def _check_page(site: Path, path: Path) -> Iterator[str]:
    """Check one page and what it refers to."""
    name, page = path.relative_to(site), read(path)
    if not page.title.strip():
        yield f"{name}: has no title"
    if page.n_headings != 1:
        yield f"{name}: must have one h1, has {page.n_headings}"
    for address in dict.fromkeys(page.loaded):
        yield from _check_address(site, path, address, loaded=True)
    for address in dict.fromkeys(page.links):
        yield from _check_address(site, path, address, loaded=False)


def _check_address(site: Path, path: Path, address: str, *, loaded: bool) -> Iterator[str]:
    """Check one address of a page: what it loads is here, where it leads exists."""
    name, parts = path.relative_to(site), urlsplit(address)
    if parts.scheme == "data":
        return
    if parts.scheme or parts.netloc:
        if loaded:
            yield f"{name}: loads {address[:80]} from the network"
        return
    target = Path(normpath(path.parent / unquote(parts.path))) if parts.path else path
    if site not in (target, *target.parents):
        yield f"{name}: {address} leads out of the site"
    elif not _is_file(target):
        yield f"{name}: {address} leads to no file"
    elif parts.fragment and target.suffix == ".html" and not _has_anchor(target, parts.fragment):
        yield f"{name}: {address} leads to no anchor"


@cache
def _is_file(path: Path) -> bool:
    return path.is_file()


def _has_anchor(path: Path, fragment: str) -> bool:
    """Say whether a page has an anchor; the top is always there."""
    return fragment == "top" or bool({fragment, unquote(fragment)} & read(path).anchors)


def _check_sheet(site: Path, sheet: Path) -> Iterator[str]:
    """Check the fonts, pictures and sheets that a style sheet loads."""
    name, text = sheet.relative_to(site), sheet.read_text(encoding="utf8")
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    addresses = re.findall(r"""url\(\s*["']?([^"')]+)""", text)
    addresses += re.findall(r"""@import\s+["']([^"']+)""", text)
    for address in dict.fromkeys(addresses):
        parts = urlsplit(address)
        if parts.scheme == "data" or not parts.path:
            continue
        if parts.scheme or parts.netloc:
            yield f"{name}: loads {address[:80]} from the network"
        elif not (sheet.parent / unquote(parts.path)).is_file():
            yield f"{name}: {address} leads to no file"


def _check_gallery(site: Path) -> Iterator[str]:
    """Check that each script of the gallery shows a picture, and stands in the index with one."""
    gallery = site / "gallery_built"
    if not gallery.is_dir():
        yield "gallery_built: the gallery is missing"
        return
    index = read(gallery / "index.html")
    listed = {Path(urlsplit(link).path).name for link in index.links}
    scripts = sorted(gallery.rglob("plot_*.html"))
    if not scripts:
        yield "gallery_built: no script was drawn"
    for path in scripts:
        name = path.relative_to(site)
        page = read(path)
        shown = (
            f"sphx_glr_{path.stem}_" in one or one.startswith("data:") for one in page.pictures
        )
        animated = "" in page.pictures  # a script of the page fills it in
        if not animated and not any(shown):
            yield f"{name}: shows no picture"
        if path.name not in listed:
            yield f"{name}: is not in the gallery's index"
        if not any(f"sphx_glr_{path.stem}_thumb" in one for one in index.pictures):
            yield f"{name}: has no small picture in the gallery's index"


def _check_search(site: Path, terms: Iterable[str]) -> Iterator[str]:
    """Check that the search index can be read, knows every page, and finds some words."""
    try:
        index = search_index(site)
    except (OSError, ValueError) as error:
        yield f"searchindex.js: {error}"
        return
    names = index["docnames"]
    assert isinstance(names, list)
    for name in names:
        if not (site / f"{name}.html").is_file():
            yield f"searchindex.js: knows {name}, which is no page"
    made = {"genindex", "py-modindex", "search"}
    written = {path.relative_to(site).with_suffix("").as_posix() for path in pages(site)}
    for name in sorted(written - made - set(names)):
        yield f"searchindex.js: does not know {name}"
    known = {word for key in ("terms", "titleterms") for word in index[key]}  # type: ignore[attr-defined]
    for term in terms:
        if not any(term.lower().startswith(word) for word in known if len(word) > 2):
            yield f"searchindex.js: does not find {term!r}"


def main() -> int:
    """Check the site that the command names, and say what is wrong."""
    site = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/_build/html")
    problems = check(site)
    for problem in problems:
        print(problem)
    found = pages(site) if site.is_dir() else []
    print(f"{len(found)} pages, {len(problems)} problem{'s' * (len(problems) != 1)}")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
