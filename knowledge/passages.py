"""Cut a document into passages that keep their place. Pure.

A loader turns a file into blocks: headings, paragraphs, tables. A passage never crosses a heading,
a page or a sheet, so that a citation leads to the very place. A table stays a table: when it is too
long for one passage, each part repeats its header.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

MOST_CHARACTERS = 900
"""Characters of a passage: about what a Korean embedding model reads at once."""
_MOST_HEADINGS = 6
_MOST_HEADING = 200
_MOST_CELL = 2000
_SENTENCE_END = re.compile(r"(?<=[.!?。])\s+|(?<=다\.)|\n")
_SPACE = re.compile(r"[ \t\u00a0\u3000]+")

BlockKind = Literal["heading", "text", "table", "code"]


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a document, in reading order."""

    kind: BlockKind
    text: str = ""
    """Text of a heading, paragraph or code; empty for a table."""
    level: int = 0
    """1 to 6 for a heading."""
    rows: tuple[tuple[str, ...], ...] = ()
    """Rows of a table, the header first."""
    page: int | None = None
    sheet: str = ""


@dataclass(frozen=True, slots=True)
class CutPassage:
    """A passage and its place."""

    ordinal: int
    heading_path: tuple[str, ...]
    page: int | None
    sheet: str
    text: str

    @property
    def sha256(self) -> str:
        """Digest of headings and text: equal passages have equal digests."""
        return hashlib.sha256("\n".join((*self.heading_path, "", self.text)).encode()).hexdigest()


@dataclass(slots=True)
class _Section:
    """What was read under the headings of one place so far."""

    headings: list[tuple[int, str]] = field(default_factory=list)
    page: int | None = None
    sheet: str = ""
    parts: list[str] = field(default_factory=list)
    is_said: bool = True
    """Whether the last heading has content."""

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(text for _, text in self.headings[-_MOST_HEADINGS:])


def cut(blocks: Iterable[Block], most: int = MOST_CHARACTERS) -> list[CutPassage]:
    """Return the passages of a document."""
    return [
        CutPassage(number, path, page, sheet, text)
        for number, (path, page, sheet, text) in enumerate(_pieces(blocks, most), 1)
    ]


_Piece = tuple[tuple[str, ...], int | None, str, str]


def _pieces(blocks: Iterable[Block], most: int) -> Iterator[_Piece]:
    at = _Section()
    for block in blocks:
        if (block.page, block.sheet) != (at.page, at.sheet):
            yield from _flush(at, most)
            if block.sheet != at.sheet:
                at.headings = []
            at.page, at.sheet = block.page, block.sheet
        if block.kind == "heading":
            yield from _flush(at, most)
            yield from _enter(at, block)
        else:
            at.parts.extend(_parts(block, most))
            at.is_said = at.is_said or bool(at.parts)
    yield from _flush(at, most)
    yield from _bare(at)


def _enter(at: _Section, heading: Block) -> Iterator[_Piece]:
    text = _SPACE.sub(" ", heading.text.replace("\n", " ")).strip()[:_MOST_HEADING]
    if not text:
        return
    if not at.is_said and at.headings and heading.level <= at.headings[-1][0]:
        yield from _bare(at)
    while at.headings and at.headings[-1][0] >= heading.level:
        at.headings.pop()
    at.headings.append((heading.level, text))
    at.is_said = False


def _bare(at: _Section) -> Iterator[_Piece]:
    """Yield a heading under which nothing is written: it is found by its own words."""
    if not at.is_said:
        yield at.path[:-1], at.page, at.sheet, at.path[-1]
        at.is_said = True


def _flush(at: _Section, most: int) -> Iterator[_Piece]:
    for text in _packed(at.parts, most):
        yield at.path, at.page, at.sheet, text
    at.parts = []


def _packed(parts: Sequence[str], most: int) -> Iterator[str]:
    """Join neighbouring parts as long as they fit."""
    text = ""
    for part in parts:
        if text and len(text) + 2 + len(part) > most:
            yield text
            text = ""
        text = f"{text}\n\n{part}" if text else part
    if text:
        yield text


def _parts(block: Block, most: int) -> Iterator[str]:
    if block.kind == "table":
        yield from _table_parts(block.rows, most)
        return
    if block.kind == "code":
        for piece in _split(block.text.strip("\n"), most - 8):
            if piece.strip():
                yield f"```\n{piece}\n```"
        return
    yield from _split(block.text.strip(), most)


def _table_parts(rows: Sequence[Sequence[str]], most: int) -> Iterator[str]:
    """Yield a table as Markdown, in parts that each repeat its header."""
    shown = [cells for row in rows if any(cells := [_cell(one) for one in row])]
    if not shown:
        return
    width = max(len(cells) for cells in shown)
    lines = [_row(cells, width) for cells in shown]
    head = f"{lines[0]}\n{_row(['---'] * width, width)}"
    if len(lines) == 1:
        yield from _split(lines[0], most)
        return
    room = max(most - len(head) - 1, most // 2)
    part: list[str] = []
    size = 0
    for line in lines[1:]:
        for piece in _split(line, room):
            if part and size + len(piece) + 1 > room:
                yield "\n".join((head, *part))
                part, size = [], 0
            part.append(piece)
            size += len(piece) + 1
    yield "\n".join((head, *part))


def table_text(rows: Sequence[Sequence[str]]) -> str:
    """Return a table as Markdown."""
    return "\n".join(_table_parts(rows, 1 << 30))


def _row(cells: Sequence[str], width: int) -> str:
    return "| " + " | ".join([*cells, *[""] * (width - len(cells))]) + " |"


def _cell(text: str) -> str:
    """Return the text of a cell on one line; a bar in it does not end the cell."""
    return " ".join(text.split())[:_MOST_CELL].replace("\\|", "|").replace("|", "\\|")


def _split(text: str, most: int) -> Iterator[str]:
    """Yield text in pieces of at most `most` characters, cut where a sentence or line ends."""
    while len(text) > most:
        window = text[:most]
        ends = [match.end() for match in _SENTENCE_END.finditer(window)]
        at = next((end for end in reversed(ends) if end > most // 3), 0)
        at = at or window.rfind(" ", most // 3) + 1 or most
        if piece := text[:at].strip():
            yield piece
        text = text[at:].lstrip()
    if text:
        yield text


def whole_text(blocks: Iterable[Block]) -> str:
    """Return a whole document as Markdown: what people compare, read and search in."""
    lines: list[str] = []
    sheet, page = "", None
    for block in blocks:
        if block.sheet and block.sheet != sheet:
            lines.append(f"## {block.sheet}")
        if block.page and block.page != page and lines:
            lines.append("")
        sheet, page = block.sheet, block.page
        if block.kind == "heading":
            lines.append(f"{'#' * min(max(block.level, 1), 6)} {' '.join(block.text.split())}")
        elif block.kind == "table":
            lines.append(table_text(block.rows))
        elif block.kind == "code":
            lines.append(f"```\n{block.text.strip(chr(10))}\n```")
        else:
            lines.append(block.text.strip())
    return "\n\n".join(line for line in lines if line)
