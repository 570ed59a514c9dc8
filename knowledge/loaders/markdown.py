"""Markdown: its tokens are blocks already."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.token import Token

from guardia.knowledge.loaders.text import decode
from guardia.knowledge.passages import Block

_PARSER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_TAG = re.compile(r"<[^>]{0,1000}>")


def blocks(data: bytes, name: str = "") -> list[Block]:
    """Return the blocks of a Markdown file; front matter is left out."""
    return blocks_of(_FRONT_MATTER.sub("", decode(data)))


def blocks_of(text: str) -> list[Block]:
    """Return the blocks of a Markdown text."""
    lines = text.split("\n")
    found: list[Block] = []
    tokens = _PARSER.parse(text)
    at = 0
    while at < len(tokens):
        token = tokens[at]
        end = _end(tokens, at)
        block = _block(token, tokens[at : end + 1], lines)
        if block is not None:
            found.append(block)
        at = end + 1
    return found


def _end(tokens: list[Token], start: int) -> int:
    """Return where the element that begins at `start` ends."""
    depth = 0
    for at in range(start, len(tokens)):
        depth += tokens[at].nesting
        if depth <= 0:
            return at
    return len(tokens) - 1


def _block(token: Token, inside: list[Token], lines: list[str]) -> Block | None:
    if token.type == "heading_open":
        text = " ".join(plain(one) for one in inside if one.type == "inline")
        return Block("heading", text, level=int(token.tag[1]))
    if token.type == "table_open":
        return Block("table", rows=_rows(inside))
    if token.type in {"fence", "code_block"}:
        return Block("code", token.content)
    if token.type == "hr" or token.map is None:
        return None
    source = "\n".join(lines[token.map[0] : token.map[1]]).strip("\n")
    if token.type == "html_block":
        source = _TAG.sub(" ", source).strip()
    return Block("text", source) if source.strip() else None


def _rows(inside: list[Token]) -> tuple[tuple[str, ...], ...]:
    rows: list[list[str]] = []
    for token in inside:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and rows:
            rows[-1].append(plain(token))
    return tuple(tuple(row) for row in rows)


def plain(token: Token) -> str:
    """Return the words of an inline token."""
    parts = []
    for child in token.children or ():
        if child.type in {"text", "code_inline"}:
            parts.append(child.content)
        elif child.type in {"softbreak", "hardbreak"}:
            parts.append(" ")
        elif child.type == "image":
            parts.append(child.content)
    return "".join(parts).strip()
