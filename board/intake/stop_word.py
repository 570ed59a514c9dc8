"""Recognize the stop command, matched exactly and before anything else reads the line.

Only a line that consists of the command counts: a sentence that mentions, forbids or quotes
stopping does not.
"""

from __future__ import annotations

import re
import unicodedata

_PATTERN = re.compile(r"[\s!]*(?:정지|긴급\s*정지|전체\s*정지)[\s!]*")
_MAX_LENGTH = 64


def is_stop_command(text: str) -> bool:
    """Return whether a line of a watched room is the command to stop everything."""
    if len(text) > _MAX_LENGTH:
        return False
    # Phones send full-width signs, macOS decomposed letters.
    return _PATTERN.fullmatch(unicodedata.normalize("NFKC", text)) is not None
