"""Which section of the docs explains a message."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["PAGES", "Page", "with_page"]


class Page(NamedTuple):
    """A section of the docs, and what the messages hold that it explains."""

    pattern: str
    file: str
    section: str


#: The first that fits is named.
PAGES = (
    Page("did not converge", "docs/guide/sparse_coding.md", "Certificates"),
    Page("checksum|SPARSECODE_DATA|SHA-256", "docs/install.md", "Data"),
    Page("must be installed", "docs/install.md", "Extras"),
    Page(
        "must hold pictures|must be a picture|must hold one picture|must hold a patch",
        "docs/guide/own_images.md",
        "When it says no",
    ),
    Page("needs alpha_ratio|alpha_ratio must", "docs/guide/sparse_coding.md", "Code"),
)


def with_page(message: str) -> str:
    """Return a message with the section of the docs that explains it, where one does."""
    for page in PAGES:
        if re.search(page.pattern, message):
            return f'{message} See "{page.section}" in {page.file}.'
    return message
