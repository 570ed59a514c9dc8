"""Read header fields as mail programs really write them.

Python's own reading loses raw 8-bit text and characters that are split between two encoded words.
"""

from __future__ import annotations

import base64
import binascii
import quopri
import re
from email.message import Message
from email.utils import getaddresses

from guardia.board.artifacts.charsets import decode

MAX_FIELD = 20_000
_WORD = re.compile(r"=\?([^?\s*]{1,64})(?:\*[^?\s]*)?\?([bBqQ])\?([^?]*)\?=")
_FOLD = re.compile(r"\r?\n[ \t]?|\r")
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f]+")
_MESSAGE_ID = re.compile(r"<([!-;=?-~]{1,900})>", re.ASCII)
_ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){0,20}",
    re.ASCII,
)
_MAX_IDS = 100


def raw_field(message: Message, name: str) -> str:
    """Return the first field of this name as it was sent, on one line; bytes are surrogates."""
    return next(iter(raw_fields(message, name)), "")


def raw_fields(message: Message, name: str) -> list[str]:
    """Return all fields of this name, the newest first."""
    wanted = name.lower()
    return [
        _FOLD.sub(" ", str(value)[:MAX_FIELD]).strip()
        for key, value in message.raw_items()
        if key.lower() == wanted
    ]


def text_field(message: Message, name: str) -> str:
    """Return a field for people: decoded, clean, on one line."""
    return one_line(decode_words(raw_field(message, name)))


def one_line(text: str) -> str:
    """Return text without line breaks and other control characters."""
    return _BLANKS.sub(" ", text).strip()


def decode_words(value: str) -> str:
    """Decode encoded words and raw bytes. Adjacent words of one character set are one text."""
    parts: list[tuple[str, bytes]] = []
    end = 0
    for found in _WORD.finditer(value):
        between = value[end : found.start()]
        if between.strip() or not end:
            parts.append(("", between.encode("utf-8", "surrogateescape")))
        name, content = found[1].lower(), _word_bytes(found[2], found[3])
        if parts and parts[-1][0] == name:
            parts[-1] = (name, parts[-1][1] + content)
        else:
            parts.append((name, content))
        end = found.end()
    parts.append(("", value[end:].encode("utf-8", "surrogateescape")))
    return "".join(decode(content, name) for name, content in parts)


def _word_bytes(encoding: str, text: str) -> bytes:
    data = text.encode("ascii", "ignore")
    if encoding in "qQ":
        return quopri.decodestring(data, header=True)
    kept = re.sub(rb"[^A-Za-z0-9+/]", b"", data)
    try:
        return base64.b64decode(kept + b"=" * (-len(kept) % 4))
    except binascii.Error:
        return base64.b64decode(kept[: len(kept) // 4 * 4])


def message_ids(value: str) -> list[str]:
    """Return the message ids of a field without brackets, in their order; the last ones of many."""
    return _MESSAGE_ID.findall(value)[-_MAX_IDS:]


def addresses(value: str) -> list[tuple[str, str]]:
    """Return names and valid addresses, in lower case, of a field such as `From`."""
    found = getaddresses([_without_comments(value)])
    pairs = [(one_line(decode_words(name)), address.strip().lower()) for name, address in found]
    return [(name, address) for name, address in pairs if _ADDRESS.fullmatch(address)]


def _without_comments(value: str) -> str:
    """Return an address field without comments: the standard library recurses into each bracket."""
    kept, depth, quoted, escaped = [], 0, False, False
    for character in value.replace("\x00", ""):
        if escaped or character == "\\":
            escaped = not escaped
        elif character == '"' and not depth:
            quoted = not quoted
        elif character == "(" and not quoted:
            depth += 1
        elif character == ")" and not quoted:
            depth = max(0, depth - 1)
            continue
        if not depth:
            kept.append(character)
    return "".join(kept)


def parameter(value: str, name: str) -> str:
    """Return a parameter of `Content-Type` or `Content-Disposition`, decoded; empty without it."""
    probe = Message()
    # As Latin-1, so that raw bytes survive the standard library's reading of parameters.
    probe["content-type"] = value.encode("utf-8", "surrogateescape").decode("latin-1")
    try:
        found = probe.get_param(name, "", header="content-type")
    except (ValueError, IndexError, AttributeError, TypeError):
        return ""
    if isinstance(found, tuple):
        charset, _, text = found
        return one_line(decode(text.encode("latin-1", "ignore"), charset or ""))
    text = str(found)
    if "=?" in text:
        return one_line(decode_words(text))
    return one_line(decode(text.encode("latin-1", "ignore")))
