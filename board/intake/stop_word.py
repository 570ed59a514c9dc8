"""The word that stops everything, matched exactly and before anything else reads the line.

Only a line that is nothing but the order is one: a sentence that speaks of stopping, forbids it or
quotes it never is.
"""

from __future__ import annotations

import re
import unicodedata

_ORDER = re.compile(r"[\s!]*(?:정지|긴급\s*정지|전체\s*정지)[\s!]*")
_LONGEST = 64


def orders_stop(text: str) -> bool:
    """Whether a line of a watched room is the order to stop everything."""
    if len(text) > _LONGEST:
        return False
    # Phones send full-width signs, macOS decomposed letters.
    return _ORDER.fullmatch(unicodedata.normalize("NFKC", text)) is not None
