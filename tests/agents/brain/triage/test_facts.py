"""Facts of a request before the rules."""

from __future__ import annotations

from guardia.agents.brain.triage.facts import RequestFacts
from guardia.agents.brain.triage.lexicon import lexicon
from guardia.agents.brain.triage.reading import read_request


def facts(text: str, *kinds: str) -> RequestFacts:
    return RequestFacts(read_request(text, lexicon()), lexicon(), kinds)


def test_a_problem_that_is_over_does_not_count() -> None:
    assert not facts("어제 오류가 났는데 지금은 정상입니다").faults
    assert facts("어제 정상이었는데 지금은 오류가 납니다").faults


def test_a_server_counts_for_its_kind_unless_words_outweigh_it() -> None:
    assert facts("SRV 느려요", "DB").topic == "DB"
    assert facts("SRV 백업이 실패했어요", "DB").topic == "BACKUP"
    assert facts("SRV 프린터처럼 느려요", "DB").topic == "DB"


def test_narrated_or_denied_work_is_not_requested() -> None:
    assert facts("SRV 재기동 부탁드려요", "WAS").action == "RESTART"
    assert facts("SRV 재기동은 하지 마시고 로그 분석 부탁드려요", "WAS").action == "LOG_ANALYSIS"


def test_an_object_may_be_in_the_previous_clause() -> None:
    assert facts("쿼리가 계속 도는데 좀 죽여주세요").action == "KILL_QUERY"


def test_a_request_for_an_answer_is_not_work() -> None:
    assert not facts("방법 좀 알려주세요").requests
    assert facts("계정 좀 만들어주세요").requests
    assert facts("복구해 주실 수 있나요?").asks_politely
    assert not facts("알려주실 수 있나요?").asks_politely
