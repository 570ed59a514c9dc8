"""Compare a composed sentence with the passage that it cites.

A sentence is shown only if the passage says it: every number with its unit and what it counts,
every name and foreign word, each predicate with the same negation, no opposite, and most of its
words.
What is in doubt is refused: people then read the passages themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from guardia.knowledge.korean import Morpheme, canonical, morphemes
from guardia.knowledge.retrieval.quoting import sentences

_MOST_NEW = 0.34
"""Share of a sentence's content words that the passage need not have: connecting words."""
_NUMBER = re.compile(r"(\d+(?:[.,:]\d+)*)\s*([%A-Za-z가-힣]?)")
_NOUNS = frozenset(["NNG", "NNP", "XR", "SL", "SH", "W_SERIAL"])
_NAMES = frozenset(["NNP", "SL", "W_SERIAL"])
_VERBS = frozenset(["VV", "VA"])
_MAKES_VERB = frozenset(["XSV", "XSA"])
_LIGHT = frozenset(["하", "되", "있", "이", "주", "보", "시키", "받"])
_NO = frozenset(["안", "못"])
_NOT = frozenset(["않", "못하", "말"])
_NONE = frozenset(["없", "아니"])
_FORBIDDEN = frozenset(["금지", "불가", "제외", "불필요", "생략"])
_REACH = 4
"""Morphemes after a predicate within which it is negated: endings and particles."""
_NUMERALS = {
    "하나": "1", "한": "1", "둘": "2", "두": "2", "셋": "3", "세": "3", "넷": "4", "네": "4",
    "다섯": "5", "여섯": "6", "일곱": "7", "여덟": "8", "아홉": "9", "열": "10",
    "하루": "1", "이틀": "2", "사흘": "3", "나흘": "4", "절반": "50",
}  # fmt: skip
# A sentence with one side of a pair says the contrary of a passage that only has the other side.
_OPPOSITES = tuple(
    (frozenset(one.split()), frozenset(other.split()))
    for one, other in (
        ("늘리 증가 높이 확장 추가 늘", "줄이 감소 낮추 축소 제거 줄"),
        ("켜 활성 시작 기동", "끄 비활성 중지 종료"),
        ("허용 열 승인", "차단 거부 막 닫 금하 반려"),
        ("전 먼저 이전 앞", "후 나중 이후 뒤 다음"),
        ("이상 초과 넘", "이하 미만"),
        ("성공 정상", "실패 비정상"),
        ("올리 업로드", "내리 내려받 다운로드"),
        ("삭제 지우", "보존 남기 보관 비우"),
        ("연결 붙이", "분리 떼 끊"),
        ("매일 날마다", "매주 매월 매달 분기"),
        ("평일 주중", "주말 휴일"),
        ("오전 아침 낮 주간", "오후 저녁 밤 야간"),
        ("필수 반드시", "선택 임의"),
    )
)


def is_supported(sentence: str, passage: str) -> bool:
    """Return whether a passage says what a sentence says."""
    said, source = morphemes(sentence), morphemes(passage)
    words, known = _forms(said), _forms(source)
    return bool(_content(said)) and not any(
        (
            _counted(sentence, said) - _counted(passage, source),
            _misplaced(said, source),
            {canonical(m.form) for m in said if m.tag in _NAMES} - known,
            _changes_negation(_predicates(said), _predicates(source)),
            _contradicts(words, known) or _contradicts(words, _nearest(_content(said), passage)),
            _share_new(_content(said), known) > _MOST_NEW,
        )
    )


def checked(
    answer: Iterable[tuple[str, int]], passages: dict[int, str]
) -> tuple[tuple[str, int], ...]:
    """Return the sentences if each is supported by the passage that it cites, or nothing."""
    kept = tuple(answer)
    sound = (number in passages and is_supported(text, passages[number]) for text, number in kept)
    return kept if all(sound) else ()


def _counted(text: str, words: Sequence[Morpheme]) -> set[tuple[str, str]]:
    """Return numbers, each with the first letter of its unit; and written numerals."""
    digits = {(m[1].replace(",", "").rstrip(".:"), m[2].lower()) for m in _NUMBER.finditer(text)}
    written = {
        (_NUMERALS[m.form], "")
        for m in words
        if m.form in _NUMERALS and m.tag in ("NR", "MM", "NNG")
    }
    return digits | written


def _misplaced(said: Sequence[Morpheme], source: Sequence[Morpheme]) -> bool:
    """Return whether a number counts something else than in the passage."""
    counts = _counts(source)
    known = {noun for noun, _ in counts}
    return any(noun in known and (noun, n) not in counts for noun, n in _counts(said))


def _counts(words: Sequence[Morpheme]) -> set[tuple[str, str]]:
    """Return each number with the noun that comes before it."""
    found, noun = set(), ""
    for word in words:
        if word.tag == "SN":
            if noun:
                found.add((noun, word.form))
        elif word.tag in _NOUNS:
            noun = canonical(word.form)
    return found


def _predicates(words: Sequence[Morpheme]) -> dict[str, set[bool]]:
    """Return each predicate, and whether it occurs affirmed (`False`) and negated (`True`)."""
    found: dict[str, set[bool]] = {}
    for at, word in enumerate(words):
        is_verb = word.tag in _VERBS and word.form not in _LIGHT | _NONE
        if is_verb or word.tag in _NOUNS:
            found.setdefault(canonical(word.form), set()).add(_is_negated(words, at))
    return found


def _is_negated(words: Sequence[Morpheme], at: int) -> bool:
    if at and words[at - 1].tag == "MAG" and words[at - 1].form in _NO:
        return True
    for word in words[at + 1 : at + 1 + _REACH]:
        if word.form in _NOT and word.tag in ("VX", "VV"):
            return True
        if word.form in _NONE | _FORBIDDEN or (word.tag == "MAG" and word.form in _NO):
            return True
        if word.tag in _NOUNS or (word.tag in _VERBS and word.form not in _LIGHT):
            return False
        if word.tag in ("SF", "SP"):
            return False
    return False


def _changes_negation(said: dict[str, set[bool]], source: dict[str, set[bool]]) -> bool:
    """Return whether a predicate is negated on one side only, or negated out of nothing."""
    return any(
        not kinds <= source[word] if word in source else True in kinds
        for word, kinds in said.items()
    )


def _nearest(content: set[str], passage: str) -> set[str]:
    """Return the words of the passage's sentence that shares most with what is said."""
    pieces = [_forms(morphemes(passage[begin:end])) for begin, end in sentences(passage)]
    return max(pieces, key=lambda words: len(words & content), default=set())


def _contradicts(said: set[str], source: set[str]) -> bool:
    for one, other in _OPPOSITES:
        for here, there in ((one, other), (other, one)):
            if said & here and not source & here and source & there:
                return True
    return False


def _content(words: Sequence[Morpheme]) -> set[str]:
    return {
        canonical(m.form)
        for m in words
        if m.tag in _NOUNS or (m.tag in _VERBS and m.form not in _LIGHT)
    }


def _share_new(said: set[str], known: set[str]) -> float:
    return len(said - known) / len(said)


def _forms(words: Sequence[Morpheme]) -> set[str]:
    return {canonical(m.form) for m in words}
