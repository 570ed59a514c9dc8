"""The word that stops everything, matched exactly and before anything else reads the line.

Only a line that is nothing but the order is one: a sentence that speaks of stopping, forbids it or
quotes it never is.
"""

from __future__ import annotations

import re
import unicodedata

_PATTERN = re.compile(r"[\s!]*(?:정지|긴급\s*정지|전체\s*정지)[\s!]*")
_MAX_LENGTH = 64


def is_stop_command(text: str) -> bool:
    """Whether a line of a watched room is the order to stop everything."""
    if len(text) > _MAX_LENGTH:
        return False
    # Phones send full-width signs, macOS decomposed letters.
    return _PATTERN.fullmatch(unicodedata.normalize("NFKC", text)) is not None
