"""From what a request says to its kind, category, priority and asked work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from guardia.agents.brain.triage_lexicon import Lexicon
from guardia.agents.brain.triage_reading import Hit, Reading

_NOUN_SHADOWS = frozenset(
    ["대비", "예방", "방지", "훈련", "교육", "여부", "시", "우려", "가능성", "매뉴얼", "이력", "통계", "보고서",
     "목록", "내역", "신고", "기준", "테스트", "모의", "대응", "유무", "기간", "일자", "코드"]
)
_WHAT = frozenset(["어떻게", "어떻", "어디", "언제", "며칠", "얼마", "무엇", "뭐", "몇", "차이", "방법", "절차", "법", "누구"])
_KIND_WEIGHT = 3.0


@dataclass(frozen=True, slots=True)
class Judgement:
    """A value and the words that led to it."""

    value: str
    because: str
    """Key of the reason in the catalogue, below ``triage.because``."""
    words: tuple[str, ...] = ()


class Rules:
    """The rules applied to one reading. ``kinds`` are the kinds of the named servers."""

    def __init__(self, reading: Reading, lexicon: Lexicon, kinds: Sequence[str]) -> None:
        self.reading = reading
        self.lexicon = lexicon
        self.kinds = kinds
        self.faults = self._faults()
        self.asked = list(self._asked_actions())

    # --- faults ------------------------------------------------------------------------------

    def _faults(self) -> list[Hit]:
        """Troubles that are there now."""
        facts = [h for h in self.reading.facts("fault.") if not self._talked_about(h)]
        calm = self.reading.facts("calm.now")
        if not calm:
            return facts
        last = max(h.clause for h in calm)
        return [h for h in facts if h.clause > last and not h.past and h.concept != "fault.weak"]

    def _talked_about(self, hit: Hit) -> bool:
        """The trouble is a topic ("장애 대비", "락은 어떻게 …"), not a report."""
        items = self.reading.clauses[hit.clause].items
        following = [m for m in items[hit.end : hit.end + 3] if m.tag[0] in "NX"]
        if following and following[0].form in _NOUN_SHADOWS:
            return True
        return any(m.form in _WHAT for m in items[hit.end :])

    # --- asked work --------------------------------------------------------------------------

    def _asked_actions(self) -> Iterator[Hit]:
        for hit in self.reading.all("action."):
            if hit.denied or hit.past or self._is_noun_of_other(hit):
                continue
            if self._wanted(hit):
                yield hit

    def _is_noun_of_other(self, hit: Hit) -> bool:
        """"배포 일정", "백업 시간", "재기동 방법": the word belongs to another."""
        items = self.reading.clauses[hit.clause].items
        following = items[hit.end] if hit.end < len(items) else None
        return following is not None and following.form in (
            "일정", "방법", "시간", "시각", "일시", "주기", "이력", "절차", "담당", "담당자", "서버", "결과", "실패",
            "후", "뒤", "이후", "중", "전", "때", "스케줄", "보관", "본", "파일", "정책", "로그", "내역", "에러", "오류", "설정",
        )

    def _wanted(self, hit: Hit) -> bool:
        clause = self.reading.clauses[hit.clause]
        if clause.question and self._asks_what(hit.clause):
            return False
        sentence = clause.sentence
        for want in self.reading.all("ask.do"):
            where = self.reading.clauses[want.clause]
            after = want.clause > hit.clause or want.end > hit.begin
            if where.sentence == sentence and after and not want.denied and want.clause - hit.clause <= 2:
                return not (where.question and self._asks_what(want.clause))
        return self._ends_bare(hit)

    def _ends_bare(self, hit: Hit) -> bool:
        """Telegram style: the sentence ends with the work itself."""
        items = self.reading.clauses[hit.clause].items
        return all(m.tag[0] in "SJ" or m.form in ("좀", "요", "건") for m in items[hit.end :])

    def _asks_what(self, clause: int) -> bool:
        return any(m.form in _WHAT for m in self.reading.clauses[clause].items)

    @property
    def action(self) -> str | None:
        """The work that the text asks for; of several the first, the most telling of one place."""
        if not self.asked:
            return None
        first = min(self.asked, key=lambda h: (h.clause, -(h.end - h.begin)))
        return first.concept.split(".")[1]

    # --- kind --------------------------------------------------------------------------------

    def kind(self) -> Judgement:
        """INCIDENT, CHANGE, QUESTION or REQUEST."""
        solid = [h for h in self.faults if h.concept not in ("fault.weak", "fault.locked")]
        if solid and not self._only_locked(solid):
            return _judge("INCIDENT", "fault", solid)
        changes = self._changes()
        if self.action == "DEPLOY" or changes:
            return _judge("CHANGE", "change", changes or self.asked)
        wishes = self._wishes()
        questions = self._questions()
        if questions and not self.asked and not self._wants_work(wishes):
            return _judge("QUESTION", "question", questions)
        if wishes or self.asked or self.reading.facts("fault.locked"):
            return _judge("REQUEST", "wish", self.asked or wishes)
        weak = self.reading.facts("fault.weak")
        if weak:
            return _judge("INCIDENT", "fault", weak)
        return _judge("REQUEST", "default", [])

    def _only_locked(self, solid: list[Hit]) -> bool:
        """Nothing but an account that somebody wants released."""
        locked = {h.clause for h in self.faults if h.concept == "fault.locked"}
        return bool(locked) and all(h.clause in locked for h in solid) and not self.wide()

    def _changes(self) -> list[Hit]:
        """Asked changes of what is installed or configured."""
        category = self.category().value
        if self.action not in (None, "DEPLOY"):
            return []
        found = []
        for hit in self.reading.all("ask.change"):
            if hit.denied or hit.past or not self._wanted(hit):
                continue
            if category in ("ACCOUNT", "GENERAL") and not self._object(hit):
                continue
            found.append(hit)
        return found

    def _object(self, hit: Hit) -> bool:
        return bool(self.reading.in_clause(hit.clause, "change.object"))

    def _wishes(self) -> list[Hit]:
        """Politeness and orders, but not "please answer"."""
        replies = {h.clause for h in self.reading.all("ask.reply", "when.wait")}
        return [
            h
            for h in self.reading.all("ask.do")
            if not h.denied
            and h.clause not in replies
            and not (self.reading.clauses[h.clause].question and self._asks_what(h.clause))
        ]

    def _questions(self) -> list[Hit]:
        return [
            h
            for h in self.reading.all("ask.info")
            if self.reading.clauses[h.clause].question or self.reading.in_clause(h.clause, "ask.curious")
        ]

    def _wants_work(self, wishes: list[Hit]) -> bool:
        return bool(wishes) and not self.reading.facts("ask.curious")

    # --- category ----------------------------------------------------------------------------

    def category(self) -> Judgement:
        """The field of work."""
        action = self.action
        if action in self.lexicon.categories:
            return _judge(self.lexicon.categories[action], "action", self.asked)
        scores: dict[str, float] = defaultdict(float)
        words: dict[str, list[Hit]] = defaultdict(list)
        if self.kinds:
            scores[self.kinds[0]] = _KIND_WEIGHT
        told = {h.clause for h in self.faults} | {h.clause for h in self.asked}
        for hit in self._topics():
            category = hit.concept.split(".")[1]
            weight = self.lexicon.weights[hit.concept]
            scores[category] += weight * (2 if hit.clause in told else 1)
            words[category].append(hit)
        if not scores:
            return _judge("GENERAL", "no_topic", [])
        best = max(scores, key=lambda c: scores[c])
        return _judge(best, "topic" if words[best] else "server", words[best])

    def _topics(self) -> list[Hit]:
        """Topic words, without those inside longer ones and those that are said to be well."""
        hits = self.reading.all("topic.")
        kept = []
        seen = set()
        for hit in hits:
            name = (hit.concept, hit.words)
            if name in seen or self._covered(hit, hits) or self._is_well(hit):
                continue
            seen.add(name)
            kept.append(hit)
        return kept

    def _covered(self, hit: Hit, hits: list[Hit]) -> bool:
        return any(
            o.clause == hit.clause
            and o.begin <= hit.begin
            and o.end >= hit.end
            and (o.end - o.begin) > (hit.end - hit.begin)
            for o in hits
        )

    def _is_well(self, hit: Hit) -> bool:
        well = self.reading.in_clause(hit.clause, "calm.component")
        bad = any(f.clause == hit.clause for f in self.faults)
        return not bad and any(w.begin >= hit.end and not w.denied for w in well)

    # --- priority ----------------------------------------------------------------------------

    def wide(self) -> list[Hit]:
        """Words that say that many are met."""
        return self.reading.facts("scope.wide", "scope.heavy")

    def priority(self, kind: str) -> Judgement:
        """P1 to P4."""
        wait = [h for h in self.reading.all("when.wait") if not h.denied]
        today = [h for h in self.reading.all("when.today") if not h.denied]
        later = [h for h in self.reading.all("when.later") if not h.denied]
        urgent = [h for h in self.reading.all("when.urgent") if not h.denied]
        if kind == "INCIDENT":
            return self._incident_priority(wait, today, later)
        if wait:
            return _judge("P4", "wait", wait)
        if today or (urgent and not later):
            return _judge("P2", "today", today or urgent)
        if later:
            return _judge("P3", "later", later)
        return _judge("P4" if kind == "QUESTION" else "P3", "normal", [])

    def _incident_priority(self, wait: list[Hit], today: list[Hit], later: list[Hit]) -> Judgement:
        facts = self.reading.facts
        breach = [h for h in self.faults if h.concept == "fault.breach"]
        if breach and not facts("calm.contained"):
            return _judge("P1", "breach", breach)
        down = [h for h in self.faults if h.concept == "fault.down"]
        works = facts("calm.works")
        if down and not works and (many := self.wide()):
            return _judge("P1", "outage", [*many, *down])
        if wait:
            return _judge("P4", "wait", wait)
        if today:
            return _judge("P2", "today", today)
        if one := facts("scope.one"):
            return _judge("P3", "one", one)
        if later:
            return _judge("P3", "later", later)
        if calm := facts("calm.noimpact"):
            return _judge("P3", "no_impact", calm)
        return _judge("P2", "degraded", self.faults)


def _judge(value: str, because: str, hits: Sequence[Hit]) -> Judgement:
    words = list(dict.fromkeys(h.words for h in hits if h.words))
    return Judgement(value, because, tuple(words[:3]))
