"""Phrase search in chat messages, tolerant of spacing, particles and endings. Pure.

A phrase is up to four words. Between them a particle and up to three blanks or signs are allowed:
`응답 없` finds `응답이 없어요` and `응답없음`. Hangul is compared letter by letter, so a phrase
that ends in a vowel also finds words with a final consonant there: `느리` finds `느린`,
`느립니다`. Latin words and numbers are matched whole: no `DB` in `feedback`. Every step of a
search is bounded, and so is the part of a text that is read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from guardia.text import matching_form

MAX_WORDS = 4
_MAX_CHARACTERS = 2000
"""Characters of a text that are read: people report trouble in a few words."""
_WORD = re.compile(r"[^\W_]+%?")
_PARTICLES = (
    "이|가|은|는|을|를|도|만|의|에|와|과|로|나|이나|으로|에서|에는|에도|까지|부터|랑|이랑|께서"
)
_LATIN = re.compile("[0-9a-z]")


def split_words(phrase: str) -> list[str]:
    """Return a phrase's words as they are compared; empty if it has only signs."""
    return _WORD.findall(_normalize(phrase))


def contains_phrase(text: str, phrases: Iterable[str]) -> bool:
    """Return whether the text contains one of the phrases."""
    return _pattern(tuple(phrases)).search(_prepare(text)) is not None


def found_phrase(text: str, phrases: Iterable[str]) -> str | None:
    """Return the first of the phrases that the text contains, or `None`."""
    return next((one for one in phrases if contains_phrase(text, (one,))), None)


def _prepare(text: str) -> str:
    return _normalize(text[:_MAX_CHARACTERS])


def _normalize(text: str) -> str:
    """Return the matching form with Hangul split into letters."""
    return unicodedata.normalize("NFKD", matching_form(text))


@lru_cache(maxsize=1024)
def _pattern(phrases: tuple[str, ...]) -> re.Pattern[str]:
    # Without phrases, nothing may match.
    return re.compile("|".join(map(_phrase_pattern, phrases)) or r"(?!)")


def _phrase_pattern(phrase: str) -> str:
    particle = "|".join(_normalize(p) for p in _PARTICLES.split("|"))
    parts = split_words(phrase)
    body = rf"(?:{particle})?[\W_]{{0,3}}+".join(map(re.escape, parts))
    before = "(?<![0-9a-z])" if _LATIN.match(parts[0][0]) else ""
    after = "(?![0-9a-z])" if _LATIN.match(parts[-1][-1]) else ""
    return f"{before}{body}{after}"
