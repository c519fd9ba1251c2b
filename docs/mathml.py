"""A Sphinx extension: formulas as MathML, which browsers draw without a script.

docutils converts the formulas. It needs no other package, no files beside the pages and no network.
"""

from html import escape
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError, latex2mathml
from sphinx.application import Sphinx
from sphinx.util.logging import getLogger

__all__ = ["setup"]

logger = getLogger(__name__)


def _inline(translator: Any, node: nodes.math) -> None:
    translator.body.append(_mathml(node))
    raise nodes.SkipNode


def _block(translator: Any, node: nodes.math_block) -> None:
    translator.body.append(f'<div class="formula">{_mathml(node, as_block=True)}</div>')
    raise nodes.SkipNode


def _mathml(node: nodes.Element, **options: bool) -> str:
    try:
        return latex2mathml.tex2mathml(node.astext(), **options)
    except MathError as error:
        logger.warning("%s is no formula: %s", node.astext(), error, location=node)
        return escape(node.astext())


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer, which `html_math_renderer` in conf.py selects."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
