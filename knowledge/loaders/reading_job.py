"""What the bounded process does with a file: read, clean, cut, and check runbooks."""

from __future__ import annotations

import gc
import importlib
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from guardia.errors import GuardiaError
from guardia.knowledge.loaders import registry
from guardia.knowledge.loaders.reading import Unreadable
from guardia.knowledge.passages import Block, cut, whole_text
from guardia.personal_numbers import has_resident_number
from guardia.text import clean

MAX_BYTES = 64 << 20
_LIBRARIES = (
    *("docx", "docx.table", "pptx", "openpyxl", "pdfplumber", "lxml.html", "olefile"),
    *("hwpx", "hwpx.hwp5.errors"),
)


def load_libraries() -> None:
    """Import what loaders import late, so that each forked child has it already."""
    for name in _LIBRARIES:
        importlib.import_module(name)
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)  # pdfminer reports every broken object
    gc.collect()
    gc.freeze()


def run(request: Mapping[str, Any]) -> bytes:
    """Return what is in a file, or why it cannot be read, as JSON."""
    try:
        answer = _read(request)
    except Unreadable as error:
        answer = {"problem": error.problem, "values": error.values}
    except RecursionError:
        answer = {"problem": "too_deep", "values": {}}
    return json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace")


def _read(request: Mapping[str, Any]) -> dict[str, Any]:
    with Path(request["path"]).open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise Unreadable("too_large", most=MAX_BYTES >> 20)
    if request.get("runbook"):
        _check_runbook(data, str(request["runbook"]))
    found = registry.read(data, str(request["name"]))
    blocks = list(_cleaned(found.blocks))
    return {
        "format": found.format,
        "pages": found.pages,
        "body": whole_text(blocks),
        "passages": [[p.heading_path, p.page, p.sheet, p.text, p.sha256] for p in cut(blocks)],
    }


def _cleaned(blocks: Any) -> Iterator[Block]:
    """Yield the blocks as they are stored. Raises `Unreadable` for a resident number."""
    for block in blocks:
        texts = (block.text, *(cell for row in block.rows for cell in row))
        if any(has_resident_number(text) for text in texts if text):
            raise Unreadable("personal")
        rows = tuple(tuple(clean(cell) for cell in row) for row in block.rows)
        yield replace(block, text=clean(block.text), rows=rows, sheet=clean(block.sheet))


def _check_runbook(data: bytes, runbook: str) -> None:
    """Raise `Unreadable` for what is no valid runbook: the rules of the shipped files."""
    from guardia.knowledge.runbook import parse

    try:
        parse(data, f"{runbook}.md")
    except (GuardiaError, UnicodeDecodeError) as error:
        raise Unreadable("runbook", why=error) from error
