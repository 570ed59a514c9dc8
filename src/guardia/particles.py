"""Korean particles (은/는, 이/가, 을/를, 과/와, 으로/로), chosen by the last sound before them.

`with_particle("DB", "이/가")` is `DB가`. Digits are read as Sino-Korean numbers, capitals by
letter, other Latin words as loanwords. Existing packages (tossi, korean, josa) have had no release
for years and fall back to "은(는)" for Latin words and most numbers.
"""

from __future__ import annotations

import re
from enum import Enum

PAIRS = frozenset(
    ["은/는", "이/가", "을/를", "과/와", "으로/로", "이라/라", "이라는/라는", "이나/나"]
)
"""The pairs of forms, after a consonant and after a vowel."""


class Sound(Enum):
    """Last sound of a word, as far as it affects particles."""

    VOWEL = "vowel"
    RIEUL = "rieul"
    CONSONANT = "consonant"


_FINALS = 28
_RIEUL_FINAL = 8
# A gloss in brackets does not change the particle: 김철수(대리)가.
_GLOSS = re.compile(r"(?<=.)(?:\([^()]*\)|\[[^\[\]]*\])\s*$", re.DOTALL)
_LATIN = re.compile(r"[A-Za-z]+$")
_NUMBER = re.compile(r"([0-9][0-9,]*)(\.[0-9]+)*$")
_SYMBOLS = {"%": Sound.VOWEL, "℃": Sound.VOWEL, "+": Sound.VOWEL, "*": Sound.VOWEL}
_DIGITS = {"0": "영", "1": "일", "2": "이", "3": "삼", "4": "사"} | {
    "5": "오", "6": "육", "7": "칠", "8": "팔", "9": "구"
}  # fmt: skip
_TRILLION, _TEN_QUADRILLION = 12, 16
_LETTERS = {"L": Sound.RIEUL, "R": Sound.RIEUL, "M": Sound.CONSONANT, "N": Sound.CONSONANT}
_READ = 200
"""Characters at the end of a word that are read."""
_SPELLED = 3
"""Capitals up to this length are read by letter."""
_IRREGULAR = {
    **dict.fromkeys(
        ["web", "app", "job", "lab", "tab", "blob", "bot", "type", "group"], Sound.CONSONANT
    ),
    **dict.fromkeys(["bit", "check", "net"], Sound.VOWEL),
}


def with_particle(word: str, pair: str) -> str:
    """Append the right form of a pair such as `"은/는"`."""
    after_consonant, after_vowel = pair.split("/")
    sound = last_sound(word)
    open_end = sound is Sound.VOWEL or (sound is Sound.RIEUL and after_consonant == "으로")
    return word + (after_vowel if open_end else after_consonant)


def last_sound(word: str) -> Sound:
    """Return the last sound of `word` when read aloud; a consonant if it has none."""
    text = word[-_READ:].rstrip()
    while text:
        last = text[-1]
        if (shorter := _GLOSS.sub("", text)) != text:
            text = shorter.rstrip()
        elif "가" <= last <= "힣":
            return _syllable(last)
        elif number := _NUMBER.search(text):
            return _number(number[1].replace(",", ""), fraction=number[2])
        elif latin := _LATIN.search(text):
            return _latin(latin[0])
        elif last in _SYMBOLS:
            return _SYMBOLS[last]
        else:
            text = text[:-1].rstrip()
    return Sound.CONSONANT


def _syllable(letter: str) -> Sound:
    final = (ord(letter) - ord("가")) % _FINALS
    if final == 0:
        return Sound.VOWEL
    return Sound.RIEUL if final == _RIEUL_FINAL else Sound.CONSONANT


def _number(digits: str, fraction: str | None) -> Sound:
    """Return a number's last sound: 10 is 십, but fractions and leading zeros end in a digit."""
    zeros = len(digits) - len(digits.rstrip("0"))
    if fraction or not zeros:
        return _syllable(_DIGITS[(fraction or digits)[-1]])
    return Sound.VOWEL if _TRILLION <= zeros < _TEN_QUADRILLION else Sound.CONSONANT


def _latin(word: str) -> Sound:
    lower = word.lower()
    if lower in _IRREGULAR:
        return _IRREGULAR[lower]
    spelled = word.isupper() and len(word) <= _SPELLED
    if spelled or len(word) == 1 or not re.search("[aeiouy]", lower):
        return _LETTERS.get(word[-1].upper(), Sound.VOWEL)
    if re.search(r"le?$", lower):
        return Sound.RIEUL
    if re.search(r"([mn]e?|ng|out|ook)$", lower):
        return Sound.CONSONANT
    # Stops close the syllable after a single vowel only: Tomcat is 톰캣, but root is 루트.
    if re.search(r"([^aeiou]|^)[aeiou](ck|[ptkc])$", lower):
        return Sound.CONSONANT
    return Sound.VOWEL
