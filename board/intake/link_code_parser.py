"""Parse the line that links a messenger account: a keyword and a one-time code.

Matched exactly and before anything else reads the line, like the stop command.
"""

from __future__ import annotations

import re

from guardia.text import matching_form

_PATTERN = re.compile(r"\s*(?:연결|link)\s+([0-9a-z]{4}-?[0-9a-z]{4})\s*", re.ASCII)
_MAX_LENGTH = 64


def parse_link_code(text: str) -> str | None:
    """Return the code of a line that consists of keyword and code only, or `None`."""
    if len(text) > _MAX_LENGTH:
        return None
    found = _PATTERN.fullmatch(matching_form(text))
    return found[1].upper() if found else None
