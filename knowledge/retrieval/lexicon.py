"""Technical terms for what people say in everyday words. The words are in `lexicon.yaml`."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from ruamel.yaml import YAML

from guardia.knowledge.korean import Morpheme, canonical, morphemes

# Nouns, verbs and what negates or counts them: "안 열리다" is not "열리다".
_KEPT = frozenset(
    ["NNG", "NNP", "XR", "VV", "VA", "VX", "MAG", "SL", "SH", "SN", "W_SERIAL", "NR", "NNB", "MM"]
)

Word = tuple[str, bool]
"""A canonical form, and whether it is a verb: `새다` leaks, `새` is new."""


def technical_terms(question: str) -> list[str]:
    """Return the terms that manuals use for what a question says, each once, in order."""
    said = _words(question)
    found: dict[str, None] = {}
    for terms, phrases in _entries():
        if any(phrase <= said for phrase in phrases):
            found.update(dict.fromkeys(terms))
    return list(found)


@cache
def _entries() -> tuple[tuple[tuple[str, ...], tuple[frozenset[Word], ...]], ...]:
    text = (files("guardia.knowledge.retrieval") / "lexicon.yaml").read_text("utf-8")
    lines: list[list[str]] = YAML(typ="safe", pure=True).load(text)
    return tuple(
        (tuple(str(terms).split()), tuple(filter(None, (_phrase(str(p)) for p in phrases))))
        for terms, *phrases in lines
    )


def _phrase(text: str) -> frozenset[Word]:
    """Return the words of an entry: alone, the analyser would read `새다` as `새`, new."""
    verbs = [word for word in text.split() if word.endswith("다") and len(word) > 1]
    rest = " ".join(word for word in text.split() if word not in verbs)
    return frozenset((verb[:-1], True) for verb in verbs) | _words(rest)


def _words(text: str) -> frozenset[Word]:
    return frozenset(_word(m) for m in morphemes(text) if m.tag in _KEPT)


def _word(morpheme: Morpheme) -> Word:
    return canonical(morpheme.form), morpheme.tag.startswith("V")
