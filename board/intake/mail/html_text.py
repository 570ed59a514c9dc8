"""The visible text of an HTML mail."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

MAX_HTML = 1_000_000
_NEVER_SHOWN = (
    "script",
    "style",
    "head",
    "template",
    "noscript",
    "iframe",
    "object",
    "embed",
    "svg",
)
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(hidden|collapse)|mso-hide\s*:\s*all"
    r"|font-size\s*:\s*0(\.0*)?\s*(px|pt|em|rem|%)?\s*(;|!|$)|opacity\s*:\s*0(\.0*)?\s*(;|!|$)"
    r"|(max-)?(height|width)\s*:\s*0(px)?\s*(;|!|$)|text-indent\s*:\s*-\d{3,}|color\s*:\s*transparent"
    r"|(left|top)\s*:\s*-\d{3,}",
    re.IGNORECASE,
)
_COLOUR = re.compile(r"(?<![-\w])color\s*:\s*([^;!]+)", re.IGNORECASE)
_GROUND = re.compile(r"background(?:-color)?\s*:\s*([^;!]+)", re.IGNORECASE)
_WHITE = frozenset({"#fff", "#ffffff", "white", "rgb(255,255,255)"})
_QUOTES = (
    "//blockquote[@type='cite'] | //*[contains(concat(' ', @class, ' '), ' gmail_quote ')]"
    " | //*[@id='divRplyFwdMsg']/following-sibling::* | //*[@id='divRplyFwdMsg']"
)
_REFUSED = re.compile("<\\?xml[^>]*\\?>|[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
"""What the parser refuses: an encoding that is declared in a text, and control characters."""
_BLANK_LINES = re.compile(r"\n[ \t]*(\n[ \t]*){2,}")


def html_text(html: str, *, with_quotes: bool = True) -> str:
    """Return what a reader of the mail sees, without pictures; links keep their text only."""
    from inscriptis.css_profiles import CSS_PROFILES
    from inscriptis.html_engine import Inscriptis
    from inscriptis.model.config import ParserConfig
    from lxml import etree
    from lxml import html as parser

    source = _REFUSED.sub("", html[:MAX_HTML])
    if not source.strip():
        return ""
    try:
        # The default parser keeps the depth of its tree within limits.
        root = parser.document_fromstring(source, parser=parser.HTMLParser(remove_comments=True))
        if not with_quotes:
            for element in root.xpath(_QUOTES):
                _drop(element)
        remove_hidden(root)
        text = str(Inscriptis(root, ParserConfig(css=CSS_PROFILES["strict"].copy())).get_text())
    except (etree.LxmlError, ValueError, RecursionError, AssertionError):
        text = re.sub(r"<[^>]{0,2000}>", " ", source)
    lines = (line.rstrip() for line in text.replace("\xa0", " ").splitlines())
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()


def remove_hidden(root: Any) -> None:
    """Empty the elements of a page that no reader sees."""
    for element in _hidden(root):
        _drop(element)


def _hidden(root: Any) -> Iterator[Any]:
    for element in list(root.iter()):
        tag = element.tag
        if not isinstance(tag, str) or tag in _NEVER_SHOWN or _is_hidden(element):
            yield element


def _is_hidden(element: Any) -> bool:
    attributes = element.attrib
    if "hidden" in attributes:
        return True
    style = attributes.get("style", "")
    return bool(_HIDDEN.search(style)) or _is_drawn_on_itself(style, attributes)


def _is_drawn_on_itself(style: str, attributes: Any) -> bool:
    """Return whether a text has the colour of its ground; without one, the ground is white."""
    colour = _COLOUR.search(style)
    shown = colour[1] if colour else attributes.get("color", "")
    if not shown:
        return False
    ground = _GROUND.search(style)
    first, second = (
        one.replace(" ", "").lower() for one in (shown, ground[1] if ground else "#fff")
    )
    return first == second or (first in _WHITE and second in _WHITE)


def _drop(element: Any) -> None:
    parent = element.getparent()
    if parent is not None:
        tail = element.tail
        element.clear()
        element.tail = tail
        element.tag = "span"
