"""Rules from the facts of a request to its kind, category and priority."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from guardia.agents.brain.triage.facts import RequestFacts
from guardia.agents.brain.triage.reading import ConceptHit
from guardia.knowledge.korean import Morpheme

_WITHOUT_EVIDENCE = ("default", "no_topic", "normal")
"""Reasons of results that mean "nothing found"."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A value and the words that led to it."""

    value: str
    because: str
    """Key of the reason below `triage.because`."""
    words: tuple[str, ...] = ()
    sure: bool = True
    """Whether the text has evidence; a chat model may fill what is not sure."""


def kind(facts: RequestFacts) -> Judgement:
    """Return INCIDENT, CHANGE, QUESTION or REQUEST; the first matching rule decides."""
    return (
        _unlock_request(facts)
        or _patient_question(facts)
        or _incident(facts)
        or _document_request(facts)
        or _change(facts)
        or _report(facts)
        or _question(facts)
        or _request(facts)
    )


def category(facts: RequestFacts) -> Judgement:
    """Return the field of the requested work, or failing that the topic."""
    decided = facts.lexicon.categories.get(facts.action or "")
    if decided:
        return _judge(decided, "action", facts.asked)
    words = [h for h in facts.topics if facts.category_of(h) == facts.topic]
    words = words or facts.fault("breach", "attack")
    return _judge(facts.topic, "topic" if words else "server" if facts.kinds else "no_topic", words)


def priority(facts: RequestFacts, kind: str) -> Judgement:
    """Return P1 (down for many, or a breach) to P4 (can wait)."""
    if kind == "INCIDENT":
        return _breach(facts) or _outage(facts) or _deadline(facts) or _degraded(facts)
    return _deadline(facts) or _default_priority(facts, kind)


# --- kind ------------------------------------------------------------------------------------


def _unlock_request(facts: RequestFacts) -> Judgement | None:
    """Match a request to unlock an account or to grant a right, unless many are affected."""
    # "일을 못하세요" is said of one person as well.
    if facts.reading.facts("scope.wide") or facts.topic != "ACCOUNT":
        return None
    requested = [h for h in facts.reading.all("ask.release") if facts.is_requested(h)]
    return _judge("REQUEST", "unlock", requested) if requested else None


def _patient_question(facts: RequestFacts) -> Judgement | None:
    """Match a question without urgency: "… 막혀요, 신청은 어디로 하나요? 급하지 않아요"."""
    if facts.requests or facts.asked or not facts.times("when.wait"):
        return None
    if not facts.open_questions or _breach(facts) or _outage(facts):
        return None
    return _judge("QUESTION", "question", facts.open_questions)


def _incident(facts: RequestFacts) -> Judgement | None:
    """Match a problem that exists now; what must be killed holds up others."""
    if facts.action == "KILL_QUERY":
        return _judge("INCIDENT", "fault", [*facts.faults, *facts.asked])
    if facts.action == "HEALTH_CHECK" and facts.reading.all("calm.precaution"):
        return None
    strong = [h for h in facts.faults if h.concept not in ("fault.weak", "fault.waiting")]
    if facts.action == "DISK_CLEANUP" and facts.reading.facts("calm.noimpact"):
        # Files pile up, but there is room: "아직 여유가 있으니 정리 부탁드립니다".
        strong = [h for h in strong if h.concept in ("fault.outage", "fault.down")]
    if strong:
        return _judge("INCIDENT", "fault", strong)
    waiting = facts.fault("waiting")
    if waiting and (facts.wide or not (facts.requests or facts.asked)):
        return _judge("INCIDENT", "fault", waiting)
    return None


def _document_request(facts: RequestFacts) -> Judgement | None:
    """Match a request for documents or figures: "정책 현황 자료를 요청합니다"."""
    if facts.asked:
        return None
    kinds = facts.lexicon.lists["documents"]
    found = [
        r
        for r in facts.requests
        if _last_object(facts.reading.items(r)[: r.begin]) in kinds
        and not facts.reading.in_clause(r.clause, "when.wait")
    ]
    return _judge("REQUEST", "document", found) if found else None


def _last_object(items: Sequence[Morpheme]) -> str:
    """Return the last object or noun before a request, without the verb in between."""
    nouns = [m for m in items if m.tag in ("NNG", "NNP", "SL")]
    marked = [m for m, after in pairwise(items) if after.tag == "JKO"]
    chosen = marked or nouns
    return chosen[-1].form if chosen else ""


def _change(facts: RequestFacts) -> Judgement | None:
    """Match a deployment, or a requested change of software or configuration."""
    if facts.action == "DEPLOY":
        return _judge("CHANGE", "change", facts.asked)
    if facts.action is not None:
        return None
    names = ("ask.change", "ask.change_server") if facts.kinds else ("ask.change",)
    found = [h for h in facts.reading.hits if h.concept in names and facts.is_requested(h)]
    found = [h for h in found if not facts.is_delivered(h)]
    if facts.topic in ("ACCOUNT", "GENERAL"):
        found = [h for h in found if _changes_an_object(facts, h)]
    found = [h for h in found if not _registers_things(facts, h)]
    # "글자가 겹쳐 보입니다. 수정 부탁드립니다." asks for a repair, not for a change.
    if found and not (_report(facts) and all(_is_bare(facts, h) for h in found)):
        return _judge("CHANGE", "change", found)
    return None


def _changes_an_object(facts: RequestFacts, hit: ConceptHit) -> bool:
    """Return whether the clause changes a policy, a setting or the like, with a verb of its own."""
    objects = facts.reading.in_clause(hit.clause, "change.object")
    return any((o.begin, o.end) != (hit.begin, hit.end) for o in objects)


def _registers_things(facts: RequestFacts, hit: ConceptHit) -> bool:
    """Return whether people or devices are registered, which is a service."""
    things = facts.lexicon.lists["registered"]
    return "등록" in hit.words and any(m.form in things for m in facts.reading.items(hit))


def _report(facts: RequestFacts) -> Judgement | None:
    """Match statements about a condition that ask for nothing but a check.

    The words for problems are countless; a report that asks for "확인", "조치" or nothing at all
    is an incident even if the lexicon knows none of its words.
    """
    restored = facts.topic == "BACKUP" and facts.reading.all("topic.BACKUP.5")
    remedy = not facts.asked and all(_is_remedy(facts, r) for r in facts.requests)
    weak = facts.fault("weak")
    if weak and facts.topic != "GENERAL" and (remedy or facts.reading.facts("when.today")):
        return _judge("INCIDENT", "fault", weak)
    if not remedy or facts.questions or facts.reading.facts("calm.now", "fault.waiting"):
        return None
    if restored and any("복구" in h.words for h in facts.reading.all("topic.BACKUP.3")):
        # "잘못 지웠어요. 백업으로 복구해 주세요" asks for a restore; nothing is broken.
        return None
    stated = [h for h in facts.topics if facts.is_statement(h.clause)]
    return _judge("INCIDENT", "reported", stated) if stated else None


def _question(facts: RequestFacts) -> Judgement | None:
    requests = facts.requests and not facts.reading.facts("ask.curious")
    if not facts.questions or facts.asked or facts.asks_politely or requests:
        return None
    return _judge("QUESTION", "question", facts.questions)


def _request(facts: RequestFacts) -> Judgement:
    requested = facts.asked or facts.requests or facts.fault("waiting")
    if requested or facts.asks_politely:
        return _judge("REQUEST", "wish", requested)
    if facts.questions or any(c.question for c in facts.reading.clauses):
        return _judge("QUESTION", "question", facts.questions)
    return _judge("REQUEST", "default", [])


def _is_remedy(facts: RequestFacts, request: ConceptHit) -> bool:
    """Return whether the request only asks to take care of the problem."""
    forms = {m.form for m in facts.reading.items(request)[: request.end]}
    if forms & facts.lexicon.lists["remedies"]:
        return True
    return _is_bare(facts, request) and not facts.reading.in_clause(request.clause, "ask.change")


def _is_bare(facts: RequestFacts, hit: ConceptHit) -> bool:
    """Return whether the clause names no object: "이번 주 내로 수정 부탁드립니다"."""
    known = facts.reading.in_clause(hit.clause, "when.", "ask.do", "scope.", "ask.change")
    return not any(
        m.tag in ("NNG", "NNP") and not any(h.begin <= n < h.end for h in known)
        for n, m in enumerate(facts.reading.items(hit))
    )


# --- priority --------------------------------------------------------------------------------


def _breach(facts: RequestFacts) -> Judgement | None:
    """Match an intrusion or a data leak that is not contained."""
    found = facts.fault("breach")
    if not found or facts.reading.facts("calm.contained"):
        return None
    return _judge("P1", "breach", found)


def _outage(facts: RequestFacts) -> Judgement | None:
    """Match a total failure for many users or on a whole server."""
    if facts.reading.facts("calm.works", "calm.noimpact"):
        return None
    if facts.topic == "SECURITY" and facts.reading.facts("calm.contained"):
        return None
    broken = _broken(facts)
    office = facts.topic == "GENERAL" and facts.topics and not facts.reading.facts("scope.heavy")
    if broken and facts.wide and not office:
        return _judge("P1", "outage", [*facts.wide, *broken])
    whole = [h for h in broken if h.concept == "fault.outage"]
    narrow = facts.reading.facts("scope.one", "scope.some", "when.wait", "when.later")
    if whole and facts.kinds and not narrow:
        return _judge("P1", "outage", whole)
    return None


def _broken(facts: RequestFacts) -> list[ConceptHit]:
    """Return total failures, including "모든 화면이 에러"."""
    wide = {h.clause for h in facts.wide}
    some = {h.clause for h in facts.reading.facts("scope.some")}
    broken = facts.fault("outage", "down", "waiting")
    broken += [h for h in facts.fault("error") if h.clause in wide]
    return [h for h in broken if h.clause not in some]


def _deadline(facts: RequestFacts) -> Judgement | None:
    """Match what the text says about time: it can wait, or is due today."""
    wait = facts.times("when.wait")
    if not wait and not facts.times("when.later"):
        wait = facts.times("when.anytime")
    if wait:
        return _judge("P4", "wait", wait)
    today = [h for h in facts.times("when.today") if not _is_past_event(facts, h)]
    return _judge("P2", "today", today) if today else None


def _is_past_event(facts: RequestFacts, hit: ConceptHit) -> bool:
    """Return whether the day refers to what happened, not to what is requested."""
    if facts.reading.in_clause(hit.clause, "ask.do"):
        return False
    return any(m.tag == "EP" and m.form == "었" for m in facts.reading.items(hit)[hit.begin :])


def _degraded(facts: RequestFacts) -> Judgement:
    """Rate an incident that is no outage; lower for one user, no urgency or no impact."""
    named = facts.reading.facts
    for because, found in (
        ("one", named("scope.one")),
        ("later", facts.times("when.later")),
        ("no_impact", [h for h in named("calm.noimpact") if not _is_component(facts, h)]),
    ):
        if found:
            return _judge("P3", because, found)
    if facts.topic == "ACCOUNT" and _is_of_one_account(facts):
        return _judge("P3", "one", facts.faults)
    if facts.topic == "GENERAL" and facts.topics:
        # An office device serves a room, not a service.
        return _judge("P3", "office", facts.topics)
    return _judge("P2", "degraded", facts.faults)


def _is_of_one_account(facts: RequestFacts) -> bool:
    """Return whether an account is locked or refused and nothing speaks of more than one."""
    several = facts.reading.facts("scope.wide", "scope.heavy", "scope.some")
    return not (several or facts.kinds or facts.times("when.urgent"))


def _is_component(facts: RequestFacts, hit: ConceptHit) -> bool:
    """Return whether only another component has no problem: "DB는 문제없습니다"."""
    topics = facts.reading.in_clause(hit.clause, "topic.")
    return any(h.end <= hit.begin and h not in facts.topics for h in topics)


def _default_priority(facts: RequestFacts, kind: str) -> Judgement:
    if kind == "QUESTION":
        later = [h for h in facts.times("when.later") if "점검" not in h.words]
        return _judge("P3", "later", later) if later else _judge("P4", "normal", [])
    later, urgent = facts.times("when.later"), facts.times("when.urgent")
    if later:
        return _judge("P3", "later", later)
    if urgent:
        return _judge("P2", "urgent", urgent)
    return _judge("P3", "normal", [])


def _judge(value: str, because: str, hits: Sequence[ConceptHit]) -> Judgement:
    words = dict.fromkeys(h.words for h in hits if h.words)
    return Judgement(value, because, tuple(words)[:3], because not in _WITHOUT_EVIDENCE)
