"""The checks of the built site: each defect is found, and a whole site has none."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "check_site.py"
PAGE = (
    "<html><head><title>{name}</title>{head}</head><body><h1 id='{name}'>{name}</h1>{body}"
    "</body></html>"
)


@pytest.fixture(scope="module")
def check_site():
    spec = importlib.util.spec_from_file_location("check_site", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture
def site(tmp_path, check_site):
    """Return a function that writes a whole small site, with changes to its files."""

    def build(**changes):
        index = {
            "docnames": ["index", "gallery_built/index", "gallery_built/plot_one"],
            "terms": {"cel0": 0, "sparsey": [0, 1]},
            "titleterms": {},
        }
        gallery = "<a href='plot_one.html#plot_one'>one</a>"
        thumb = "<img src='../_images/sphx_glr_plot_one_thumb.png'>"
        files = {
            "index.html": PAGE.format(
                name="index",
                head="<link rel='stylesheet' href='_static/a.css'><link rel='next' href='#'>",
                body="<a href='gallery_built/index.html'>g</a> <a href='https://a.org/b'>away</a>",
            ),
            "gallery_built/index.html": PAGE.format(name="gallery", head="", body=gallery + thumb),
            "gallery_built/plot_one.html": PAGE.format(
                name="plot_one", head="", body="<img src='../_images/sphx_glr_plot_one_001.png'>"
            ),
            "_images/sphx_glr_plot_one_001.png": "",
            "_images/sphx_glr_plot_one_thumb.png": "",
            "_static/a.css": "/* url(gone.png) */ a { background: url('b.svg#x') } @import 'c.css'",
            "_static/b.svg": "",
            "_static/c.css": "",
            "_static/part.html": "no page of the site",
            "searchindex.js": f"Search.setIndex({json.dumps(index)})",
        }
        files |= {name.replace("__", "/"): text for name, text in changes.items()}
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is not None:
                path.write_text(text, encoding="utf8")
        check_site.read.cache_clear()
        check_site._is_file.cache_clear()
        return tmp_path

    return build


def index_page(body="", head="", name="index"):
    return {"index.html": PAGE.format(name=name, head=head, body=body)}


def test_a_whole_site_has_no_problem(site, check_site):
    assert check_site.check(site(), terms=("CEL0", "Sparsey")) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (index_page("<a href='gone.html'>x</a>"), "index.html: gone.html leads to no file"),
        (index_page("<a href='#gone'>x</a>"), "index.html: #gone leads to no anchor"),
        (
            index_page("<a href='gallery_built/plot_one.html#no'>x</a>"),
            "index.html: gallery_built/plot_one.html#no leads to no anchor",
        ),
        (index_page("<a href='../a.html'>x</a>"), "index.html: ../a.html leads out of the site"),
        (index_page("<img src='a.png'>"), "index.html: a.png leads to no file"),
        (index_page("<img srcset='a.png, b.png 2x'>"), "index.html: b.png leads to no file"),
        (index_page(name=""), "index.html: has no title"),
        (index_page("<h1>two</h1>"), "index.html: must have one h1, has 2"),
        (
            index_page("<script src='https://a.org/b.js'></script>"),
            "index.html: loads https://a.org/b.js from the network",
        ),
        (
            index_page(head="<link rel='stylesheet' href='//a.org/b.css'>"),
            "index.html: loads //a.org/b.css from the network",
        ),
        (
            {"_static/c.css": "@font-face { src: url(https://a.org/b.woff) }"},
            "_static/c.css: loads https://a.org/b.woff from the network",
        ),
        ({"_static/c.css": '@import "d.css"'}, "_static/c.css: d.css leads to no file"),
        (
            {"gallery_built/plot_one.html": PAGE.format(name="plot_one", head="", body="")},
            "gallery_built/plot_one.html: shows no picture",
        ),
        (
            {"gallery_built/plot_two.html": PAGE.format(name="two", head="", body="<img>")},
            "gallery_built/plot_two.html: is not in the gallery's index",
        ),
        (
            {"more.html": PAGE.format(name="more", head="", body="")},
            "searchindex.js: does not know more",
        ),
    ],
)  # fmt: skip
def test_each_defect_is_found(site, check_site, changes, problem):
    found = check_site.check(site(**changes), terms=())
    assert problem in found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Search.setIndex({", "one call of Search.setIndex"),
        ("Search.setIndex({]})", "searchindex.js: "),
        (
            'Search.setIndex({"docnames": [], "terms": {}, "titleterms": {}})',
            "does not find 'CEL0'",
        ),
    ],
)
def test_a_search_that_finds_nothing_is_a_defect(site, check_site, text, problem):
    found = check_site.check(site(**{"searchindex.js": text}), terms=("CEL0",))
    assert any(problem in one for one in found)


def test_the_command_says_what_is_wrong(site, tmp_path):
    command = [sys.executable, str(SCRIPT)]
    done = subprocess.run([*command, str(site())], capture_output=True, text=True)
    assert done.returncode == 1  # the small site lacks the words that the docs must have
    assert "does not find 'Willshaw'" in done.stdout
    done = subprocess.run([*command, str(tmp_path / "no")], capture_output=True, text=True)
    assert done.returncode == 1
    assert "has no index.html; build the site first." in done.stdout
