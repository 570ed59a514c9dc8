"""From what a request says to its kind, category, priority and asked work."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from guardia.agents.brain.triage_lexicon import Lexicon
from guardia.agents.brain.triage_reading import Hit, Reading
from guardia.agents.brain.triage_text import Clause

_KIND_WEIGHT = 5.0
_BROKEN = ("fault.outage", "fault.down")
_QUIET = ("fault.weak", "fault.waiting")

# After the name of a trouble these make it a topic of talk: "장애 대비", "감염 여부".
_SHADOWS = frozenset(
    [
        "대비",
        "예방",
        "방지",
        "훈련",
        "교육",
        "여부",
        "시",
        "우려",
        "가능성",
        "매뉴얼",
        "이력",
        "통계",
    ]
    + [
        "보고서",
        "목록",
        "내역",
        "기준",
        "테스트",
        "모의",
        "유무",
        "관련",
        "대응책",
        "점검표",
        "유형",
        "집계",
        "건수",
        "현황",
        "패턴",
    ]
)
_ASKING_WORDS = frozenset(
    [
        "어떻게",
        "어떻",
        "어디",
        "언제",
        "며칠",
        "얼마",
        "무엇",
        "뭐",
        "뭘",
        "몇",
        "차이",
        "방법",
        "절차",
        "법",
    ]
    + ["누구", "누가", "어느", "어떤", "얼마나"]
)
_REASONS = frozenset(["어서", "아서", "니까", "으니까", "느라", "느라고"])
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
        if self._asks_what(hit.clause, hit.end) or self._only_curious(hit):
            return True
        if self._idly_asked(hit):
            return True
        changes = self.reading.in_clause(hit.clause, "ask.change", "action.DEPLOY")
        return any(c.begin >= hit.end and self._wanted(c) for c in changes)

    def _idly_asked(self, hit: Hit) -> bool:
        """ "배포하면 끊기나요? 급하지 않아요": whether, not that."""
        clause = self.reading.clauses[hit.clause]
        if not clause.question or any(m.form == "왜" for m in clause.items):
            return False
        return bool(self.reading.facts("ask.curious") or self._times("when.wait"))

    def _only_curious(self, hit: Hit) -> bool:
        """The sentence wants to know, or asks what would follow, and no work is wished."""
        clause = self.reading.clauses[hit.clause]
        same = [n for n, c in enumerate(self.reading.clauses) if c.sentence == clause.sentence]
        if clause.question and any(self.reading.clauses[n].conditional for n in same):
            return True
        curious = any(h.clause in same for h in self.reading.facts("ask.curious"))
        idle = not self.wishes and not self.reading.facts("when.urgent")
        return curious and (idle or hit.past)

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
            and not self.reading.clauses[h.clause].conditional
            and not (self.reading.clauses[h.clause].question and self._asks_what(h.clause))
        ]

    def _wanted(self, hit: Hit) -> bool:
        """The work of ``hit`` is wished, not told, denied or asked about."""
        clause = self.reading.clauses[hit.clause]
        if hit.denied or hit.past or self._belongs_to_other(hit) or self._describes(hit):
            return False
        if clause.question and self._asks_what(hit.clause):
            return False
        if _ending(clause) in _REASONS:
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
        if following and following.tag == "JKB" and hit.concept == "ask.change":
            return following.form in ("로", "으로")
        if following is None or following.tag not in ("NNG", "NNP", "NNB", "ETM"):
            return False
        return following.form not in self.lexicon.followers

    def _describes(self, hit: Hit) -> bool:
        """ "등록된 정책": the word describes the next noun."""
        rest = self.reading.clauses[hit.clause].items[hit.end :]
        rest = [
            m for m in rest[:3] if m.tag not in ("XSV", "XSA", "EP") and m.form not in ("하", "되")
        ]
        return bool(rest) and rest[0].tag == "ETM" and rest[0].form in ("ᆫ", "은", "는", "던")

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
        if release := self._release():
            return _judge("REQUEST", "wish", release)
        if asked := self._patient_question():
            return _judge("QUESTION", "question", asked)
        if solid or (waiting and (self.wide or not (self.wishes or self.asked))):
            return _judge("INCIDENT", "fault", solid or waiting)
        changes = self._changes()
        reported = self._reported()
        if changes and not (reported and all(self._is_bare(h) for h in changes)):
            return _judge("CHANGE", "change", changes)
        weak = [h for h in self.faults if h.concept == "fault.weak"]
        if weak and (self.reading.facts("when.today") or self._wants_remedy()):
            return _judge("INCIDENT", "fault", weak)
        if reported:
            return _judge("INCIDENT", "reported", reported)
        questions = self._questions()
        if questions and not self.asked and not self._wants_work():
            return _judge("QUESTION", "question", questions)
        if self.asked or self.wishes or waiting:
            return _judge("REQUEST", "wish", self.asked or self.wishes or waiting)
        if questions or any(c.question for c in self.reading.clauses):
            return _judge("QUESTION", "question", questions)
        return _judge("REQUEST", "default", [])

    def _release(self) -> list[Hit]:
        """The wish to be let in again to an account; not where many are shut out."""
        if self.wide or self._best_topic() != "ACCOUNT":
            return []
        return [h for h in self.reading.all("ask.release") if self._wanted(h)]

    def _patient_question(self) -> list[Hit]:
        """ "… 막혀요, 신청은 어디로 하나요? 급하지 않아요": to know is enough."""
        if self.wishes or self.asked or not self._times("when.wait") or self._first_priority():
            return []
        asking = [
            n for n, c in enumerate(self.reading.clauses) if c.question and self._asks_what(n)
        ]
        return [h for h in self.reading.all("ask.info") if h.clause in asking]

    def _wants_remedy(self) -> bool:
        return not self.asked and all(self._is_remedy(w) for w in self.wishes)

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

    def _reported(self) -> list[Hit]:
        """Statements about the state of something, with no wish but that somebody look after it.

        The words for trouble are countless; a report that asks for "확인", "조치" or nothing at all
        is one even where the lexicon knows none of its words.
        """
        if self._questions() or not self._wants_remedy():
            return []
        if self.reading.facts("calm.now", "fault.waiting"):
            return []
        return [h for h in self._topics if self._states(h.clause)]

    def _is_remedy(self, wish: Hit) -> bool:
        forms = {m.form for m in self.reading.clauses[wish.clause].items[: wish.end]}
        if forms & self.lexicon.remedies:
            return True
        return self._is_bare(wish) and not self.reading.in_clause(wish.clause, "ask.change")

    def _is_bare(self, hit: Hit) -> bool:
        """The clause names no object: "이번 주 내로 수정 부탁드립니다"."""
        said = self.reading.in_clause(hit.clause, "when.", "ask.do", "scope.", "ask.change")
        return not any(
            m.tag in ("NNG", "NNP") and not any(h.begin <= n < h.end for h in said)
            for n, m in enumerate(self.reading.clauses[hit.clause].items)
        )

    def _states(self, clause: int) -> bool:
        """The clause states something that is not benign."""
        part = self.reading.clauses[clause]
        if part.conditional or part.question:
            return False
        if self.reading.in_clause(clause, "ask.", "when.wait", "when.later", "calm."):
            return False
        verbs = [
            m.form
            for before, m in zip((None, *part.items), part.items, strict=False)
            if m.tag in ("VV", "VA") or (m.tag == "NNG" and before is not None)
            if m.form not in self.lexicon.benign
        ]
        ends = part.items[-1].tag in ("EF", "EC", "SF") or clause + 1 == len(self.reading.clauses)
        predicate = any(m.tag in ("VV", "VA", "XSV", "XSA") for m in part.items)
        negated = any(m.form in ("안", "못") and m.tag == "MAG" for m in part.items)
        return (bool(verbs) or negated) and ends and predicate

    def _questions(self) -> list[Hit]:
        asking = {n for n, c in enumerate(self.reading.clauses) if c.question}
        asking |= {h.clause for h in self.reading.facts("ask.curious", "ask.reply")}
        return [h for h in self.reading.all("ask.info") if asking & {h.clause, h.clause + 1}]

    def _wants_work(self) -> bool:
        if self._pleases():
            return True
        return bool(self.wishes) and not self.reading.facts("ask.curious")

    def _pleases(self) -> bool:
        """ "… 해 주실 수 있나요": asked as a question, meant as a wish."""
        replies = {h.clause for h in self.reading.all("ask.reply")}
        return any(h.clause not in replies for h in self.reading.facts("ask.please"))

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
        if any(h.concept in ("fault.breach", "fault.attack") for h in self.faults):
            return "SECURITY"
        scores: dict[str, float] = defaultdict(float)
        if self.kinds:
            scores[self.kinds[0]] = _KIND_WEIGHT
        told = {h.clause for h in (*self.faults, *self.wishes, *self._questions())}
        if not self.faults:
            told |= {h.clause for h in self._topics if self._states(h.clause)}
        for hit in self._topics:
            # In Korean the head of a phrase comes last: "와이파이 계정 발급" is about an account.
            weight = self.lexicon.weights[hit.concept] + 0.05 * hit.begin
            weight *= 2 if hit.clause in told else 1
            category = _category(hit)
            if category == "SAME":
                if not self.kinds:
                    continue
                category = self.kinds[0]
            # The most telling word counts; many faint ones do not outweigh it.
            more, less = max(scores[category], weight), min(scores[category], weight)
            scores[category] = more + 0.25 * less
        return max(scores, key=lambda c: scores[c]) if scores else "GENERAL"

    @cached_property
    def _topics(self) -> list[Hit]:
        """Topic words, each once, without those inside longer ones and those said to be well."""
        hits = sorted(self.reading.all("topic."), key=lambda h: -self.lexicon.weights[h.concept])
        kept: dict[tuple[str, str], Hit] = {}
        for hit in hits:
            beside = _inside(hit, hits) or self._is_well(hit) or self._is_circumstance(hit)
            # What a named server has is no office matter.
            if not beside and not (self.kinds and _category(hit) == "GENERAL"):
                kept.setdefault((_category(hit), hit.words), hit)
        return list(kept.values())

    def _is_well(self, hit: Hit) -> bool:
        well = self.reading.in_clause(hit.clause, "calm.component")
        bad = any(f.clause == hit.clause for f in self.faults)
        if bad:
            return False
        return hit.denied or any(w.begin >= hit.end and not w.denied for w in well)

    def _is_circumstance(self, hit: Hit) -> bool:
        """ "배포 후 오류": when it happened, not what it is."""
        if not self.faults:
            return False
        rest = [
            m for m in self.reading.clauses[hit.clause].items[hit.end :] if m.tag[0] not in "XE"
        ]
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
        calm = self.reading.all("calm.noimpact")
        return [h for h in self.reading.all(concept) if not h.denied and not _inside(h, calm)]

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
        office = self._best_topic() == "GENERAL" and not facts("scope.heavy")
        if down and self.wide and not office:
            return _judge("P1", "outage", [*self.wide, *down])
        outage = [h for h in down if h.concept == "fault.outage"]
        if (
            outage
            and self.kinds
            and not facts("scope.one", "scope.some", "when.wait", "when.later")
        ):
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


def _ending(clause: Clause) -> str:
    return clause.items[-1].form if clause.items and clause.items[-1].tag == "EC" else ""


def _category(hit: Hit) -> str:
    return hit.concept.split(".")[1]


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
