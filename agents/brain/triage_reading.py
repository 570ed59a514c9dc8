"""What a request says: which concepts of the lexicon stand in which clause, denied or only supposed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from guardia.agents.brain.triage_lexicon import Lexicon, Match
from guardia.agents.brain.triage_text import Clause, clauses
from guardia.knowledge.korean import Morpheme

_THINGS = frozenset(["것", "거", "건", "게", "줄", "일", "상황", "상태"])
_SIGNS = frozenset(
    [
        "정황",
        "흔적",
        "사실",
        "징후",
        "증상",
        "상황",
        "사례",
        "기록",
        "건",
        "발생",
        "것",
        "거",
        "현상",
        "문제",
        "상태",
        "우려",
    ]
)
_CALLED_OFF = frozenset(["취소", "보류", "연기", "철회", "미루"])
_HAPPEN = frozenset(["하", "되", "나", "나오", "생기", "발생", "일어나", "시키"])
_NOT = frozenset(["않", "말", "못하", "못", "아니하"])
_POSSIBLE = frozenset(
    [
        "수",
        "것",
        "거",
        "듯",
        "듯하",
        "지",
        "가능성",
        "우려",
        "위험",
        "때",
        "경우",
        "시",
        "까",
        "뻔",
        "정도",
    ]
)


@dataclass(frozen=True, slots=True)
class Hit:
    """A concept said in a clause."""

    concept: str
    clause: int
    begin: int
    end: int
    words: str
    """As the sender wrote it."""
    denied: bool
    """"… is not", "do not …"."""
    supposed: bool
    """A condition, a possibility, a topic of talk: not a fact."""
    past: bool

    @property
    def holds(self) -> bool:
        """It is said as a fact."""
        return not self.denied and not self.supposed


@dataclass(frozen=True)
class Reading:
    """All hits of a text."""

    clauses: tuple[Clause, ...]
    hits: tuple[Hit, ...]

    def all(self, *prefixes: str) -> list[Hit]:
        """The hits of these concepts, in order."""
        return [h for h in self.hits if h.concept.startswith(prefixes)]

    def facts(self, *prefixes: str) -> list[Hit]:
        """The hits of these concepts that are said as facts."""
        return [h for h in self.all(*prefixes) if h.holds]

    def in_clause(self, clause: int, *prefixes: str) -> list[Hit]:
        """The hits of these concepts in one clause."""
        return [h for h in self.all(*prefixes) if h.clause == clause]


def read(text: str, lexicon: Lexicon) -> Reading:
    """The reading of ``text``, which is free of strangers' words already."""
    parts = tuple(clauses(text))
    hits = [
        _hit(match, number, part, text)
        for number, part in enumerate(parts)
        for match in lexicon.matches(part.items)
    ]
    hits += _across(parts, text, lexicon)
    return Reading(parts, tuple(_after_conditions(_distinct(hits), parts)))


def _across(parts: Sequence[Clause], text: str, lexicon: Lexicon) -> Iterator[Hit]:
    """Work whose object stands in the clause before its verb: "쿼리가 도는데 죽여 주세요"."""
    for number in range(1, len(parts)):
        before, part = parts[number - 1], parts[number]
        if before.sentence != part.sentence:
            continue
        shift = len(before.items)
        both = replace(part, items=before.items + part.items)
        for match in lexicon.matches(both.items):
            if match.pattern.concept.startswith("action.") and match.begin < shift < match.end:
                hit = _hit(match, number, both, text)
                yield replace(hit, begin=0, end=hit.end - shift)


def _distinct(hits: Iterable[Hit]) -> list[Hit]:
    """One hit for each concept and place."""
    kept = {(h.concept, h.clause, h.begin, h.end): h for h in hits}
    return sorted(kept.values(), key=lambda h: (h.clause, h.begin, h.end))


def _after_conditions(hits: list[Hit], parts: Sequence[Clause]) -> Iterator[Hit]:
    """What follows only if a trouble happens has not happened either."""
    troubled = {
        (parts[h.clause].sentence, h.clause)
        for h in hits
        if h.concept.startswith("fault.") and parts[h.clause].conditional
    } | {
        (part.sentence, number)
        for number, part in enumerate(parts)
        if part.conditional and any(m.form in _NOT | {"안"} for m in part.items)
    }
    for hit in hits:
        sentence = parts[hit.clause].sentence
        follows = any(s == sentence and c < hit.clause for s, c in troubled)
        if follows and hit.concept.startswith(("fault.", "scope.")):
            yield replace(hit, supposed=True)
        else:
            yield hit


def _hit(match: Match, number: int, clause: Clause, text: str) -> Hit:
    items, begin, end = clause.items, match.begin, match.end
    last = items[end - 1]
    stop = items[end].start if end < len(items) else last.start + len(last.form)
    return Hit(
        concept=match.pattern.concept,
        clause=number,
        begin=begin,
        end=end,
        words=_surface(text, items[begin].start, max(stop, last.start + 1)),
        denied=_denied(items, begin, end),
        supposed=_supposed(clause, end),
        past=_past(items[end:]),
    )


def _past(rest: Sequence[Morpheme]) -> bool:
    """The verb that the hit belongs to is in the past."""
    for item in rest:
        if item.tag == "EP" and item.form in ("었", "았"):
            return True
        if item.tag[0] in "NS" or item.tag in ("EF", "ETM"):
            return False
    return False


def _surface(text: str, begin: int, stop: int) -> str:
    """The written words around ``text[begin:stop]``, up to white space."""
    while stop < len(text) and not text[stop].isspace() and not text[stop - 1].isspace():
        stop += 1
    return text[begin:stop].strip(" \n.,!?~()")


def _denied(items: Sequence[Morpheme], begin: int, end: int) -> bool:
    before = items[begin - 1] if begin else None
    if (
        before
        and before.form in ("안", "못")
        and before.tag == "MAG"
        and items[begin].tag[0] == "V"
    ):
        return True
    rest = [m for m in items[end : end + 9] if m.tag[0] not in "JS" and not _adverb(m)]
    rest = _past_light_verbs(rest)
    if not rest:
        return False
    forms = [m.form for m in rest]
    if forms[0] == "지":
        return len(forms) > 1 and forms[1] in _NOT
    if rest[0].tag == "ETM" and len(rest) > 2 and forms[1] in _THINGS:
        return rest[2].tag == "VCN"
    if forms[0] in ("안", "못") and rest[0].tag == "MAG":
        happens = len(forms) > 1 and forms[1] in _HAPPEN
        return happens and items[end - 1].tag.startswith("N")
    nominal = items[end - 1].tag[0] in "NSX"
    if nominal:
        while len(rest) > 1 and (forms[0] in _SIGNS or forms[:2] == ["필요", "없"]):
            rest, forms = rest[1:], forms[1:]
    if nominal and forms[0] in _CALLED_OFF:
        return True
    return rest[0].tag == "VCN" or (nominal and forms[0] in ("없", "말") and rest[0].tag[0] == "V")


def _adverb(item: Morpheme) -> bool:
    return item.tag.startswith("MA") and item.form not in ("안", "못")


def _past_light_verbs(rest: list[Morpheme]) -> list[Morpheme]:
    i = 0
    while i < len(rest) and (
        rest[i].tag in ("EP", "XSV", "XSA", "XSN")
        or (rest[i].form in ("하", "되") and rest[i].tag[0] == "V")
    ):
        i += 1
    return rest[i:]


def _supposed(clause: Clause, end: int) -> bool:
    if clause.conditional:
        return True
    rest = [m for m in clause.items[end:] if m.tag[0] not in "S"]
    for i, item in enumerate(rest):
        if item.tag == "ETM" and item.form in ("ᆯ", "을"):
            return i + 1 < len(rest) and rest[i + 1].form in _POSSIBLE
        if item.tag in ("EF", "EC"):
            return item.form.endswith(("까요", "까"))
    return False
