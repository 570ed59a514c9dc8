"""Hostile but valid answers of a model change nothing that the rules know."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fake_chat import DIRECTORY, GOOD_ANSWER, TEXT, chat_brain
from model_server import CannedReply, ModelServer

from guardia.agents.brain.chat.merging import distinct_reasons, merge_triage
from guardia.agents.brain.embedded import EmbeddedBrain
from guardia.agents.brain.goals import plan
from guardia.agents.brain.triage.classify import triage
from guardia.agents.brain.triage.lexicon import lexicon
from guardia.org.directory import Directory, Host, InstitutionInfo

WIDE = Directory(
    institutions=(*DIRECTORY.institutions, InstitutionInfo(id="MOE", name="교육부")),
    servers=(*DIRECTORY.servers, Host(server_id="MOE-DB-01", institution="MOE", kind="DB")),
)
WRONG: dict[str, Any] = {
    "reasons": ["서비스가 정상이라고 판단했습니다."],
    "kind": "QUESTION",
    "category": "NETWORK",
    "priority": "P4",
    "servers": [],
    "action_type": "RESTART",
    "institution": "NONE",
}


def asked(server: ModelServer, text: str, **answer: Any) -> Any:
    server.replies(CannedReply({**WRONG, **answer}))
    return chat_brain(server).triage(text, WIDE)


@pytest.mark.slow
def test_a_model_overrules_nothing_that_the_rules_are_sure_of(server: ModelServer) -> None:
    result = asked(server, TEXT)
    own = triage(TEXT, WIDE)
    assert result.by.startswith("chat:")
    assert result.answer.model_dump(exclude={"reasons"}) == own.model_dump(exclude={"reasons"})
    (differs,) = [r for r in result.answer.reasons if "다릅니다" in r]
    for part in ("문의", "네트워크", "P4", "재기동", "MOF-DB-01"):
        assert part in differs


@pytest.mark.parametrize(
    "text",
    [
        "VPN 계정 하나 만들어 주세요",
        "프린터가 안 됩니다",
        "회의실 예약 방법이 궁금합니다",
        "느려요",
    ],
)
def test_servers_that_nobody_named_are_not_accepted(server: ModelServer, text: str) -> None:
    result = asked(
        server, text, servers=["MOF-DB-01", "MOF-WAS-01", "MOE-DB-01"], institution="MOE"
    )
    assert (result.answer.servers, result.answer.institution) == ((), None)
    enum = server.asked[0]["response_format"]["json_schema"]["schema"]["properties"]
    assert (enum["servers"]["items"]["enum"], enum["institution"]["enum"]) == (["NONE"], ["NONE"])


def test_an_institution_is_filled_only_if_the_text_names_it(server: ModelServer) -> None:
    found = asked(server, "moe 프린터가 안 됩니다", institution="MOE")
    assert found.answer.institution == "MOE"
    assert asked(server, TEXT, institution="MOE").answer.institution == "MOF"


def test_a_model_fills_what_the_rules_are_unsure_of(server: ModelServer) -> None:
    text = "지난번 그 건 다시 한번 살펴봐 주실 분 계실까요"
    own = triage(text, WIDE)
    assert {"category", "priority"} <= set(own.unsure)
    result = asked(server, text, kind="INCIDENT", category="BACKUP", priority="P2")
    assert (result.answer.category, result.answer.priority) == ("BACKUP", "P2")


def test_repeated_and_parroted_reasons_are_dropped(server: ModelServer) -> None:
    said = [TEXT, "잠금 대기가 의심됩니다.", "잠금 대기가 의심됩니다"]
    found = asked(server, TEXT, **{**GOOD_ANSWER, "reasons": said}).answer.reasons
    assert "잠금 대기가 의심됩니다." in found
    assert TEXT not in found and "잠금 대기가 의심됩니다" not in found
    assert distinct_reasons(["가" * 160] * 3, "나") == ("가" * 160,)


DIVISION: dict[str, Any] = {
    "reason": "로그만 정리합니다.",
    "sure": "YES",
    "pieces": [
        {"title": "DB 점검", "category": "DB", "action_type": "HEALTH_CHECK", "server": "MOF-DB-01"}
    ],
}


def test_dividing_drops_no_work_that_the_rules_find(server: ModelServer) -> None:
    server.replies(CannedReply(DIVISION))
    goal = "기재부 운영DB 상태를 점검하고 백업을 수행한다"
    result = chat_brain(server).divide(goal, DIRECTORY)
    assert result.by.startswith("chat:")
    checked, backed_up = result.answer
    assert checked.read and (checked.read.action_type, checked.added) == ("HEALTH_CHECK", False)
    assert backed_up.read and backed_up.added
    assert (backed_up.read.action_type, backed_up.read.servers) == ("BACKUP", ("MOF-DB-01",))
    work = plan.resolve_pieces(
        result.answer, DIRECTORY, lexicon().servers, None, lambda text: triage(text, DIRECTORY)
    )
    assert [w.servers for w in work] == [("MOF-DB-01",)] * 2
    assert any("내장 규칙이 추가" in reason for reason in work[1].reasons)


def test_a_division_that_omits_nothing_stays_as_it_is(server: ModelServer) -> None:
    server.replies(CannedReply(DIVISION))
    (only,) = chat_brain(server).divide("기재부 운영DB 상태를 점검한다", DIRECTORY).answer
    assert not only.added and not only.guessed


def test_a_server_that_the_goal_does_not_name_is_a_guess(server: ModelServer) -> None:
    server.replies(CannedReply(DIVISION))
    first, *_ = chat_brain(server).divide("기재부 시스템을 안정화해 주세요", DIRECTORY).answer
    assert first.guessed


def test_without_a_usable_answer_the_rules_answer_alone(server: ModelServer) -> None:
    server.replies(CannedReply(json.dumps([WRONG])))
    result = chat_brain(server).triage(TEXT, WIDE)
    assert result.answer == EmbeddedBrain().triage(TEXT, WIDE).answer


def test_the_servers_own_words_about_an_error_are_kept_without_secrets(server: ModelServer) -> None:
    said = (
        "context length 4096 exceeded for Bearer abc.def, key sk-live-123456789 ```x``` "
        + "가" * 900
    )
    body = json.dumps({"error": {"message": said}}).encode()
    server.replies(CannedReply(status=400, body=body))
    caveat = chat_brain(server, key="guardia-key-1").triage(TEXT, WIDE).caveat
    assert "context length 4096 exceeded" in caveat and "HTTP 400" in caveat
    for secret in ("abc.def", "sk-live", "guardia-key-1", "```", "가" * 200):
        assert secret not in caveat


def test_a_model_in_shadow_mode_decides_nothing_and_is_shown() -> None:
    text = "지난번 그 건 다시 한번 살펴봐 주실 분 계실까요"
    own = triage(text, WIDE)
    model = own.model_copy(update={"category": "BACKUP", "priority": "P2"})
    shown = merge_triage(own, model, text, WIDE, decides=())
    assert (shown.category, shown.priority) == (own.category, own.priority)
    assert any("백업" in reason for reason in shown.reasons)
    filled = merge_triage(own, model, text, WIDE, decides=("priority",))
    assert (filled.category, filled.priority) == (own.category, "P2")
