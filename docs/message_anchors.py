"""A Sphinx extension: each message on the page of messages is a link to itself."""

import re
from collections.abc import Iterator

from docutils import nodes
from sphinx.application import Sphinx

__all__ = ["anchor_of", "setup"]

PAGE = "messages"
WORDS = 8
"""The anchor of a message has this many of its words at most."""


def anchor_of(message: str) -> str:
    """Return the anchor of a message: its first words, with a dash between them."""
    return "-".join(re.findall(r"[a-z0-9_]+", message.lower())[:WORDS])


def _messages(document: nodes.document) -> Iterator[nodes.literal]:
    """Yield what the page quotes: the first cells of its tables, and the paragraphs below headings of messages."""
    for row in document.findall(nodes.row):
        if not isinstance(row.parent, nodes.thead):
            yield from row[0].findall(nodes.literal)
    for section in document.findall(nodes.section):
        if len(section) > 1 and isinstance(section[1], nodes.paragraph):
            yield from section[1].findall(nodes.literal)


def _add_anchors(app: Sphinx, document: nodes.document) -> None:
    if app.env.docname != PAGE:
        return
    taken = set(document.ids)
    for literal in list(_messages(document)):
        anchor = anchor_of(literal.astext())
        if len(anchor.split("-")) < 3 or anchor in taken:  # a name of code, or another part of the same message
            continue
        taken.add(anchor)
        link = nodes.reference("", "", refid=anchor, ids=[anchor], classes=["message"], internal=True)
        literal.replace_self(link)
        link += literal


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the anchors as soon as the page is read."""
    app.connect("doctree-read", _add_anchors)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
