"""The hash chain as pure functions: canonical bytes, links, and finding the first bad one.

Canonical bytes follow RFC 8785 (JSON Canonicalization Scheme) for the values that entries may
hold: objects with sorted keys, arrays, NFC strings, integers, booleans and null. Floats are
refused, because no two systems agree on them. Standard library only.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

ORIGIN = "0" * 64
_ENTRY_DOMAIN = b"guardia.audit.entry.v1\n"
_VALUE_DOMAIN = b"guardia.value.v1\n"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CONTROL = {c: None for c in range(32) if c not in (9, 10, 13)}


def clean(value: Any) -> Any:
    """``value`` as an entry can hold it: NFC, without control characters; ``TypeError`` else.

    Control characters go because entries are read on terminals, which obey some of them.
    """
    return _walk(value, _printable)


def _printable(text: str) -> str:
    # Lone surrogates cannot be written as UTF-8 nor kept by PostgreSQL.
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return unicodedata.normalize("NFC", whole.translate(_CONTROL))


def _walk(value: Any, each: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return each(value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, Mapping):
        walked = {each(str(k)): _walk(v, each) for k, v in value.items()}
        if len(walked) != len(value):
            raise TypeError("two keys of one object are the same text")
        return walked
    if isinstance(value, list | tuple):
        return [_walk(v, each) for v in value]
    raise TypeError(f"{type(value).__name__} has no canonical form")


def canonical(value: Any) -> bytes:
    """The one byte string of a cleaned value."""
    # RFC 8785 sorts keys by UTF-16 code units; ours are compared so too.
    return json.dumps(
        _sorted(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False
    ).encode("utf-8")


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        keys = sorted(value, key=lambda k: k.encode("utf-16-be"))
        return {k: _sorted(value[k]) for k in keys}
    if isinstance(value, list):
        return [_sorted(v) for v in value]
    if isinstance(value, float):
        raise TypeError("float has no canonical form")
    return value


def digest(value: Any) -> str:
    """SHA-256 (hex) of a value that is not an entry: a plan, an output.

    Nothing but the Unicode form is evened out: two plans that differ in one character differ.
    """
    even = _walk(value, partial(unicodedata.normalize, "NFC"))
    return hashlib.sha256(_VALUE_DOMAIN + canonical(even)).hexdigest()


def microseconds(moment: datetime) -> int:
    """Whole microseconds since 1970 UTC; exact, unlike ``timestamp()``."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Link:
    """One entry of the record, as it is hashed."""

    seq: int
    created_at: datetime
    actor: str
    kind: str
    sr_id: int | None
    task_id: int | None
    log_content: str
    detail: dict[str, Any]
    previous_hash: str
    current_hash: str = ""

    def hash(self) -> str:
        """What ``current_hash`` must be."""
        body = {
            "seq": self.seq,
            "created_at": microseconds(self.created_at),
            "actor": self.actor,
            "kind": self.kind,
            "sr_id": self.sr_id,
            "task_id": self.task_id,
            "log_content": self.log_content,
            "detail": self.detail,
            "previous_hash": self.previous_hash,
        }
        return hashlib.sha256(_ENTRY_DOMAIN + canonical(body)).hexdigest()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a walk along the chain found."""

    size: int
    """Entries that hold, from the first on."""
    head: str
    """Hash of the last entry that holds."""
    bad: int | None = None
    """Number of the first entry that does not hold, or ``None``."""
    fault: str | None = None
    """``gap``, ``link``, ``content``, ``time`` or ``tail``."""

    @property
    def intact(self) -> bool:
        """Whether every entry holds."""
        return self.bad is None


def verify(links: Iterable[Link], *, size: int | None = None, head: str | None = None) -> Verdict:
    """Walk ``links`` from the first entry on and name the first bad one.

    ``size`` and ``head`` are what the writer last said of the chain: with them a cut-off tail
    is found too. Memory use does not grow with the chain.
    """
    count, last, moment = 0, ORIGIN, None
    for link in links:
        fault = _fault(link, count + 1, last, moment)
        if fault:
            return Verdict(count, last, count + 1, fault)
        count, last, moment = link.seq, link.current_hash, link.created_at
    if (size is not None and size != count) or (head is not None and head != last):
        return Verdict(count, last, count + 1, "tail")
    return Verdict(count, last)


def _fault(link: Link, seq: int, previous: str, moment: datetime | None) -> str | None:
    if link.seq != seq:
        return "gap"
    if link.previous_hash != previous:
        return "link"
    if moment is not None and link.created_at <= moment:
        return "time"
    try:
        return None if link.current_hash == link.hash() else "content"
    except TypeError:
        return "content"
