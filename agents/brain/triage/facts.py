"""Facts of a request, derived from concept hits: problems, requests, requested work, topics."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from guardia.agents.brain.triage import grammar
from guardia.agents.brain.triage.lexicon import Lexicon
from guardia.agents.brain.triage.reading import ConceptHit, RequestReading, covered_hits

_KIND_WEIGHT = 5.0
"""A named server counts for its kind as much as a nearly decisive word."""
_REQUEST_REACH = 2
"""Clauses from the work to its request: "확인하시고 재기동하여 알려 주세요"."""
_OFFICE_PENALTY = 0.5
"""An office item next to a word of the field is only the location: "회의실 랜"."""
_ABOUT_TROUBLE = ("action.DEPLOY", "action.LOG_ANALYSIS")
"""Work whose object can be a problem: "오류 수정 버전 배포", "에러 로그 분석"."""
_NEEDED = ("필요", "가능", "되", "급하", "요구", "시급")
_DESCRIBING = ("ᆫ", "은", "는", "던")
_KEPT = ("두", "놓", "있", "오", "버리")
"""Auxiliary verbs of a lasting result: "백업 받아둔 것"."""
_JOINING = ("어서", "아서")
_BEFORE_MOMENT = ("XSV", "XSA", "EP", "ETM", "ETN", "JKB")
_MOMENT_REACH, _LABEL_REACH = 5, 4
_GOING_ON = ("쓰", "나가", "올라가", "내려가")


@dataclass(frozen=True)
class RequestFacts:
    """The facts of one reading. `kinds` are the kinds of the named servers, in order."""

    reading: RequestReading
    lexicon: Lexicon
    kinds: Sequence[str]

    # --- problems ----------------------------------------------------------------------------

    @cached_property
    def faults(self) -> list[ConceptHit]:
        """Problems that exist now."""
        facts = [h for h in self.reading.facts("fault.") if not self._is_topic_only(h)]
        mild = {h for h in facts if h.concept in ("fault.weak", "fault.waiting")}
        inside = covered_hits(facts, mild)
        facts = [h for h in facts if h in mild or h not in inside]
        calm = self.reading.facts("calm.now")
        if calm:
            last = max(h.clause for h in calm)
            facts = [h for h in facts if h.clause > last and not h.past]
        return self._without_repaired(facts)

    def _without_repaired(self, facts: list[ConceptHit]) -> list[ConceptHit]:
        """Drop problems that the sender has repaired: "안 눌리던 것 고쳤습니다. 반영해 주세요"."""
        fixed = self.reading.facts("calm.fixed")
        if not fixed or not any(self.is_requested(h) for h in self._releases):
            return facts
        last = max((h.clause, h.begin) for h in fixed)
        return [h for h in facts if (h.clause, h.begin) > last]

    @cached_property
    def _releases(self) -> list[ConceptHit]:
        return self.reading.all("action.DEPLOY", "short.DEPLOY")

    def fault(self, *names: str) -> list[ConceptHit]:
        """Return the problems of these kinds."""
        return [h for h in self.faults if h.concept.removeprefix("fault.") in names]

    @property
    def symptoms(self) -> tuple[str, ...]:
        """What is wrong now, in few words; a function that is out and a system that is are one."""
        names = {h.concept.removeprefix("fault.") for h in self.faults}
        named = {"down" if name == "outage" else name for name in names}
        return tuple(sorted(named - {"weak", "waiting"}))

    def _is_topic_only(self, hit: ConceptHit) -> bool:
        """Return whether the problem is a topic ("장애 대비", "락은 어떻게 …"), not a report."""
        if (
            hit.begin
            and self.reading.items(hit)[hit.begin - 1].form in self.lexicon.lists["drills"]
        ):
            return True
        if self._describes(hit) and (hit.concept == "fault.weak" or self._is_attribute(hit)):
            return True
        asking, shadows = self.lexicon.lists["asking"], self.lexicon.lists["shadows"]
        for item in self.reading.items(hit)[hit.end :]:
            if item.tag[0] not in "NX" and item.form not in asking:
                break
            if item.form in shadows:
                return True
        changes = self.reading.in_clause(hit.clause, "ask.change", *_ABOUT_TROUBLE)
        return (
            self._has_question_word(hit.clause, hit.end)
            or self._is_curiosity(hit)
            or self._is_idle_question(hit)
            or any(c.begin >= hit.end and self.is_requested(c) for c in changes)
        )

    def _is_attribute(self, hit: ConceptHit) -> bool:
        """Return whether it only says which thing is meant: "못 쓰는 파일", "어제 나간 버전"."""
        items = self.reading.items(hit)
        noun = next((m.form for m in items[hit.end :] if m.tag in ("NNG", "NNP")), "")
        return items[hit.end - 1].form in _GOING_ON and noun in self.lexicon.lists["things"]

    def _is_idle_question(self, hit: ConceptHit) -> bool:
        """Return whether it asks if a problem would occur: "배포하면 끊기나요? 급하지 않아요"."""
        clause = self.reading.clauses[hit.clause]
        if not clause.question or any(m.form == "왜" for m in clause.items):
            return False
        return bool(self.reading.facts("ask.curious") or self.times("when.wait"))

    def _is_curiosity(self, hit: ConceptHit) -> bool:
        """Return whether the sentence only asks for information and requests no work."""
        clause = self.reading.clauses[hit.clause]
        if clause.question and clause.sentence in self._conditional_sentences:
            return True
        curious = clause.sentence in self._curious_sentences
        idle = not self.requests and not self.reading.facts("when.urgent")
        return curious and (idle or hit.past)

    @cached_property
    def _conditional_sentences(self) -> set[int]:
        return {c.sentence for c in self.reading.clauses if c.conditional}

    @cached_property
    def _curious_sentences(self) -> set[int]:
        curious = self.reading.facts("ask.curious")
        return {self.reading.clauses[h.clause].sentence for h in curious}

    # --- requests ----------------------------------------------------------------------------

    @cached_property
    def requests(self) -> list[ConceptHit]:
        """Requests and orders, but not "please answer" and not "when you have time"."""
        others = self.reading.all("ask.reply", "when.wait", "when.anytime")
        answers = {h.clause for h in others}
        return [
            h
            for h in self.reading.all("ask.do")
            if not h.denied
            and h.clause not in answers
            and not self.reading.clauses[h.clause].conditional
            and not self._is_open_question(h.clause)
        ]

    @cached_property
    def asks_politely(self) -> bool:
        """Whether a question means a request: "… 해 주실 수 있나요"."""
        replies = {h.clause for h in self.reading.all("ask.reply")}
        return any(h.clause not in replies for h in self.reading.all("ask.please") if not h.denied)

    @cached_property
    def questions(self) -> list[ConceptHit]:
        """Question words in clauses that are questions or ask for an answer."""
        asking = {n for n, c in enumerate(self.reading.clauses) if c.question}
        asking |= {h.clause for h in self.reading.facts("ask.curious", "ask.reply")}
        return [h for h in self.reading.all("ask.info") if asking & {h.clause, h.clause + 1}]

    @cached_property
    def open_questions(self) -> list[ConceptHit]:
        """Questions for what, where, how and when."""
        return [h for h in self.reading.all("ask.info") if self._is_open_question(h.clause)]

    def _is_open_question(self, clause: int) -> bool:
        asked = self.reading.clauses[clause].question or bool(
            self.reading.in_clause(clause, "ask.curious")
            or self.reading.in_clause(clause + 1, "ask.curious")
        )
        return asked and self._has_question_word(clause)

    def _has_question_word(self, clause: int, begin: int = 0) -> bool:
        items = self.reading.clauses[clause].items[begin:]
        return any(m.form in self.lexicon.lists["asking"] for m in items)

    def is_requested(self, hit: ConceptHit) -> bool:
        """Return whether the work of `hit` is requested, not narrated, denied or asked about."""
        if hit.denied or hit.past or self._modifies_next_noun(hit) or self._describes(hit):
            return False
        if self._is_open_question(hit.clause) or self._gives_reason(hit) or self._is_moment(hit):
            return False
        if self._is_form_entry(hit.clause):
            return True
        if self._is_condition(hit):
            return False
        near = range(hit.clause, hit.clause + _REQUEST_REACH + 1)
        requests = (r for n in near for r in self.reading.in_clause(n, "ask.do"))
        request = next((r for r in requests if self._reaches(r, hit)), None)
        if request is None:
            return self._ends_bare(hit)
        return not self._is_open_question(request.clause)

    def _reaches(self, request: ConceptHit, hit: ConceptHit) -> bool:
        """Return whether the request follows the work in its clause or one of the next two."""
        clauses = self.reading.clauses
        if request.denied or clauses[request.clause].sentence != clauses[hit.clause].sentence:
            return False
        behind = request.clause == hit.clause and request.end > hit.begin
        return behind or 0 < request.clause - hit.clause <= _REQUEST_REACH

    def _gives_reason(self, hit: ConceptHit) -> bool:
        """Return whether the clause states a reason: "자리를 옮겨서 …"."""
        last = self.reading.items(hit)[-1]
        if last.tag != "EC" or last.form not in self.lexicon.lists["reasons"]:
            return False
        return not self.is_delivered(hit)

    def is_delivered(self, hit: ConceptHit) -> bool:
        """Return whether its result is to be reported or sent: "확인해서 알려 주세요"."""
        following = self.reading.clauses[hit.clause + 1 : hit.clause + 2]
        answers = self.lexicon.lists["answers"]
        joins = self.reading.items(hit)[-1].form in _JOINING
        return joins and any(m.form in answers for part in following for m in part.items)

    def _is_condition(self, hit: ConceptHit) -> bool:
        """Return whether the work is only a condition: "로그를 보면 오류가 있습니다"."""
        conditional = self.reading.clauses[hit.clause].conditional
        return conditional and not self.reading.in_clause(hit.clause, "ask.")

    def _is_form_entry(self, clause: int) -> bool:
        """Return whether it is the field of a form that names the work: "요청: 로그 분석"."""
        items = self.reading.clauses[clause].items
        colon = next((n for n, m in enumerate(items[:_LABEL_REACH]) if m.form == ":"), 0)
        return colon > 0 and items[0].form in ("요청", "작업", "신청", "조치")

    def _is_moment(self, hit: ConceptHit) -> bool:
        """Return whether the work only says when: "배포할 때", "이관 작업에 앞서"."""
        moments = self.lexicon.lists["moments"]
        for item in self.reading.items(hit)[hit.end : hit.end + _MOMENT_REACH]:
            if item.form in moments:
                return item.tag[0] in "NVM"
            if item.tag not in _BEFORE_MOMENT and item.form not in ("하", "되", "작업", "진행"):
                return False
        return False

    def _modifies_next_noun(self, hit: ConceptHit) -> bool:
        """Return whether the word belongs to the next noun: "배포 일정", "백업 실패"."""
        items = self.reading.items(hit)
        following = items[hit.end] if hit.end < len(items) else None
        if following and following.tag == "JKS" and hit.concept.startswith("action."):
            after = items[hit.end + 1].form if hit.end + 1 < len(items) else ""
            return after not in _NEEDED
        if following and following.tag == "JKB" and hit.concept == "ask.change":
            return following.form in ("로", "으로")
        if following is None or following.tag not in ("NNG", "NNP", "NNB", "ETM"):
            return False
        return following.form not in self.lexicon.lists["followers"]

    def _describes(self, hit: ConceptHit) -> bool:
        """Return whether the word describes the next noun: "등록된 정책"."""
        items = self.reading.items(hit)
        light = ("XSV", "XSA", "EP")
        rest = [m for m in items[hit.end : hit.end + 3] if m.tag not in light]
        rest = [m for m in rest if m.form not in ("하", "되")]
        if len(rest) > 1 and rest[0].tag == "EC" and rest[1].form in _KEPT:
            rest = list(items[hit.end + 2 : hit.end + 4])
        return bool(rest) and rest[0].tag == "ETM" and rest[0].form in _DESCRIBING

    def _ends_bare(self, hit: ConceptHit) -> bool:
        """Return whether the sentence ends with the work itself, in telegram style."""
        rest = self.reading.items(hit)[hit.end :]
        if hit.concept == "action.DEPLOY" and rest and rest[0].form == "]":
            # The title of a form: "[배포] 대상: …".
            return True
        return all(m.tag[0] in "SJ" or m.form in ("좀", "요", "건") for m in rest)

    # --- requested work ----------------------------------------------------------------------

    @cached_property
    def asked(self) -> list[ConceptHit]:
        """The named work that the text requests, the most specific first."""
        found = [
            h
            for h in self.reading.all("action.")
            if self.is_requested(h) and not self._means_other_work(h)
        ]
        if not found:
            short = self.reading.all("short.")
            found = [h for h in short if self._fits_topic(h) and not self._recurs(h)]
        return sorted(found, key=lambda h: (h.clause, h.begin - h.end))

    @property
    def action(self) -> str | None:
        """The requested action type."""
        return self.asked[0].suffix if self.asked else None

    def _means_other_work(self, hit: ConceptHit) -> bool:
        """Return whether other work is meant: a schedule, a platform upgrade, a locked account."""
        if self._recurs(hit):
            return True
        if hit.suffix == "DEPLOY" and "배포" not in hit.words:
            return bool(self.reading.all("change.platform"))
        if hit.suffix != "KILL_QUERY":
            return False
        account = "DB" not in self.kinds and bool(self.reading.all("topic.ACCOUNT"))
        return account or bool(self.reading.facts("fault.waiting"))

    def _recurs(self, hit: ConceptHit) -> bool:
        """Return whether it is to happen again and again: "7일 지나면 자동으로 지우게"."""
        recurring = self.lexicon.lists["recurring"]
        return any(m.form in recurring for m in self.reading.items(hit))

    def _fits_topic(self, hit: ConceptHit) -> bool:
        return self.lexicon.categories[hit.suffix] == self.topic and self.is_requested(hit)

    # --- topics ------------------------------------------------------------------------------

    @cached_property
    def topic(self) -> str:
        """The category by words and server, or `GENERAL`."""
        if self.fault("breach", "attack"):
            return "SECURITY"
        scores: dict[str, float] = defaultdict(float)
        if self.kinds:
            scores[self.kinds[0]] = _KIND_WEIGHT
        weights: dict[tuple[str, str], float] = defaultdict(float)
        for hit in self.topics:
            key = self.category_of(hit), hit.words
            weights[key] = max(weights[key], self._weight(hit))
        for (category, _), weight in weights.items():
            # The strongest word counts; many weak ones do not outweigh it.
            more, less = max(scores[category], weight), min(scores[category], weight)
            scores[category] = more + 0.25 * less
        return max(scores, key=lambda c: scores[c]) if scores else "GENERAL"

    @cached_property
    def topics(self) -> list[ConceptHit]:
        """Topic words, without those inside longer ones and those reported to be fine."""
        hits = self.reading.all("topic.")
        inside = covered_hits(hits, hits)
        return [
            h
            for h in hits
            if h not in inside
            and not self._is_fine(h)
            and not self._is_circumstance(h)
            and not self._is_out_of_place(h)
        ]

    def category_of(self, hit: ConceptHit) -> str:
        """Return the category of a topic word; `SAME` means that of the named server."""
        category = hit.suffix
        return self.kinds[0] if category == "SAME" else category

    def _weight(self, hit: ConceptHit) -> float:
        # The head of a request comes last ("와이파이 계정 발급"), the topic of a question first
        # ("와이파이 인증서는 어떻게 …").
        place = -0.05 if self.questions and not (self.requests or self.asks_politely) else 0.05
        weight = self.lexicon.weights[hit.concept] + place * hit.begin
        weight -= _OFFICE_PENALTY if hit.suffix == "GENERAL" else 0
        return weight * (2 if hit.clause in self._main_clauses else 1)

    @cached_property
    def _main_clauses(self) -> set[int]:
        """The clauses that state the matter."""
        found = {h.clause for h in (*self.faults, *self.requests, *self.questions)}
        if not self.faults:
            found |= {h.clause for h in self.topics if self.is_statement(h.clause)}
        return found

    def _is_out_of_place(self, hit: ConceptHit) -> bool:
        """Return whether it is an office matter on a named server, or `SAME` without a server."""
        if self.reading.items(hit)[hit.begin].form == "복구" and self.faults:
            # "복구해 주세요" asks to remedy a problem.
            return True
        return hit.suffix == ("GENERAL" if self.kinds else "SAME")

    def _is_fine(self, hit: ConceptHit) -> bool:
        if hit.clause in self._fault_clauses or self.reading.clauses[hit.clause].conditional:
            return False
        fine = self.reading.in_clause(hit.clause, "calm.component")
        return hit.denied or any(w.begin >= hit.end and not w.denied for w in fine)

    @cached_property
    def _fault_clauses(self) -> set[int]:
        return {f.clause for f in self.faults}

    def _is_circumstance(self, hit: ConceptHit) -> bool:
        """Return whether the word says when it happened, not what it is: "배포 후 오류"."""
        rest = [m for m in self.reading.items(hit)[hit.end :] if m.tag not in ("XSV", "ETM", "EC")]
        others = {h.concept for h in self.reading.all("topic.")} - {hit.concept}
        if rest and rest[0].form in self.lexicon.lists["before"] and rest[0].tag[0] == "N":
            return bool(self.kinds or others)
        after = bool(rest) and rest[0].form in self.lexicon.lists["after"]
        return after and bool(self.faults)

    def is_statement(self, clause: int) -> bool:
        """Return whether the clause states something that is not benign."""
        part = self.reading.clauses[clause]
        other = self.reading.in_clause(clause, "ask.", "when.wait", "when.later", "calm.")
        if part.conditional or part.question or other:
            return False
        benign = self.lexicon.lists["benign"]
        verbs = [m for m in part.items if m.tag in ("VV", "VA")]
        nouns = [m for m in part.items[1:] if m.tag == "NNG"]
        telling = any(m.form not in benign for m in (*verbs, *nouns))
        predicate = any(m.tag in ("VV", "VA", "XSV", "XSA") for m in part.items)
        last = clause + 1 == len(self.reading.clauses)
        ends = last or part.items[-1].tag in ("EF", "EC", "SF")
        return (telling or grammar.is_negated(part)) and predicate and ends

    @cached_property
    def wide(self) -> list[ConceptHit]:
        """Words for many affected users."""
        return self.reading.facts("scope.wide", "scope.heavy")

    def times(self, concept: str) -> list[ConceptHit]:
        """Return words of time that are not denied ("오늘 아니어도") and about the request."""
        found = self.reading.all(concept)
        inside = covered_hits(found, self.reading.all("calm.noimpact"))
        return [h for h in found if not h.denied and h not in inside and not self._is_room(h)]

    def _is_room(self, hit: ConceptHit) -> bool:
        """Return whether it is free space, not spare time: "아직 70%라 여유는 있지만"."""
        if "여유" not in hit.words or not self.reading.all("topic.STORAGE"):
            return False
        rest = self.reading.items(hit)[hit.begin : hit.end + 4]
        return not any(m.form in ("때", "면", "으면", "시") for m in rest)
