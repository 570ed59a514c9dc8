"""References to issues as people write them: `SR-12`."""

from __future__ import annotations

import re

from guardia.text import fold

_REFERENCE = re.compile(r"(?:SR-|#)?([0-9]+)", re.IGNORECASE)
MENTIONED = re.compile(r"(?<![\w/&#-])(?:#|SR-)([1-9][0-9]{0,17})(?![0-9A-Za-z_])")
"""A reference inside a text; a Korean particle may follow without a space."""
_MAX_DIGITS = 18
"""Longer numbers do not fit the column."""


def issue_ref(sr_id: int | str) -> str:
    """Return the reference of an issue number."""
    return f"SR-{sr_id}"


def is_issue_ref(text: str) -> bool:
    """Return whether a text has the form of a reference: `12`, `SR-12` or `#12`."""
    return _REFERENCE.fullmatch(fold(text)) is not None


def parse_issue_ref(text: str) -> int | None:
    """Return the number that a reference names, or `None` if no issue can have it."""
    found = _REFERENCE.fullmatch(fold(text))
    return int(found[1]) if found and len(found[1]) <= _MAX_DIGITS else None


def find_issue_ref(text: str) -> int | None:
    """Return the number of the first `SR-12` in a sentence, or `None` if there is none."""
    # A Korean particle follows without a space: SR-1로.
    found = re.search(rf"SR-([0-9]{{1,{_MAX_DIGITS}}})(?![0-9])", text)
    return int(found[1]) if found else None
