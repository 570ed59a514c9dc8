"""Decode bytes of Korean mail: wrong, unknown and missing names of character sets are usual."""

from __future__ import annotations

import codecs
import re

_KOREAN = frozenset(
    [
        "euckr",
        "cseuckr",
        "xeuckr",
        "ksc5601",
        "ksc56011987",
        "ksc56011989",
        "ksx1001",
        "ksx1003",
        "csksc56011987",
        "korean",
        "isoir149",
        "windows949",
        "xwindows949",
        "cp949",
        "ms949",
        "uhc",
        "949",
        "ibm949",
        "cp51949",
        "xunifiedhangul",
    ]
)
"""Names that mean CP949 in practice. Python's strict EUC-KR lacks 8,822 syllables, such as `펲`."""
_UNKNOWN = frozenset({"", "usascii", "ascii", "unknown", "unknown8bit", "xunknown", "8bit"})
_LATIN = re.compile(r"(iso)?8859\d+|latin\d|windows125\d|cp125\d|cp1252")
_PERMITTED = re.compile(
    r"utf(8|16|32)(le|be|sig)?|iso2022(kr|jp\w*)|johab|iso8859\d+|latin\d|windows125\d|cp125\d"
    r"|koi8[ru]|gb(2312|k|18030)|hz(gb2312)?|big5(hkscs)?|(shift|s)jis|eucjp|cp932|macroman"
)
"""Other character sets that are decoded; Python also has codecs that are none, or are slow."""
_ISO_2022_KR = b"\x1b$)C"
_HANGUL = re.compile("[\uac00-\ud7a3]")
_WIDE = re.compile("[\u0800-\uffff]")
_NAME_NOISE = re.compile(r"[^a-z0-9]")
_MAX_NAME = 64


def decode(data: bytes, name: str = "") -> str:
    """Return the text of bytes that are said to be in the character set `name`. Never fails."""
    if _ISO_2022_KR in data:
        return data.decode("iso2022_kr", "replace")
    known = _NAME_NOISE.sub("", name[:_MAX_NAME].lower())
    if data.isascii() and not known.startswith(("utf16", "utf32", "iso2022", "hz")):
        return data.decode("ascii")
    if known in _KOREAN:
        return _of_two(data)
    if known in _UNKNOWN or _LATIN.fullmatch(known) or not _PERMITTED.fullmatch(known):
        return _guess(data, _strictly(data, name) if _LATIN.fullmatch(known) else None)
    text = _strictly(data, name)
    return text if text is not None else _guess(data, None)


def _of_two(data: bytes) -> str:
    """Return the text of bytes named Korean: many programs name UTF-8 so."""
    korean, unicode = _strictly(data, "cp949"), _strictly(data, "utf-8")
    if unicode is not None and _WIDE.search(unicode) and _hangul(unicode) >= _hangul(korean or ""):
        return unicode
    return korean if korean is not None else _guess(data, None)


def _guess(data: bytes, latin: str | None) -> str:
    """Return the text of bytes without a name, or with a Western one, which is often wrong."""
    text = _strictly(data, "utf-8")
    if text is not None:
        return text
    text = _strictly(data, "cp949")
    if text is not None and (latin is None or _is_korean(text)):
        return text
    if latin is not None:
        return latin
    damaged = [data.decode(one, "replace") for one in ("utf-8", "cp949")]
    return min(damaged, key=lambda one: one.count("\ufffd"))


def _is_korean(text: str) -> bool:
    foreign = sum(not c.isascii() for c in text)
    return _hangul(text) >= max(2, foreign * 0.8)


def _hangul(text: str) -> int:
    return len(_HANGUL.findall(text))


def _strictly(data: bytes, name: str) -> str | None:
    try:
        return codecs.decode(data, name.strip().strip("\"'"))
    except (LookupError, ValueError, UnicodeError, TypeError):
        return None
