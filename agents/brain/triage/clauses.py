"""Split a text into sentences and clauses, the scope of negations, conditions and questions."""

from __future__ import annotations

from dataclasses import dataclass

from guardia.knowledge.korean import Morpheme, morphemes

# fmt: off
_CONDITION = frozenset({
    "면", "으면", "다면", "ᆫ다면", "는다면", "라면", "자면", "거든", "려면", "으려면",
})
_ASKING = (
    "나요", "ᆫ가요", "은가요", "는가요", "까요", "ᆸ니까", "습니까", "는지요", "ᆫ지요", "죠",
    "나", "ᆫ가", "는가", "은가", "니",
)
# Of spoken questions without a mark: "뭐가 달라요", "몇 달마다 바꿔야 돼요".
_PLAIN = frozenset({"어요", "아요", "에요", "예요", "어", "아", "죠", "지"})
_INTERROGATIVES = frozenset({
    "뭐", "무엇", "어떻게", "언제", "어디", "몇", "며칠", "얼마", "누구", "어느", "무슨",
})
_COUNTED = frozenset({"명", "개", "군데", "건", "곳", "대", "사람", "가지", "번"})
_REQUESTS = frozenset({"부탁", "주", "요청", "신청", "바라"})
_INQUIRIES = frozenset({"문의", "질의", "질문"})
# After a condition these form a request: "주시면 됩니다", "해 주시면 감사하겠습니다".
_IDIOM = frozenset({"되", "하", "좋", "감사", "고맙", "충분", "괜찮", "안"})
# Connectives that do not end the clause.
_INSIDE = frozenset({
    "게", "게끔", "도록", "다고", "ᆫ다고", "는다고", "라고", "지", "러", "려고", "으려고", "자마자",
})
# fmt: on


_MAX_MORPHEMES = 120
"""Longer clauses are cut, so that what is compared within one is bounded."""


@dataclass(frozen=True, slots=True)
class Clause:
    """Morphemes up to a connective or final ending, with the effect of the ending."""

    items: tuple[Morpheme, ...]
    sentence: int
    conditional: bool
    """Whether it is a condition: what it says has not happened."""
    question: bool


def clauses(text: str) -> list[Clause]:
    """Split `text` into clauses."""
    items = morphemes(text)
    found: list[Clause] = []
    start = sentence = 0
    for i in range(len(items)):
        stops = _ends_sentence(text, items, i)
        if stops or _ends_clause(items, i) or i + 1 - start >= _MAX_MORPHEMES:
            found.append(_clause(items[start : i + 1], sentence))
            start, sentence = i + 1, sentence + stops
    return found


def _clause(items: list[Morpheme], sentence: int) -> Clause:
    items = [m for m in items if m.form != ","]
    end = next((m for m in reversed(items) if m.tag[0] != "S"), None)
    last = next((m for m in reversed(items) if m.tag in ("EC", "EF")), None)
    ending, tag = (last.form, items[-1].tag) if last else ("", "")
    asked = any(m.tag == "SF" and "?" in m.form for m in items)
    return Clause(
        items=tuple(items),
        sentence=sentence,
        conditional=ending in _CONDITION and tag != "SF" and not asked,
        question=asked
        or (ending.endswith(_ASKING) and tag != "EC")
        or (end is not None and end.form in _INQUIRIES and end.tag == "NNG")
        or (ending in _PLAIN and _asks_for(items)),
    )


def _asks_for(items: list[Morpheme]) -> bool:
    """Return whether an interrogative is among `items`, but not "몇 명", "몇 개", or a request."""
    return not any(m.form in _REQUESTS for m in items) and any(
        m.form in _INTERROGATIVES
        and not (m.form == "몇" and n + 1 < len(items) and items[n + 1].form in _COUNTED)
        for n, m in enumerate(items)
    )


def _ends_sentence(text: str, items: list[Morpheme], i: int) -> bool:
    """Return whether a sentence ends after item `i`."""
    if i + 1 == len(items):
        return True
    item, following = items[i], items[i + 1]
    if "\n" in text[item.start : following.start]:
        return True
    if item.tag == "SF":
        return following.tag not in ("SF", "SW")
    if item.tag == "EF" or (item.tag, item.form) == ("JX", "요"):
        return following.tag[0] != "S" and following.form not in ("요", "ᆼ", "ᆷ")
    return False


def _ends_clause(items: list[Morpheme], i: int) -> bool:
    """Return whether item `i` ends a clause: a closing connective, or a comma after a particle."""
    item = items[i]
    if item.form == "," and i and items[i - 1].tag[0] in "JE":
        return True
    if item.tag != "EC" or item.form in _INSIDE:
        return False
    rest = [m for m in items[i + 1 : i + 5] if m.tag != "JX" and m.form not in ("안", "못")]
    if not rest:
        return True
    if item.form in _CONDITION:
        return rest[0].form not in _IDIOM
    return rest[0].tag != "VX" and not (item.form in ("고", "어") and rest[0].form == "있")
