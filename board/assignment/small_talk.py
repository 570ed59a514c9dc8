"""Lines that are no requests: greetings, thanks, reactions, tests. Pure.

A line is small talk only if nothing is left of it once its phrases (`small_talk.toml`) are taken
away. So a request with a greeting stays a request, however short it is.
"""

from __future__ import annotations

import re
import tomllib
from enum import StrEnum
from functools import cache
from pathlib import Path

from guardia.text import matching_form

_MAX = 60
"""Characters; a longer line says something."""
_SIGNS = re.compile(
    r"(?:[ㅋㅎㅠㅜㅡㅗㅇ^~;:.!?,…'\"()\-_*/\\=+<>@#\s]"
    "|[\u2600-\u27bf\ufe0f\u200d\U0001f000-\U0001faff]|:[a-z0-9_+-]+:)+"
)
_LAUGHTER = frozenset("ㅋㅎㅠㅜ")
# "테스트서버" and "네트워크" begin with a phrase, and are other words.
_WORD_END = r"(?![0-9a-z가-힣])"


class SmallTalk(StrEnum):
    """What a line without a request is."""

    GREETING = "greeting"
    THANKS = "thanks"
    REACTION = "reaction"
    TEST = "test"


_Phrase = tuple[SmallTalk | None, re.Pattern[str]]


def kind_of(text: str) -> SmallTalk | None:
    """Return what kind of small talk a line is, or `None` if it says anything else."""
    line = matching_form(text).strip()
    if not line or len(line) > _MAX:
        return None
    found: list[SmallTalk | None] = []
    position = 0
    while position < len(line):
        if signs := _SIGNS.match(line, position):
            position = signs.end()
            continue
        phrase = _longest(line, position)
        if phrase is None:
            return None
        kind, position = phrase
        found.append(kind)
    if not found:
        return SmallTalk.REACTION if _LAUGHTER & set(line) else None
    return next((kind for kind in found if kind is not None), None)


def is_small_talk(text: str) -> bool:
    """Return whether a line says nothing but such phrases."""
    return kind_of(text) is not None


def _longest(line: str, position: int) -> tuple[SmallTalk | None, int] | None:
    """Return the longest phrase at a position, and where it ends."""
    best: tuple[SmallTalk | None, int] | None = None
    for kind, pattern in _phrases():
        match = pattern.match(line, position)
        if match and match.end() > position and (best is None or match.end() > best[1]):
            best = (kind, match.end())
    return best


@cache
def _phrases() -> tuple[_Phrase, ...]:
    path = Path(__file__).with_name("small_talk.toml")
    stored = tomllib.loads(path.read_text("utf-8"))
    kinds: list[tuple[SmallTalk | None, str]] = [(kind, kind.value) for kind in SmallTalk]
    return tuple(
        (kind, re.compile(f"(?:{_filled(pattern, stored['end'])}){_WORD_END}"))
        for kind, name in [*kinds, (None, "vocative")]
        for pattern in stored[name]
    )


def _filled(pattern: str, end: str) -> str:
    return pattern.replace("{end}", end)
