"""The adapter of LangChain's document loaders; the only module that knows them.

They return plain text for each page, without headings and tables. So they read what our own loader
of a format cannot: a damaged PDF, with `PyPDFParser`, whose library repairs what is broken.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

from guardia.knowledge.loaders.reading import Unreadable, damaged_if_it_fails, require_pages
from guardia.knowledge.passages import Block

Parsed = tuple[list[Block], int]


def damaged_pdf(data: bytes) -> Parsed:
    """Return the text of the pages of a damaged PDF. Raises `Unreadable` if that fails too."""
    return _pages(data, "application/pdf", _pypdf)


def _pages(data: bytes, media_type: str, parser: Callable[[], Any]) -> Parsed:
    """Return the blocks of the documents that a LangChain parser finds in a content."""
    try:
        # The library announces on import that its loaders move to packages of their own.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read = parser()
            from langchain_core.documents.base import Blob
    except ImportError as error:
        raise Unreadable("damaged") from error
    found: list[Block] = []
    count = 0
    with damaged_if_it_fails():
        blob = Blob.from_data(data, mime_type=media_type)
        for count, page in enumerate(read.lazy_parse(blob), 1):
            require_pages(count)
            found.extend(_paragraphs(page.page_content, count))
    if not found:
        raise Unreadable("damaged")
    return found, count


def _pypdf() -> Any:
    from langchain_community.document_loaders.parsers.pdf import PyPDFParser

    return PyPDFParser()


def _paragraphs(text: str, page: int) -> Iterator[Block]:
    for part in text.split("\n\n"):
        if part.strip():
            yield Block("text", part.strip(), page=page)
