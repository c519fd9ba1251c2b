"""A Sphinx extension: identifiers of papers, such as arXiv 2007.07314, are links and remain plain in docstrings."""

import re

from docutils import nodes
from sphinx.application import Sphinx

__all__ = ["setup"]

IDENTIFIER = re.compile(r"arXiv[ :]\s*(\d{4}\.\d{4,5})")
ADDRESS = "https://arxiv.org/abs/"


def _link(_: Sphinx, document: nodes.document) -> None:
    for text in list(document.findall(nodes.Text)):
        if isinstance(text.parent, nodes.reference | nodes.literal | nodes.literal_block):
            continue
        parts, end = [], 0
        for found in IDENTIFIER.finditer(text):
            parts += [nodes.Text(text[end : found.start()]), _reference(found)]
            end = found.end()
        if parts:
            text.parent.replace(text, [*parts, nodes.Text(text[end:])])


def _reference(found: re.Match[str]) -> nodes.reference:
    return nodes.reference("", found[0], refuri=ADDRESS + found[1], internal=False)


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the links as soon as a page is read."""
    app.connect("doctree-read", _link)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
