"""The canonical form of values: one byte string for equal values, for hashing and signing.

It follows RFC 8785 (JSON Canonicalization Scheme) for the values that entries may hold: objects
with sorted keys, arrays, NFC strings, integers, booleans and null. Floats are refused, because no
two systems agree on them. Standard library only.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

_VALUE_DOMAIN = b"guardia.value.v1\n"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_SORTING = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False, sort_keys=True
)
_SIMPLE = frozenset({str, int, bool, type(None)})
_CONTROL = (c for c in (*range(32), *range(0x7F, 0xA0)) if c not in (9, 10, 13))
_BIDI = (0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
"""Characters that only change the direction in which text is shown."""
_HIDDEN = re.compile(f"[{re.escape(''.join(map(chr, (*_CONTROL, *_BIDI))))}]")


def clean(value: Any) -> Any:
    """Return `value` as an entry stores it: NFC, without control characters.

    Raises `TypeError` if `value` has no canonical form. Control characters are removed because
    terminals obey some of them; characters that change text direction, because they could show an
    approver something other than what is executed. Emoji and Hangul need none of them.
    """
    return _map_text(value, _printable)


def is_normalized(value: Any) -> bool:
    """Return whether all text of a value is in its stored form (NFC)."""
    return bool(_map_text(value, _normalize) == value)


def _printable(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    # Lone surrogates cannot be written as UTF-8 nor kept by PostgreSQL.
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return _normalize(_HIDDEN.sub("", whole))


def _normalize(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _map_text(value: Any, each: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return each(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Mapping):
        walked = {each(str(k)): _map_text(v, each) for k, v in value.items()}
        if len(walked) != len(value):
            raise TypeError("two keys of one object are the same text")
        return walked
    if isinstance(value, list | tuple):
        return [_map_text(v, each) for v in value]
    raise TypeError(f"{type(value).__name__} has no canonical form")


def canonical(value: Any) -> bytes:
    """Return the one byte string of a cleaned value (RFC 8785)."""
    if _is_sorted_by_code_points(value):
        # What almost all values are; the encoder then sorts, several times as fast.
        return _SORTING.encode(value).encode("utf-8")
    return JSON.encode(_sorted(value)).encode("utf-8")


def _is_sorted_by_code_points(value: Any) -> bool:
    """Return whether a value has only plain types and ASCII keys, so that order is beyond doubt."""
    found = [value]
    for each in found:  # grows meanwhile: one call for each entry would cost more than its work
        kind = type(each)
        if kind is dict:
            try:
                plain = "".join(each).isascii()
            except TypeError:
                return False
            if not plain:
                return False
            found.extend(each.values())
        elif kind is list:
            found.extend(each)
        elif kind not in _SIMPLE:
            return False
    return True


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        # RFC 8785 sorts keys by UTF-16 code units, which only differs beyond ASCII.
        plain = all(map(str.isascii, value))
        keys = sorted(value) if plain else sorted(value, key=lambda k: k.encode("utf-16-be"))
        return {k: _sorted(value[k]) for k in keys}
    if isinstance(value, list):
        return [_sorted(v) for v in value]
    if isinstance(value, float):
        raise TypeError("float has no canonical form")
    return value


def digest(value: Any) -> str:
    """Return the SHA-256 (hex) of a value that is not an entry: a plan, an output.

    Only the Unicode form is normalized: two plans that differ in one character differ.
    """
    whole = _SORTING.encode(value) if _is_sorted_by_code_points(value) else None
    # Most values are normalized. No mark combines with a quote, so their text shows it as a whole.
    if whole is None or not unicodedata.is_normalized("NFC", whole):
        return _digest(canonical(_map_text(value, _normalize)))
    return _digest(whole.encode("utf-8"))


def _digest(canonical_bytes: bytes) -> str:
    return hashlib.sha256(_VALUE_DOMAIN + canonical_bytes).hexdigest()


def to_microseconds(moment: datetime) -> int:
    """Return whole microseconds since 1970 UTC; exact, unlike `timestamp()`."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def from_microseconds(count: int) -> datetime:
    """Return the time `count` microseconds after 1970 UTC. Raises `OverflowError` if too late."""
    return _EPOCH + timedelta(microseconds=count)
