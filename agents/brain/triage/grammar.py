"""Korean grammar around a word: denied, hypothetical, or past."""

from __future__ import annotations

from collections.abc import Sequence

from guardia.agents.brain.triage.clauses import Clause
from guardia.knowledge.korean import Morpheme

_REACH = 9
"""Number of morphemes after a word that can still deny it."""

# fmt: off
_NEGATIONS = frozenset({"안", "못"})
_NOT = frozenset({"않", "말", "못하", "못", "아니하"})
_THINGS = frozenset({"것", "거", "건", "게", "줄", "일", "상황", "상태"})
# Between a noun and its negation: "침해 정황은 없습니다".
_SIGNS = frozenset({
    "정황", "흔적", "사실", "징후", "증상", "상황", "사례", "기록", "건", "발생", "것", "거",
    "현상", "문제", "상태", "우려",
})
_HAPPEN = frozenset({"하", "되", "나", "나오", "생기", "발생", "일어나", "시키"})
_CALLED_OFF = frozenset({"취소", "보류", "연기", "철회", "미루"})
# After "-ㄹ": it may happen or is about to.
_POSSIBLE = frozenset({
    "수", "것", "거", "듯", "듯하", "지", "가능성", "우려", "위험", "때", "경우", "시", "까",
    "뻔", "정도",
})
# fmt: on


def is_denied(items: Sequence[Morpheme], begin: int, end: int) -> bool:
    """Return whether `items[begin:end]` is denied: "안 급하다", "하지 말고", "장애는 아니고"."""
    before = items[begin - 1] if begin else None
    if before and _is_negation(before) and items[begin].tag[0] == "V":
        return True
    rest = [m for m in items[end : end + _REACH] if m.tag[0] not in "JS" and not _is_adverb(m)]
    rest = _without_light_verbs(rest)
    if not rest:
        return False
    return _verb_denied(rest) or _noun_denied(items[end - 1], rest)


def is_hypothetical(clause: Clause, end: int) -> bool:
    """Return whether it is a condition, a possibility or the near future, not a fact."""
    if clause.conditional:
        return True
    rest = [m for m in clause.items[end:] if m.tag[0] != "S"]
    for n, item in enumerate(rest):
        if item.tag == "ETM" and item.form in ("ᆯ", "을"):
            return n + 1 < len(rest) and rest[n + 1].form in _POSSIBLE
        auxiliary = n + 1 < len(rest) and rest[n + 1].tag == "VX"
        if item.tag in ("EF", "EC") and not auxiliary:
            return item.form.endswith(("까요", "까"))
    return False


def is_past(rest: Sequence[Morpheme]) -> bool:
    """Return whether the verb at the beginning of `rest` is in the past."""
    for item in rest:
        if item.tag == "EP" and item.form in ("었", "았"):
            return True
        if item.tag[0] in "NS" or item.tag in ("EF", "ETM"):
            return False
    return False


def is_negated(clause: Clause) -> bool:
    """Return whether something in the clause is negated: "반영되지 않으면"."""
    return any(m.form in _NOT or _is_negation(m) for m in clause.items)


def _is_negation(item: Morpheme) -> bool:
    return item.tag == "MAG" and item.form in _NEGATIONS


def _is_adverb(item: Morpheme) -> bool:
    return item.tag.startswith("MA") and not _is_negation(item)


def _without_light_verbs(rest: list[Morpheme]) -> list[Morpheme]:
    """Return what follows "하" and "되" and their tenses."""
    for n, item in enumerate(rest):
        light = item.tag[0] == "V" and item.form in ("하", "되")
        if not light and item.tag not in ("EP", "XSV", "XSA", "XSN"):
            return rest[n:]
    return []


def _verb_denied(rest: list[Morpheme]) -> bool:
    """Return whether a verb is negated: "-지 않다", "-ㄴ 것은 아니다"."""
    forms = [m.form for m in rest[:3]]
    if forms[0] == "지":
        return len(forms) > 1 and forms[1] in _NOT
    if rest[0].tag != "ETM" or len(rest) < 3:
        return False
    if forms[1] in _SIGNS and rest[2].form == "없":
        return True
    return forms[1] in _THINGS and _is_not(rest[2:])


def _noun_denied(word: Morpheme, rest: list[Morpheme]) -> bool:
    """Return whether a noun is negated: "장애는 아니다", "영향은 없다", "배포는 취소"."""
    if word.tag[0] not in "NSX":
        return _is_not(rest)
    if _is_negation(rest[0]):
        return len(rest) > 1 and rest[1].form in _HAPPEN
    while len(rest) > 1 and (rest[0].form in _SIGNS or _is_needless(rest)):
        rest = rest[1:]
    if rest[0].form in _CALLED_OFF or _is_not(rest):
        return True
    return rest[0].tag[0] == "V" and rest[0].form in ("없", "말")


def _is_needless(rest: list[Morpheme]) -> bool:
    return rest[0].form == "필요" and rest[1].form == "없"


def _is_not(rest: list[Morpheme]) -> bool:
    """Return whether it is "아니다", but not "아닌가요"."""
    if rest[0].tag != "VCN":
        return False
    ending = rest[1].form if len(rest) > 1 else ""
    return not ending.endswith(("가요", "가", "까요", "나요"))
