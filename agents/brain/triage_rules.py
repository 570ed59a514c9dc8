"""From what a request says to its kind, category, priority and asked work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from guardia.agents.brain.triage_lexicon import Lexicon
from guardia.agents.brain.triage_reading import Hit, Reading

_KIND_WEIGHT = 3.0
_BROKEN = ("fault.outage", "fault.down")
_SECURITY = ("fault.breach", "fault.attack")
_QUIET = ("fault.weak", "fault.waiting")

# After the name of a trouble these make it a topic of talk: "장애 대비", "감염 여부".
_SHADOWS = frozenset(
    ["대비", "예방", "방지", "훈련", "교육", "여부", "시", "우려", "가능성", "매뉴얼", "이력", "통계"]
    + ["보고서", "목록", "내역", "기준", "테스트", "모의", "유무", "관련", "대응책", "점검표"]
)
_ASKING_WORDS = frozenset(
    ["어떻게", "어떻", "어디", "언제", "며칠", "얼마", "무엇", "뭐", "뭘", "몇", "차이", "방법", "절차", "법"]
    + ["누구", "누가", "어느", "어떤"]
)
_CIRCUMSTANCES = frozenset(["후", "뒤", "이후", "직후"])


@dataclass(frozen=True, slots=True)
class Judgement:
    """A value, and the words that led to it."""

    value: str
    because: str
    """Key of the reason in the catalogue, below ``triage.because``."""
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rules:
    """The rules applied to one reading. ``kinds`` are the kinds of the named servers, in order."""

    reading: Reading
    lexicon: Lexicon
    kinds: Sequence[str]

    # --- troubles ----------------------------------------------------------------------------

    @cached_property
    def faults(self) -> list[Hit]:
        """Troubles that are there now."""
        facts = [h for h in self.reading.facts("fault.") if not self._talked_about(h)]
        quiet = [h for h in facts if h.concept in _QUIET]
        facts = [h for h in facts if h.concept in _QUIET or not _inside(h, quiet)]
        calm = self.reading.facts("calm.now")
        if calm:
            last = max(h.clause for h in calm)
            facts = [h for h in facts if h.clause > last and not h.past]
        return facts

    def _talked_about(self, hit: Hit) -> bool:
        """The trouble is a topic ("장애 대비", "락은 어떻게 …"), not a report."""
        for item in self.reading.clauses[hit.clause].items[hit.end :]:
            if item.tag[0] not in "NX" and item.form not in _ASKING_WORDS:
                break
            if item.form in _SHADOWS:
                return True
        return self._asks_what(hit.clause, hit.end) or self._only_curious(hit)

    def _only_curious(self, hit: Hit) -> bool:
        """The sentence wants to know, or asks what would follow, and no work is wished."""
        clause = self.reading.clauses[hit.clause]
        same = [n for n, c in enumerate(self.reading.clauses) if c.sentence == clause.sentence]
        if clause.question and any(self.reading.clauses[n].conditional for n in same):
            return True
        curious = any(h.clause in same for h in self.reading.facts("ask.curious"))
        return curious and not self.wishes and not self.reading.all("when.urgent")

    def _asks_what(self, clause: int, begin: int = 0) -> bool:
        items = self.reading.clauses[clause].items[begin:]
        return any(m.form in _ASKING_WORDS for m in items)

    # --- wishes ------------------------------------------------------------------------------

    @cached_property
    def wishes(self) -> list[Hit]:
        """Politeness and orders, but not "please answer" and not "when you have time"."""
        replies = self.reading.all("ask.reply", "when.wait", "when.anytime")
        return [
            h
            for h in self.reading.all("ask.do")
            if not h.denied
            and not any(r.clause == h.clause for r in replies)
            and not (self.reading.clauses[h.clause].question and self._asks_what(h.clause))
        ]

    def _wanted(self, hit: Hit) -> bool:
        """The work of ``hit`` is wished, not told, denied or asked about."""
        clause = self.reading.clauses[hit.clause]
        if hit.denied or hit.past or self._belongs_to_other(hit):
            return False
        if clause.question and self._asks_what(hit.clause):
            return False
        for wish in self.reading.all("ask.do"):
            where = self.reading.clauses[wish.clause]
            near = wish.clause == hit.clause and wish.end > hit.begin
            near = near or 0 < wish.clause - hit.clause <= 2
            if near and where.sentence == clause.sentence and not wish.denied:
                return not (where.question and self._asks_what(wish.clause))
        return self._ends_bare(hit)

    def _belongs_to_other(self, hit: Hit) -> bool:
        """The next noun takes the word for itself: "배포 일정", "백업 실패"."""
        items = self.reading.clauses[hit.clause].items
        following = items[hit.end] if hit.end < len(items) else None
        if following is None or following.tag not in ("NNG", "NNP", "NNB", "ETM"):
            return False
        return following.form not in self.lexicon.followers

    def _ends_bare(self, hit: Hit) -> bool:
        """Telegram style: the sentence ends with the work itself."""
        items = self.reading.clauses[hit.clause].items
        return all(m.tag[0] in "SJ" or m.form in ("좀", "요", "건") for m in items[hit.end :])

    # --- asked work --------------------------------------------------------------------------

    @cached_property
    def asked(self) -> list[Hit]:
        """The named work that the text asks for."""
        found = [h for h in self.reading.all("action.") if self._wanted(h)]
        found = [h for h in found if not self._not_meant(h)]
        if found:
            return found
        top = self._best_topic()
        return [
            h
            for h in self.reading.all("short.")
            if self.lexicon.categories[_action(h)] == top and self._wanted(h)
        ]

    def _not_meant(self, hit: Hit) -> bool:
        """A new version of the platform is no deployment, a locked account no database lock."""
        if _action(hit) == "DEPLOY" and "배포" not in hit.words:
            return bool(self.reading.all("change.platform"))
        return _action(hit) == "KILL_QUERY" and bool(self.reading.facts("fault.waiting"))

    @property
    def action(self) -> str | None:
        """The action type asked for; of several in one place the most telling."""
        if not self.asked:
            return None
        return _action(min(self.asked, key=lambda h: (h.clause, h.begin - h.end)))

    # --- kind --------------------------------------------------------------------------------

    def kind(self) -> Judgement:
        """INCIDENT, CHANGE, QUESTION or REQUEST."""
        solid = [h for h in self.faults if h.concept not in _QUIET]
        waiting = [h for h in self.faults if h.concept == "fault.waiting"]
        if solid or (waiting and self.wide):
            return _judge("INCIDENT", "fault", solid or waiting)
        if changes := self._changes():
            return _judge("CHANGE", "change", changes)
        weak = [h for h in self.faults if h.concept == "fault.weak"]
        if weak and (not self.asked or self.reading.facts("when.today")):
            return _judge("INCIDENT", "fault", weak)
        questions = self._questions()
        if questions and not self.asked and not self._wants_work():
            return _judge("QUESTION", "question", questions)
        if self.asked or self.wishes or waiting:
            return _judge("REQUEST", "wish", self.asked or self.wishes or waiting)
        return _judge("REQUEST", "default", [])

    def _changes(self) -> list[Hit]:
        """Asked changes of what is installed or configured."""
        if self.action == "DEPLOY":
            return self.asked
        if self.action is not None:
            return []
        names = ("ask.change", "ask.change_server") if self.kinds else ("ask.change",)
        found = [h for h in self.reading.hits if h.concept in names and self._wanted(h)]
        if self.category().value in ("ACCOUNT", "GENERAL"):
            found = [h for h in found if self.reading.in_clause(h.clause, "change.object")]
        return found

    def _questions(self) -> list[Hit]:
        asking = {n for n, c in enumerate(self.reading.clauses) if c.question}
        asking |= {h.clause for h in self.reading.facts("ask.curious", "ask.reply")}
        return [h for h in self.reading.all("ask.info") if asking & {h.clause, h.clause + 1}]

    def _wants_work(self) -> bool:
        return bool(self.wishes) and not self.reading.facts("ask.curious")

    # --- category ----------------------------------------------------------------------------

    def category(self) -> Judgement:
        """The field of work."""
        decided = self.lexicon.categories.get(self.action or "")
        if decided:
            return _judge(decided, "action", self.asked)
        best = self._best_topic()
        words = [h for h in self._topics if h.concept.startswith(f"topic.{best}.")]
        return _judge(best, "topic" if words else "server" if self.kinds else "no_topic", words)

    def _best_topic(self) -> str:
        scores: dict[str, float] = defaultdict(float)
        if self.kinds:
            scores[self.kinds[0]] = _KIND_WEIGHT
        told = {h.clause for h in self.faults} | {h.clause for h in self.wishes}
        for hit in self._topics:
            # In Korean the head of a phrase comes last: "와이파이 계정 발급" is about an account.
            weight = self.lexicon.weights[hit.concept] + 0.05 * hit.begin
            scores[hit.concept.split(".")[1]] += weight * (2 if hit.clause in told else 1)
        if any(h.concept in _SECURITY for h in self.faults):
            scores["SECURITY"] += 10
        return max(scores, key=lambda c: scores[c]) if scores else "GENERAL"

    @cached_property
    def _topics(self) -> list[Hit]:
        """Topic words, each once, without those inside longer ones and those said to be well."""
        hits = self.reading.all("topic.")
        found = {(h.concept, h.words): h for h in reversed(hits)}
        return [
            h
            for h in hits
            if found[h.concept, h.words] is h
            and not _inside(h, hits)
            and not self._is_well(h)
            and not self._is_circumstance(h)
        ]

    def _is_well(self, hit: Hit) -> bool:
        well = self.reading.in_clause(hit.clause, "calm.component")
        bad = any(f.clause == hit.clause for f in self.faults)
        return not bad and any(w.begin >= hit.end and not w.denied for w in well)

    def _is_circumstance(self, hit: Hit) -> bool:
        """"배포 후 오류": when it happened, not what it is."""
        rest = [m for m in self.reading.clauses[hit.clause].items[hit.end :] if m.tag[0] not in "XE"]
        return bool(rest) and rest[0].form in _CIRCUMSTANCES

    # --- priority ----------------------------------------------------------------------------

    @property
    def wide(self) -> list[Hit]:
        """Words that say that many are met."""
        return self.reading.facts("scope.wide", "scope.heavy")

    def priority(self, kind: str) -> Judgement:
        """P1 to P4."""
        wait = self._times("when.wait")
        later = self._times("when.later")
        today = [h for h in self._times("when.today") if not self._told(h)]
        if kind == "INCIDENT" and (judgement := self._first_priority()):
            return judgement
        if wait or (not later and (wait := self._times("when.anytime"))):
            return _judge("P4", "wait", wait)
        if today:
            return _judge("P2", "today", today)
        if kind == "INCIDENT":
            return self._lower_priority(later)
        if not later and (urgent := self._times("when.urgent")):
            return _judge("P2", "urgent", urgent)
        if later:
            return _judge("P3", "later", later)
        return _judge("P4" if kind == "QUESTION" else "P3", "normal", [])

    def _times(self, concept: str) -> list[Hit]:
        return [h for h in self.reading.all(concept) if not h.denied]

    def _told(self, hit: Hit) -> bool:
        """The day belongs to what happened, not to what is wanted."""
        items = self.reading.clauses[hit.clause].items[hit.begin :]
        wished = any(w.clause == hit.clause for w in self.reading.all("ask.do"))
        return not wished and any(m.tag == "EP" and m.form == "었" for m in items)

    def _first_priority(self) -> Judgement | None:
        """P1 where the service is down for many or somebody is in."""
        facts = self.reading.facts
        breach = [h for h in self.faults if h.concept == "fault.breach"]
        if breach and not facts("calm.contained"):
            return _judge("P1", "breach", breach)
        if facts("calm.works") or self.reading.facts("calm.noimpact"):
            return None
        down = self._broken()
        if down and self.wide:
            return _judge("P1", "outage", [*self.wide, *down])
        outage = [h for h in down if h.concept == "fault.outage"]
        if outage and self.kinds and not facts("scope.one", "scope.some", "when.wait", "when.later"):
            return _judge("P1", "outage", outage)
        return None

    def _broken(self) -> list[Hit]:
        """Troubles that leave nothing working: also "every screen shows an error"."""
        wide = {h.clause for h in self.wide}
        some = {h.clause for h in self.reading.facts("scope.some")}
        return [
            h
            for h in self.faults
            if h.clause not in some
            and (
                h.concept in (*_BROKEN, "fault.waiting")
                or (h.concept == "fault.error" and h.clause in wide)
            )
        ]

    def _lower_priority(self, later: list[Hit]) -> Judgement:
        facts = self.reading.facts
        if one := facts("scope.one"):
            return _judge("P3", "one", one)
        if later:
            return _judge("P3", "later", later)
        if calm := facts("calm.noimpact"):
            return _judge("P3", "no_impact", calm)
        return _judge("P2", "degraded", self.faults)


def _action(hit: Hit) -> str:
    return hit.concept.split(".")[1]


def _inside(hit: Hit, others: Iterable[Hit]) -> bool:
    """A longer hit covers ``hit``."""
    return any(
        o.clause == hit.clause
        and o.begin <= hit.begin
        and o.end >= hit.end
        and o.end - o.begin > hit.end - hit.begin
        for o in others
    )


def _judge(value: str, because: str, hits: Sequence[Hit]) -> Judgement:
    words = dict.fromkeys(h.words for h in hits if h.words)
    return Judgement(value, because, tuple(words)[:3])
