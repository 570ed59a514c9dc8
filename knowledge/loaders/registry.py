"""All loaders by format: the one way from bytes to blocks. It runs in the bounded process."""

from __future__ import annotations

from collections.abc import Callable

from guardia.knowledge.loaders import (
    docx,
    html,
    hwp,
    langchain,
    mail,
    markdown,
    pdf,
    pptx,
    text,
    xlsx,
)
from guardia.knowledge.loaders.detection import detect
from guardia.knowledge.loaders.reading import Reading, Unreadable, require_length
from guardia.knowledge.passages import Block

_Loader = Callable[[bytes, str], "list[Block] | tuple[list[Block], int]"]


def _pdf(data: bytes, name: str) -> tuple[list[Block], int]:
    try:
        return pdf.blocks(data, name)
    except Unreadable as error:
        if error.problem != "damaged":
            raise
        return langchain.damaged_pdf(data)


LOADERS: dict[str, _Loader] = {
    "markdown": markdown.blocks,
    "text": text.blocks,
    "html": html.blocks,
    "pdf": _pdf,
    "docx": docx.blocks,
    "pptx": pptx.blocks,
    "xlsx": xlsx.blocks,
    "hwpx": hwp.blocks,
    "hwp": hwp.blocks,
    "mail": mail.blocks,
    "mhtml": mail.archive_blocks,
}


def read(data: bytes, name: str) -> Reading:
    """Read a file. Raises `Unreadable` with the reason."""
    found = detect(data, name)
    result = LOADERS[found](data, name)
    blocks, pages = result if isinstance(result, tuple) else (result, 0)
    require_length(blocks)
    if not any(block.text.strip() or any(map(any, block.rows)) for block in blocks):
        raise Unreadable("no_text")
    return Reading(found, blocks, pages)
