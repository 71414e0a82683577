"""Formulas as MathML, which browsers show by themselves: no script and no network."""

from __future__ import annotations

import re
from html import escape

from docutils.nodes import SkipNode
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.locale import _
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

LOGGER = logging.getLogger(__name__)
#: What TeX takes and docutils does not, and how docutils has it.
SPELLINGS = (
    (r"\\dots\b", r"\\ldots"),
    (r"\\operatorname\*", r"\\operatorname"),
    (r"(\\[dt]?frac) ?([a-z0-9])([a-z0-9])", r"\1{\2}{\3}"),
)
#: Bars of a norm or a magnitude, which must not grow on one side only, nor stand apart.
BAR = re.compile(r'<mo(?: class="mathopen"| stretchy="false")?>([|‖])</mo>')


def mathml(node, **options):
    """Return the MathML of a formula; one that docutils cannot read is a warning."""
    formula = node.astext()
    for theirs, ours in SPELLINGS:
        formula = re.sub(theirs, ours, formula)
    try:
        formula = tex2mathml(formula, **options)
    except MathError as error:
        LOGGER.warning("%s in %s", error, node.astext(), location=node)
        return f"<code>{escape(node.astext())}</code>"
    return BAR.sub(r'<mo stretchy="false" lspace="0" rspace="0">\1</mo>', formula)


def inline(translator, node):
    """Write a formula inside a line."""
    translator.body.append(mathml(node))
    raise SkipNode


def block(translator, node):
    """Write a displayed formula, with its number if it has a label."""
    translator.body.append(translator.starttag(node, "div", CLASS="formula"))
    if node["number"]:
        number = get_node_equation_number(translator, node)
        translator.body.append(f'<span class="eqno">({number})')
        translator.add_permalink_ref(node, _("Link to this equation"))
        translator.body.append("</span>")
    translator.body.append(mathml(node, as_block=True))
    translator.body.append("</div>\n")
    raise SkipNode


def setup(app):
    """Register the renderer."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
