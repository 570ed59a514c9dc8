"""Facts of a request before the rules."""

from __future__ import annotations

import pytest
from triage_directory import read_directory

from guardia.agents.brain.triage.classify import triage
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


@pytest.mark.parametrize(
    ("text", "action"),
    [
        # A moment, a condition, a schedule and a thing are no requests for the work itself.
        ("배포하실 때 저희한테도 미리 알려 주시면 좋겠습니다", None),
        ("이관 작업에 앞서 담당자 연락처를 보내 주세요", None),
        ("기재부 와스 1호기 재기동하면 몇 분 걸려요?", None),
        ("로그를 보면 오류가 계속 있습니다. 조치 바랍니다", None),
        ("기재부 와스 2호기 로그 7일 지나면 자동으로 지워지게 해 주세요", None),
        ("백업 받아둔 것에서 4월 자료만 꺼내 주세요", None),
        # The session of an account is none of a database.
        ("제 계정이 다른 데서 로그인돼 있다는데 세션 좀 끊어 주세요", None),
        ("기재부 디비 4412번 세션이 테이블을 쥐고 있어요 그것 좀 끊어 주세요", "KILL_QUERY"),
        # The result of work is to be reported: the work is requested.
        ("교육부 웹서버 인증서 언제까지인지 이번 주 안에 확인해서 알려 주세요", "CERT_CHECK"),
        ("기재부 와스 1호기 이상 없는지 한번 봐 주세요", "HEALTH_CHECK"),
        ("요청: 금일 중 로그 분석 및 원인 회신", "LOG_ANALYSIS"),
        ("행안부 와스 버튼 안 눌리던 것 고쳤습니다 오늘 안에 반영해 주세요", "DEPLOY"),
    ],
)
def test_requested_work_by_kinds_of_phrasing(text: str, action: str | None) -> None:
    assert triage(text, read_directory()).action_type == action
