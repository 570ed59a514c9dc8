"""Recognize the stop command, matched exactly and before anything else reads the line.

Only a line that consists of the command counts, with marks, quotes or a mention around it: a
sentence that mentions, forbids or cites stopping does not.
"""

from __future__ import annotations

import re

from guardia.text import matching_form

_MARKS = r"""[\s!.。~,:"'“”‘’„‟「」『』｢｣«»]*+"""
_MENTION = r"(?:@[\w.-]++|(?:가디아|guardia)(?=[\s,:!]))"
_COMMAND = r"(?:정지|긴급\s*정지|전체\s*정지)"
_PATTERN = re.compile(rf"{_MARKS}(?:{_MENTION}{_MARKS})*+{_COMMAND}{_MARKS}(?:@[\w.-]++{_MARKS})*+")
_MAX_READ = 2000
_MAX_LENGTH = 64


def is_stop_command(text: str) -> bool:
    """Return whether a line of a watched room is the command to stop everything."""
    if len(text) > _MAX_READ:
        return False
    # Phones send full-width signs, macOS decomposed letters, editors invisible ones.
    line = matching_form(text)
    return len(line) <= _MAX_LENGTH and _PATTERN.fullmatch(line) is not None
