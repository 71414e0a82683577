"""How the docs are built: offline, with warnings as errors."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
sys.path[:0] = [str(ROOT), str(DOCS), str(DOCS / "_ext")]
os.environ["PYTHONPATH"] = str(ROOT)  # the notebooks' kernels import `experiments` too

from sparsecode._cache import use_hashed_numba_cache  # noqa: E402

use_hashed_numba_cache()

import api_reference  # noqa: E402
import benchmark_pages  # noqa: E402
import choice_pages  # noqa: E402
import claims_page  # noqa: E402

import sparsecode  # noqa: E402

project = "sparsecode"
author = copyright = "The sparsecode developers"
version = release = sparsecode.__version__

extensions = [
    "mathml",
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
    "sphinxcontrib.bibtex",
]
exclude_patterns = ["_build", "_generated", "gallery", "gallery_built/**/*.ipynb"]
exclude_patterns += [  # a notebook waits for the paper's record of its experiment
    f"notebooks/{page.name}"
    for page in (DOCS / "notebooks").glob("*_*.md")
    if not (DOCS / "records" / page.stem.replace("_", "-")).is_dir()
]
templates_path = ["_templates"]
html_theme = "pydata_sphinx_theme"
html_title = project
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["formula.css", "tables.css", "pages.css"]
html_js_files = ["offline.js"]
html_context = {"default_mode": "auto"}
html_theme_options = {
    "show_prev_next": False,
    "navigation_with_keys": False,
    "header_links_before_dropdown": 8,
    "navbar_align": "left",
}
html_show_sourcelink = False
html_sidebars = {page: [] for page in ("index", "install", "claims", "benchmarks")}  # no sections
default_role = "code"
smartquotes_action = "qe"  # no dashes: they would spoil the options of commands

# What is generated: the API pages, the changes since the last release, and what records decide.
api_reference.write(DOCS / "api")
autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False

(DOCS / "_generated").mkdir(exist_ok=True)
_unreleased = subprocess.run(
    [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "Next", "--date", "open"],
    cwd=ROOT, capture_output=True, text=True, check=True,
).stdout  # fmt: skip
(DOCS / "_generated" / "unreleased.md").write_text(_unreleased, encoding="utf8")
claims_page.write(DOCS)
benchmark_pages.write(DOCS)
choice_pages.write(DOCS)

bibtex_bibfiles = ["references.bib"]
bibtex_reference_style = "author_year"

# Notebooks are text; they run when the docs are built.
myst_enable_extensions = ["deflist", "dollarmath"]
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 180
nb_merge_streams = True

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "gallery_built",
    "subsection_order": [
        f"gallery/{part}" for part in ("sparse_coding", "sdr", "memory", "transformers")
    ],
    "matplotlib_animations": True,
    "abort_on_example_error": True,
    "parallel": True,  # as many as `sphinx -j` says
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_signature": False,
    "write_computation_times": False,
}


def _skip(app, what, name, obj, skip, options):
    """Leave out what a named tuple adds to every field; its parameters say it better."""
    return skip or (getattr(obj, "__doc__", None) or "").startswith("Alias for field number")


def _offline(app, pagename, templatename, context, doctree):
    """Leave out the sheet of icons that Matplotlib's animations fetch; the theme has the icons."""
    sheet = r'<link rel="stylesheet"\s+href="https://maxcdn[^"]*">'
    context["body"] = re.sub(sheet, "", context.get("body", ""))


def _spread(app, env, docnames):
    """Mix the pages that run code with the others, so that every process gets some."""
    docnames.sort(key=lambda name: hashlib.sha256(name.encode()).digest())


def setup(app):
    """Connect the rules above."""
    app.connect("env-before-read-docs", _spread)
    app.connect("autodoc-skip-member", _skip)
    app.connect("html-page-context", _offline)
