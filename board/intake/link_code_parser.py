"""The line by which a person proves a messenger account theirs: the word and their one-time code.

Matched exactly and before anything else reads the line, as the word that stops everything is.
"""

from __future__ import annotations

import re
import unicodedata

_PATTERN = re.compile(r"\s*(?:연결|link)\s+([0-9A-Z]{4}-?[0-9A-Z]{4})\s*", re.IGNORECASE)
_MAX_LENGTH = 64


def parse_link_code(text: str) -> str | None:
    """The code of a line that is nothing but such a claim; ``None`` for any other line."""
    if len(text) > _MAX_LENGTH:
        return None
    found = _PATTERN.fullmatch(unicodedata.normalize("NFKC", text))
    return found[1].upper() if found else None
