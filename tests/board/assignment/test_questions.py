"""One precise question where a server is needed and unclear; its answer continues the request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agents_env import AgentsEnv, open_agents_env
from assignment_env import (
    ROOM,
    enrol_servers,
    issue,
    kinds,
    later,
    link_account,
    messages,
    press,
    question,
    task,
)
from board_env import CUSTOMER, LEAD
from page_env import OTHER_CUSTOMER, enrol_page_users

from guardia.board.assignment import answers, due, questions
from guardia.board.intake import conversation
from guardia.board.issues.conversation import ConversationReply, RoomLine
from guardia.errors import NotFound, Stale
from guardia.settings import Settings

UNCLEAR = "기재부 와스 접속이 안됩니다. 장애입니다"


@pytest.fixture
def found(database: Any, tmp_path: Path) -> Iterator[AgentsEnv]:
    with open_agents_env(database.owner, database.app, tmp_path) as opened:
        enrol_servers(opened.env)
        yield opened


def asked(found: AgentsEnv, text: str = UNCLEAR, **more: str) -> int:
    sr_id = found.env.create_issue(**{**ROOM, "text": text, **more})
    found.work()
    return sr_id


def say(found: AgentsEnv, text: str, **more: str) -> ConversationReply | None:
    line = RoomLine(**{**ROOM, "sender": "장하늘", "text": text, **more})
    reply = answers.answer_question(found.env.board, line, Settings())
    found.work()
    return reply


def test_the_question_offers_the_servers_as_buttons(found: AgentsEnv) -> None:
    env = found.env
    sr_id = asked(found)
    text, choices = messages(env, sr_id)[-1]
    assert "어느 WAS 서버인지" in text
    assert [c.label for c in choices] == ["기재부 와스 1호기", "기재부 와스 2호기"]
    assert task(env, sr_id).status == "RECEIVED" and issue(env, sr_id).kind == "INCIDENT"
    assert kinds(env, sr_id)[-1] == "question_asked"
    found.work()
    assert len([k for k in kinds(env, sr_id) if k == "question_asked"]) == 1


@pytest.mark.slow
def test_a_button_answers_and_the_request_goes_on(found: AgentsEnv) -> None:
    env = found.env
    sr_id = asked(found)
    second = messages(env, sr_id)[-1][1][1]
    assert not answers.press_server(env.board, Settings(), press(second, "u-other")).replaces
    assert question(env, sr_id).state == "OPEN"  # type: ignore[union-attr]
    reply = answers.press_server(env.board, Settings(), press(second))
    assert reply.replaces and "MOF-WAS-02" in reply.text
    found.work()
    assert task(env, sr_id).target_server == "MOF-WAS-02"
    assert issue(env, sr_id).agent_id == "was-agent"
    assert any("요청자가 답한 서버: MOF-WAS-02" in r for r in issue(env, sr_id).triage["reasons"])
    assert answers.press_server(env.board, Settings(), press(second)) == reply, "delivered twice"


@pytest.mark.slow
def test_words_in_the_thread_answer(found: AgentsEnv) -> None:
    sr_id = asked(found)
    reply = say(found, "1호기요")
    assert reply is not None and "MOF-WAS-01" in reply.text
    assert task(found.env, sr_id).target_server == "MOF-WAS-01"


@pytest.mark.slow
def test_both_servers_get_a_task_each(found: AgentsEnv) -> None:
    sr_id = asked(found)
    say(found, "둘 다요")
    assert issue(found.env, sr_id).triage["servers"] == ["MOF-WAS-01", "MOF-WAS-02"]


def test_a_wrong_answer_is_asked_once_more_then_goes_to_a_person(found: AgentsEnv) -> None:
    env = found.env
    sr_id = asked(found)
    again = say(found, "저기 그 서버요")
    assert again is not None and "확인하지 못했습니다" in again.text and len(again.choices) == 2
    last = say(found, "그거 있잖아요")
    assert last is not None and "담당자" in last.text and not last.choices
    assert task(env, sr_id).status == "MANUAL" and question(env, sr_id).state == "UNCLEAR"  # type: ignore[union-attr]
    assert kinds(env, sr_id).count("question_unclear") == 1


def test_who_does_not_know_gets_a_person_at_once(found: AgentsEnv) -> None:
    sr_id = asked(found)
    say(found, "모르겠어요")
    assert task(found.env, sr_id).status == "MANUAL"


def test_silence_goes_to_a_person(found: AgentsEnv) -> None:
    env = found.env
    sr_id = asked(found)
    due.process_due(later(env, minutes=61))
    found.work()
    assert task(env, sr_id).status == "MANUAL"
    assert any("기한까지 답변이 없었습니다" in r for r in issue(env, sr_id).triage["reasons"])


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("1호기", {"account": "u-other"}),
        ("1호기", {"room": "다른방"}),
        ("1호기", {"thread": "t-other"}),
        ("DB도 느려요", {"thread": ""}),
        ("감사합니다", {}),
    ],
)
@pytest.mark.slow
def test_other_lines_are_no_answers(found: AgentsEnv, text: str, more: dict[str, str]) -> None:
    sr_id = asked(found)
    assert say(found, text, **more) is None
    assert question(found.env, sr_id).state == "OPEN"  # type: ignore[union-attr]


@pytest.mark.slow
def test_outside_of_the_thread_a_named_server_answers(found: AgentsEnv) -> None:
    sr_id = asked(found)
    assert say(found, "와스 2호기입니다", thread="") is not None
    assert task(found.env, sr_id).target_server == "MOF-WAS-02"


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("VPN 계정 하나 만들어 주세요", {}),
        ("점심 메뉴 알려 주세요", {}),
        ("기재부 와스 백업은 언제 하나요?", {}),
        (UNCLEAR, {"channel": "alerts", "account": ""}),
    ],
)
@pytest.mark.slow
def test_no_question_without_need_or_requester(
    found: AgentsEnv, text: str, more: dict[str, str]
) -> None:
    sr_id = asked(found, text, **more)
    assert question(found.env, sr_id) is None and task(found.env, sr_id).status != "RECEIVED"


@pytest.mark.slow
def test_the_only_server_of_its_kind_needs_no_question(found: AgentsEnv) -> None:
    sr_id = asked(found, "기재부 DB가 너무 느립니다. 장애입니다")
    assert task(found.env, sr_id).target_server == "MOF-DB-01"


@pytest.mark.slow
def test_without_an_institution_no_server_is_named(found: AgentsEnv) -> None:
    env = found.env
    urgent = asked(found, "와스 접속이 아예 안됩니다. 전 직원 업무 마비입니다")
    assert question(env, urgent) is None and task(env, urgent).status == "MANUAL"
    sr_id = asked(found, "와스 화면이 느립니다. 장애 같아요")
    text, choices = messages(env, sr_id)[-1]
    assert "서버 이름이나 ID로" in text and choices == () and "MOF" not in text
    say(found, "MOF-WAS-01 이요")
    assert task(env, sr_id).target_server == "MOF-WAS-01"


def test_customers_hear_only_of_their_own_servers(found: AgentsEnv) -> None:
    enrol_page_users(found.env)
    sr_id = asked(found, institution="MOE")
    assert not any("기재부" in c.label for c in messages(found.env, sr_id)[-1][1])


def test_the_page_answers_for_those_who_may_see_the_issue(found: AgentsEnv) -> None:
    env = found.env
    enrol_page_users(env)
    sr_id = asked(found, institution="MOF")
    with pytest.raises(NotFound):
        questions.answer(env.board, OTHER_CUSTOMER, sr_id, "1호기")
    assert "MOF-WAS-01" in questions.answer(env.board, CUSTOMER, sr_id, "1호기")
    with pytest.raises((NotFound, Stale)):
        questions.answer(env.board, LEAD, sr_id, "2호기")


def test_linked_staff_answer_for_the_requester(found: AgentsEnv) -> None:
    env = found.env
    sr_id = asked(found)
    link_account(env, "eng", "m-eng")
    first = messages(env, sr_id)[-1][1][0]
    assert answers.press_server(env.board, Settings(), press(first, "m-eng")).replaces


def test_small_talk_opens_no_issue_in_the_pipeline(found: AgentsEnv) -> None:
    board = found.env.board
    for text, said in (
        ("안녕하세요", "요청하실 내용을"),
        ("감사합니다 ㅎㅎ", ""),
        ("테스트", "수신"),
    ):
        line = RoomLine(**{**ROOM, "sender": "장하늘", "text": text, "external_id": text})
        reply = conversation.answer_line(board, line, Settings())
        assert said in reply.text and "접수했습니다" not in reply.text
    line = RoomLine(
        **{**ROOM, "sender": "장하늘", "text": "안녕하세요 DB 죽었어요"}, external_id="4"
    )
    assert "SR-" in conversation.answer_line(board, line, Settings()).text
