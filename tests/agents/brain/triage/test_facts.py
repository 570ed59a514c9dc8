"""Facts of a request before the rules."""

from __future__ import annotations

from guardia.agents.brain.triage.facts import RequestFacts
from guardia.agents.brain.triage.lexicon import lexicon
from guardia.agents.brain.triage.reading import read_request


def facts(text: str, *kinds: str) -> RequestFacts:
    return RequestFacts(read_request(text, lexicon()), lexicon(), kinds)


def test_a_trouble_that_is_over_is_none() -> None:
    assert not facts("어제 오류가 났는데 지금은 정상입니다").faults
    assert facts("어제 정상이었는데 지금은 오류가 납니다").faults


def test_a_server_speaks_for_its_kind_unless_words_tell_otherwise() -> None:
    assert facts("SRV 느려요", "DB").topic == "DB"
    assert facts("SRV 백업이 실패했어요", "DB").topic == "BACKUP"
    assert facts("SRV 프린터처럼 느려요", "DB").topic == "DB"


def test_asked_work_is_not_what_is_told_or_denied() -> None:
    assert facts("SRV 재기동 부탁드려요", "WAS").action == "RESTART"
    assert facts("SRV 재기동은 하지 마시고 로그 분석 부탁드려요", "WAS").action == "LOG_ANALYSIS"


def test_an_object_may_stand_in_the_clause_before() -> None:
    assert facts("쿼리가 계속 도는데 좀 죽여주세요").action == "KILL_QUERY"


def test_answers_are_no_wishes() -> None:
    assert not facts("방법 좀 알려주세요").requests
    assert facts("계정 좀 만들어주세요").requests
    assert facts("복구해 주실 수 있나요?").asks_politely
    assert not facts("알려주실 수 있나요?").asks_politely
