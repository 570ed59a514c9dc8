"""Split a goal's text: list items, sentences, and clauses joined by "-고", "-며", "그리고".

Rules over morphemes, no model. A piece may become one piece of work; triage decides what it is.
Nothing is added to the text: each piece is a part of it, turned into a plain request.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from guardia.agents.brain.triage.classify import Triage
from guardia.agents.brain.triage.lexicon import lexicon
from guardia.agents.brain.triage.text import strip_noise
from guardia.knowledge.korean import Morpheme, join_morphemes, morphemes

MAX_PIECES = 20
"""A goal with more pieces is several goals."""
_PIECE_CHARACTERS = 500
_MAX_CHARACTERS = 20_000
_NUMBERED = re.compile(r"^[^\S\n]*+[①-⑳]\s", re.MULTILINE)
_BULLET = re.compile(r"^\s*(?:[-*•·‣○●□■▪]|\(?\d{1,2}[.)]|[①-⑳]|[가-하][.)])\s+")
_JOINING = frozenset({"고", "며", "으며", "고서"})
_BETWEEN = frozenset({"그리고", "또한", "또", "아울러", "더불어", "이어서"})
_DOING = ("VV", "XSV")
_ASKING = frozenset({"부탁", "바라", "요청", "필요", "원하"})
_REQUEST = (("어", "EC"), ("주", "VX"), ("세요", "EF"))
_POLITE = ("ᆸ니다", "습니다")


@dataclass(frozen=True, slots=True)
class GoalPiece:
    """A part of a goal's text."""

    text: str
    """As written."""
    request: str
    """The same as a request, for triage: "점검하고" becomes "점검해 주세요"."""
    sentence: int
    is_request: bool
    """Whether it asks for something; otherwise it states a circumstance or is a heading."""
    read: Triage | None = None
    """The triage of the model, if a model has divided the goal."""
    guessed: bool = False
    """Whether the model chose a server that the goal does not name."""
    added: bool = False
    """Whether the rules have added it to the pieces of a model, which lacked it."""


def divide(text: str) -> tuple[GoalPiece, ...]:
    """Split the untrusted `text` into pieces, ignoring words that address the machine."""
    return tuple(islice((p for p in _pieces(text) if p.text), MAX_PIECES))


def _pieces(text: str) -> Iterator[GoalPiece]:
    sentence = 0
    # Folding turns these numbers into digits without a mark.
    listed = _NUMBERED.sub("- ", text[:_MAX_CHARACTERS])
    for line in strip_noise(listed, lexicon().injection_patterns).splitlines():
        for segment, last in _segments(_BULLET.sub("", line).strip()):
            yield _piece(segment, sentence, heading=_is_heading(line))
            sentence += last


def _is_heading(line: str) -> bool:
    return line.rstrip().endswith((":", "："))


def _segments(line: str) -> Iterator[tuple[str, bool]]:
    """Yield the clauses of a line that are separate work; `True` for the last of a sentence."""
    items = _goal_morphemes(line)
    start = 0
    for i, item in enumerate(items):
        following = items[i + 1] if i + 1 < len(items) else None
        if following is None:
            yield line[start:], True
        elif _ends_sentence(item, following):
            yield line[start : following.start], True
            start = following.start
        elif _joins_clauses(items, i) or following.form in _BETWEEN:
            yield line[start : following.start], False
            start = following.start


def _goal_morphemes(text: str) -> list[Morpheme]:
    """Return the morphemes of `text`, with "점검하고" always read as a verb."""
    found: list[Morpheme] = []
    for item in morphemes(text):
        is_work = bool(found) and found[-1].form in lexicon().lists["deeds"]
        if is_work and (item.tag, item.form) == ("XSA", "하"):
            found.append(item._replace(tag="XSV"))
        elif is_work and item.form == "하고" and item.tag in ("JC", "JKB"):
            found += (Morpheme("하", "XSV", item.start), Morpheme("고", "EC", item.start + 1))
        else:
            found.append(item)
    return found


def _ends_sentence(item: Morpheme, following: Morpheme) -> bool:
    if item.tag == "SF":
        return following.tag not in ("SF", "SW", "SSC")
    return item.tag == "EF" and following.tag[0] != "S" and following.form not in ("요", "ᆼ", "ᆷ")


def _joins_clauses(items: Sequence[Morpheme], i: int) -> bool:
    """Return whether new work follows item `i`: "분석하고 …", not "느리고 …", "하고 있다"."""
    following = items[i + 1]
    while items[i].form == "," and i:
        i -= 1
    item = items[i]
    if (item.tag, item.form in _JOINING) != ("EC", True) or following.form == ",":
        return False
    return i > 0 and items[i - 1].tag in _DOING and following.tag != "VX"


def _piece(segment: str, sentence: int, *, heading: bool) -> GoalPiece:
    text = segment.strip(" ,;·\t")
    items = [m for m in _goal_morphemes(text) if m.tag[0] != "S" or m.tag in ("SL", "SN", "SH")]
    while items and items[0].form in _BETWEEN:
        items = items[1:]
        text = text[items[0].start :] if items else ""
        items = [m._replace(start=m.start - items[0].start) for m in items]
    verb = _predicate(items)
    is_request = bool(text) and not heading and _is_request(items, verb)
    request = text
    if is_request and verb is not None and not _asks_politely(items):
        request = text[: verb.start] + join_morphemes([(verb.form, verb.tag), *_REQUEST])
    return GoalPiece(text[:_PIECE_CHARACTERS], request[:_PIECE_CHARACTERS], sentence, is_request)


def _predicate(items: Sequence[Morpheme]) -> Morpheme | None:
    """Return the verb before the final endings, or `None` if the piece ends otherwise."""
    for item in reversed(items):
        if item.tag in _DOING:
            return item
        if item.tag not in ("EC", "EF", "ETM", "ETN", "NNB", "JX") or item.form == "었":
            return None
    return None


def _asks_politely(items: Sequence[Morpheme]) -> bool:
    return any(m.form in _ASKING or (m.tag, m.form) == ("VX", "주") for m in items[-8:])


def _is_request(items: Sequence[Morpheme], verb: Morpheme | None) -> bool:
    """Return whether the piece is requested, planned ("점검한다") or named ("로그 정리")."""
    if _asks_politely(items):
        return True
    last = items[-1] if items else None
    if last is None or (last.tag, last.form in _POLITE) == ("EF", True):
        return False
    if verb is not None:
        return True
    return last.tag in ("NNG", "NNP", "SL", "SN", "NNB", "ETN", "XSN")
