"""Render untrusted Markdown as safe HTML."""

from __future__ import annotations

import re
from collections.abc import Iterator

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markupsafe import Markup

from guardia.board.core.issue_ref import MENTIONED

# Nothing that loads other resources, submits, or runs; no ids or classes that could imitate a
# page. Pictures are the issues' own attachments, and boxes of a task list cannot be ticked.
_TAGS = {
    *("p", "br", "hr", "em", "strong", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a"),
    *("h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td", "img", "input"),
}
_ATTRIBUTES = {
    "a": {"href", "title"},
    "ol": {"start"},
    "img": {"src", "alt", "loading"},
    "input": {"type", "checked", "disabled"},
}
_SCHEMES = {"http", "https", "mailto"}
_BELOW = 3
"""Headings of a text are placed below the headings h1 to h3 of the page that shows it."""
_PICTURE = re.compile(r"/issues/[1-9]\d{0,17}/attachments/[1-9]\d{0,17}/image")
_TASK = re.compile(r"\[([ xX])\](?=\s)")


def _rewrite(state: StateCore) -> None:
    """Rewrite the inline tokens: references, task boxes, and pictures from elsewhere."""
    for number, token in enumerate(state.tokens):
        if token.type != "inline" or not token.children:
            continue
        is_item = number >= 2 and state.tokens[number - 2].type == "list_item_open"
        children = list(_children(token.children))
        if is_item and children and children[0].type == "text":
            children = [*_task_box(children[0]), *children[1:]]
        token.children = children


def _children(given: list[Token]) -> Iterator[Token]:
    inside_link = 0
    for child in given:
        inside_link += {"link_open": 1, "link_close": -1}.get(child.type, 0)
        if child.type == "image":
            yield from _picture(child)
        elif child.type == "text" and not inside_link:
            yield from _references(child)
        else:
            yield child


def _picture(token: Token) -> Iterator[Token]:
    """Keep a picture of the board; one from elsewhere becomes a link, which nothing loads."""
    address = str(token.attrs.get("src", ""))
    if _PICTURE.fullmatch(address):
        token.attrs = {"src": address, "alt": token.content, "loading": "lazy"}
        yield token
    else:
        yield from _link(address, token.content or address)


def _references(token: Token) -> Iterator[Token]:
    at = 0
    for match in MENTIONED.finditer(token.content):
        yield _text(token.content[at : match.start()])
        yield from _link(f"/issues/{match[1]}", match[0])
        at = match.end()
    yield _text(token.content[at:])


def _task_box(token: Token) -> list[Token]:
    match = _TASK.match(token.content)
    if match is None:
        return [token]
    attributes: dict[str, str | int | float] = {"type": "checkbox", "disabled": ""}
    if match[1] != " ":
        attributes["checked"] = ""
    return [Token("task_box", "input", 0, attrs=attributes), _text(token.content[match.end() :])]


def _link(address: str, words: str) -> Iterator[Token]:
    yield Token("link_open", "a", 1, attrs={"href": address})
    yield _text(words)
    yield Token("link_close", "a", -1)


def _text(words: str) -> Token:
    return Token("text", "", 0, content=words)


_PARSER = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(
    ["table", "strikethrough"]
)
_PARSER.core.ruler.push("board", _rewrite)


def markdown(text: str) -> Markup:
    """Render `text` as sanitized HTML; unknown elements are removed."""
    tokens = _PARSER.parse(text)
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(6, int(token.tag[1]) + _BELOW)}"
    html = nh3.clean(
        _PARSER.renderer.render(tokens, _PARSER.options, {}),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=_only_harmless,
        url_schemes=_SCHEMES,
        link_rel="noopener noreferrer nofollow",
    )
    return Markup(html)


def _only_harmless(tag: str, name: str, value: str) -> str | None:
    if tag == "img" and name == "src" and not _PICTURE.fullmatch(value):
        return None
    if tag == "input" and name == "type":
        return "checkbox"
    return value
