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
_CALLED_OFF = frozenset({
    "취소", "보류", "연기", "철회", "미루", "삼가", "자제", "금지", "지양", "불필요",
})
# After "-ㄹ": it may happen or is about to.
_POSSIBLE = frozenset({
    "수", "것", "거", "듯", "듯하", "지", "가능성", "우려", "위험", "때", "경우", "시", "까",
    "뻔", "정도",
})
# After a noun: "실패 예상", "중단이 우려되는바".
_FEARED = frozenset({"예상", "우려", "위험", "가능", "가능성", "예방", "염려", "걱정"})
# fmt: on


def is_denied(items: Sequence[Morpheme], begin: int, end: int) -> bool:
    """Return whether `items[begin:end]` is denied: "안 급하다", "하지 말고", "장애는 아니고"."""
    before = items[begin - 1] if begin else None
    if before and is_negation(before) and items[begin].tag[0] == "V":
        return True
    following = [m for m in items[end : end + _REACH] if m.tag[0] not in "JS" and not _is_adverb(m)]
    following = _without_light_verbs(following)
    if not following:
        return False
    return _verb_denied(following) or _noun_denied(items[end - 1], following)


def is_hypothetical(clause: Clause, end: int) -> bool:
    """Return whether it is a condition, a possibility or the near future, not a fact."""
    if clause.conditional:
        return True
    following = [m for m in clause.items[end:] if m.tag[0] != "S"]
    nouns = [m for m in following if m.tag[0] != "J"]
    if nouns and nouns[0].form in _FEARED and nouns[0].tag in ("NNG", "XR"):
        return True
    for n, item in enumerate(following):
        if item.tag == "ETM" and item.form in ("ᆯ", "을"):
            return n + 1 < len(following) and following[n + 1].form in _POSSIBLE
        auxiliary = n + 1 < len(following) and following[n + 1].tag == "VX"
        if item.tag in ("EF", "EC") and not auxiliary:
            return item.form.endswith(("까요", "까"))
    return False


def is_past(following: Sequence[Morpheme]) -> bool:
    """Return whether the verb at the beginning of `following` is in the past."""
    for n, item in enumerate(following):
        if item.tag == "EP" and item.form in ("었", "았"):
            # A wish: "올려 주셨으면 합니다".
            return following[n + 1].form != "으면" if n + 1 < len(following) else True
        if item.tag[0] in "NS" or item.tag in ("EF", "ETM"):
            return False
    return False


def is_negated(clause: Clause) -> bool:
    """Return whether something in the clause is negated: "반영되지 않으면"."""
    return any(m.form in _NOT or is_negation(m) for m in clause.items)


def is_negation(item: Morpheme) -> bool:
    """Return whether it is "안" or "못" before a verb."""
    return item.tag == "MAG" and item.form in _NEGATIONS


def _is_adverb(item: Morpheme) -> bool:
    return item.tag.startswith("MA") and not is_negation(item)


def _without_light_verbs(following: list[Morpheme]) -> list[Morpheme]:
    """Return what follows "하" and "되" and their tenses."""
    for n, item in enumerate(following):
        light = item.tag[0] == "V" and item.form in ("하", "되")
        if not light and item.tag not in ("EP", "XSV", "XSA", "XSN"):
            return following[n:]
    return []


def _verb_denied(following: list[Morpheme]) -> bool:
    """Return whether a verb is negated: "-지 않다", "-ㄴ 것은 아니다"."""
    forms = [m.form for m in following[:3]]
    if forms[0] in ("어서", "아서"):
        return len(following) > 1 and _is_not(following[1:])
    if forms[0] == "지":
        return len(forms) > 1 and forms[1] in _NOT
    if following[0].tag != "ETM" or len(following) < 3:
        return False
    if forms[1] in _SIGNS and following[2].form == "없":
        return True
    return forms[1] in _THINGS and _is_not(following[2:])


def _noun_denied(word: Morpheme, following: list[Morpheme]) -> bool:
    """Return whether a noun is negated: "장애는 아니다", "영향은 없다", "배포는 취소"."""
    if word.tag[0] not in "NSX":
        return _is_not(following)
    if is_negation(following[0]):
        return len(following) > 1 and following[1].form in _HAPPEN
    while len(following) > 1 and (following[0].form in _SIGNS or _is_needless(following)):
        following = following[1:]
    if following[0].form in _CALLED_OFF or _is_not(following):
        return True
    return following[0].tag[0] == "V" and following[0].form in ("없", "말")


def _is_needless(following: list[Morpheme]) -> bool:
    return following[0].form == "필요" and following[1].form == "없"


def _is_not(following: list[Morpheme]) -> bool:
    """Return whether it is "아니다", but not "아닌가요"."""
    if following[0].tag != "VCN":
        return False
    ending = following[1].form if len(following) > 1 else ""
    return not ending.endswith(("가요", "가", "까요", "나요"))
