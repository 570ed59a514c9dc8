"""What a person wrote in a mail or a forwarded text, without what it quotes."""

from __future__ import annotations

import re

_ORIGINAL = re.compile(
    r"(?m)^\s*(?:-{2,}\s*(?:original message|원본 메[시세]지|forwarded message|전달된 메[시세]지).*"
    r"|(?:from|보낸 ?사람|발신)\s*:.*|on .{5,80} wrote:\s*|.{4,60}님이 작성:\s*)$",
    re.IGNORECASE,
)
"""From here on, the text of another person follows."""
_QUOTED = re.compile(r"(?m)^\s*>.*$")
_SUBJECT = re.compile(
    r"\s*(?:(?:re|fw|fwd|회신|전달)\s*:|\[(?:전달|회신|fw|fwd|re)\]|제목\s*:|subject\s*:).*\n",
    re.IGNORECASE,
)


def own_words(text: str) -> str:
    """Return a text of several lines without quoted lines, an earlier mail and the subject.

    A single line is what was typed: it stays as it is.
    """
    if "\n" not in text.strip():
        return text
    begin = _ORIGINAL.search(text)
    own = text[: begin.start()] if begin is not None else text
    own = _QUOTED.sub("", own)
    subject = _SUBJECT.match(own)
    rest = own[subject.end() :] if subject is not None else own
    return rest if rest.strip() else own
