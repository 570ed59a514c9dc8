"""Prefixes that mail programs put before a subject."""

from __future__ import annotations

import re

_PREFIX = re.compile(
    r"\s*(?:\[\s*(?P<boxed>re|fwd?|회신|답장|답신|전달)\s*\]"
    r"|(?P<plain>re|aw|sv|fwd?|fw|회신|답장|답신|전달)\s*(?:\[\d{1,3}\]|\(\d{1,3}\))?\s*[:：])\s*",
    re.IGNORECASE,
)
_FORWARDS = frozenset({"fw", "fwd", "전달"})
_OUR_MARK = re.compile(r"\s*\[SR-\d{1,18}\]\s*", re.IGNORECASE)


def is_reply(subject: str) -> bool:
    """Return whether a subject is that of a reply."""
    found = _PREFIX.match(subject)
    return found is not None and _word(found) not in _FORWARDS


def is_forward(subject: str) -> bool:
    """Return whether a subject is that of a mail that is passed on."""
    found = _PREFIX.match(subject)
    return found is not None and _word(found) in _FORWARDS


def bare_subject(subject: str) -> str:
    """Return a subject without prefixes and our mark."""
    while found := _PREFIX.match(subject) or _OUR_MARK.match(subject):
        subject = subject[found.end() :]
    return subject.strip()


def _word(found: re.Match[str]) -> str:
    return str(found["boxed"] or found["plain"]).lower()
