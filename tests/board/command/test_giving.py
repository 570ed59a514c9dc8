"""Commands are carried out through the board's use cases, as the person who typed them."""

from __future__ import annotations

import pytest
from board_env import CUSTOMER, ENGINEER, LEAD, PM, BoardEnv, plan
from command_env import one, press, rows, say
from page_env import IssueScenario
from sqlalchemy import text

from guardia.board.command import answers, giving
from guardia.board.command.execution.registry import EXECUTORS
from guardia.board.command.lifecycle import CommandState
from guardia.board.command.structure import ACTIONS
from guardia.board.control import kill_switch as control_kill_switch
from guardia.board.core import kill_switch
from guardia.errors import Forbidden, NotFound, Refused, Stale
from guardia.org.access import PERMISSIONS
from guardia.org.directory import PersonInfo

DONE, REFUSED = CommandState.DONE, CommandState.REFUSED
CONFIRM = CommandState.CONFIRM


def status(env: BoardEnv, sr_id: int) -> str:
    return str(one(env, f"select status from tb_sr_request where sr_id = {sr_id}"))


def test_every_action_has_an_executor_with_a_permission() -> None:
    assert {*EXECUTORS, "clarify", "none"} == set(ACTIONS)


def test_an_issue_is_reassigned_and_the_change_taken_back(env: BoardEnv) -> None:
    sr = env.create_parsed_task().sr_id
    with env.board.database.transaction() as session:
        session.execute(
            text("insert into tb_person (person_id, name, title, role) values "
                 "('eng2', '이영희', '과장', 'engineer')")
        )  # fmt: skip
    reply = say(env, f"#{sr} 이영희 과장한테 넘겨줘")
    assert reply.state is DONE and reply.sr_id == sr and reply.path == f"/issues/{sr}"
    assert one(env, f"select assignee_id from tb_sr_request where sr_id = {sr}") == "eng2"
    undone = press(env, reply, "undo")
    assert undone.state is DONE
    assert one(env, f"select assignee_id from tb_sr_request where sr_id = {sr}") == "eng"
    with pytest.raises(Refused):
        press(env, reply, "undo")


def test_nothing_is_taken_back_after_another_directive(env: BoardEnv) -> None:
    sr = env.create_parsed_task().sr_id
    reply = say(env, f"#{sr} P1으로 올려줘")
    assert one(env, f"select priority from tb_sr_request where sr_id = {sr}") == "P1"
    say(env, f"#{sr} 일시정지", PM)
    with pytest.raises(Refused):
        press(env, reply, "undo")


@pytest.mark.parametrize("channel", ["web", "mattermost"])
def test_the_users_own_sentences_work_where_they_are_typed(env: BoardEnv, channel: str) -> None:
    sr = env.create_parsed_task().sr_id
    more = {"channel": channel, "room": "운영" if channel != "web" else ""}
    first = say(env, "배정된 엔지니어를 김철수 대리로 변경해", sr_id=sr, **more)
    assert first.command.as_dict() == {"action": "reassign", "sr_id": sr, "target": "eng"}
    assert first.state is DONE
    second = say(env, "이 작업은 AI 자동 처리를 멈추고 수동으로 전환해", sr_id=sr, **more)
    assert second.state is DONE and status(env, sr) == "MANUAL"
    third = say(env, "최근 1시간 내 발생한 MOF-DB-01 서버 이슈를 다시 분석해", **more)
    assert third.state is DONE and status(env, sr) == "PARSED"
    assert f"SR-{sr}" in third.text


def test_abort_asks_first_and_acts_once(env: BoardEnv) -> None:
    sr = env.create_parsed_task().sr_id
    asked = say(env, f"#{sr} 작업 중단해")
    assert asked.state is CONFIRM and status(env, sr) == "PARSED"
    assert "1건" in asked.text
    with pytest.raises(NotFound):
        press(env, asked, "confirm", PM)
    with pytest.raises(Stale):
        answers.confirm(env.board, LEAD, f"{asked.command_id}.0123456789abcdef")
    done = press(env, asked, "confirm")
    assert done.state is DONE and status(env, sr) == "ABORTED"
    with pytest.raises(Refused):
        press(env, asked, "confirm")
    assert one(env, "select count(*) from tb_directive") == 1


def test_a_cancelled_or_late_confirmation_does_nothing(env: BoardEnv) -> None:
    sr = env.create_parsed_task().sr_id
    cancelled = say(env, f"#{sr} 중단해줘")
    assert press(env, cancelled, "cancel").state is CommandState.CANCELLED
    late = say(env, f"#{sr} 중단해줘")
    with env.board.database.transaction() as session:
        session.execute(text("update tb_command set expires_at = now() - interval '1 second'"))
    for reply in (cancelled, late):
        with pytest.raises(Refused):
            press(env, reply, "confirm")
    assert status(env, sr) == "PARSED"


def test_a_right_that_is_lost_before_the_confirmation_is_missed_then(env: BoardEnv) -> None:
    sr = env.create_parsed_task().sr_id
    asked = say(env, f"#{sr} 중단해줘")
    limited = LEAD.model_copy(update={"allowed_actions": frozenset({"command.give"})})
    with pytest.raises(Forbidden):
        press(env, asked, "confirm", limited)
    assert status(env, sr) == "PARSED"


@pytest.mark.parametrize(
    "words",
    [
        "#{sr} 일시정지", "#{sr} 중단해줘", "#{sr} 롤백해줘", "#{sr} P1으로 올려줘",
        "#{sr} 수동으로 전환해줘", "#{sr} 김철수 대리한테 배정해줘", "#{sr} 다시 분석해줘",
        "#{sr} 팀장님께 에스컬레이션", "DB 에이전트 깨워줘", "서버 목록 보여줘",
        "전체 정지 풀어줘", "MOE-DB-01 재시작해줘",
    ],
)  # fmt: skip
@pytest.mark.slow
def test_a_customer_directs_nothing(env: BoardEnv, words: str) -> None:
    sr = env.create_parsed_task().sr_id
    reply = say(env, words.format(sr=sr), CUSTOMER)
    assert reply.state is REFUSED or reply.command.action in ("clarify", "none")
    assert one(env, "select count(*) from tb_directive") == 0
    assert one(env, "select count(*) from tb_sr_request") == 1


def test_a_customer_stops_nothing(env: BoardEnv) -> None:
    with pytest.raises(Forbidden):
        say(env, "전체 정지", CUSTOMER)
    assert kill_switch.active_kill_switch(env.board) is None


def test_another_institutions_issue_does_not_exist(env: BoardEnv) -> None:
    sr = env.create_parsed_task().sr_id
    other = CUSTOMER.model_copy(update={"institution": "MOE"})
    seen = say(env, f"#{sr} 어떻게 됐어?", CUSTOMER)
    hidden = say(env, f"#{sr} 어떻게 됐어?", other)
    missing = say(env, "#999 어떻게 됐어?", other)
    assert seen.state is DONE and hidden.state is missing.state is REFUSED
    assert hidden.text.split(maxsplit=1)[1] == missing.text.split(maxsplit=1)[1]


def test_the_switch_is_pressed_without_a_question_and_lifted_with_one(env: BoardEnv) -> None:
    assert say(env, "전체 정지", ENGINEER).state is DONE
    assert kill_switch.active_kill_switch(env.board) is not None
    assert say(env, "전체 정지 풀어줘", ENGINEER).state is REFUSED
    asked = say(env, "전체 정지 풀어줘", PM)
    assert asked.state is CONFIRM and kill_switch.active_kill_switch(env.board) is not None
    assert press(env, asked, "confirm", PM).state is DONE
    assert kill_switch.active_kill_switch(env.board) is None


def test_the_switch_is_pressed_even_if_nothing_can_be_recorded(
    env: BoardEnv, monkeypatch: pytest.MonkeyPatch
) -> None:
    pressed = []
    real = control_kill_switch.kill
    monkeypatch.setattr(
        control_kill_switch, "kill", lambda *a, **w: pressed.append(1) or real(*a, **w)
    )
    with env.board.database.transaction() as session:
        session.execute(text("select 1"))
    say(env, "다 멈춰", LEAD)
    assert pressed == [1]


def test_work_on_a_server_asks_first_and_opens_one_issue(env: BoardEnv) -> None:
    asked = say(env, "MOF-WAS-01 재시작해줘", ENGINEER)
    assert asked.state is CONFIRM and one(env, "select count(*) from tb_sr_request") == 0
    done = press(env, asked, "confirm", ENGINEER)
    [(title, triage)] = rows(env, "select title, triage from tb_sr_request")
    assert done.state is DONE and "MOF-WAS-01" in title and "재시작" in title
    assert triage["servers"] == ["MOF-WAS-01"] and triage["action_type"] == "RESTART"
    read = say(env, "MOF-WAS-01 로그 분석 돌려줘", ENGINEER)
    assert read.state is DONE and one(env, "select count(*) from tb_sr_request") == 2


def test_words_never_approve_but_lead_to_the_very_plan(env: BoardEnv) -> None:
    scenario = IssueScenario(env).waiting()
    for words in ("승인해줘", "반려해줘"):
        reply = say(env, f"#{scenario.sr_id} {words}")
        assert scenario.plan_hash in reply.path and scenario.plan_hash[:12] in reply.text
        assert status(env, scenario.sr_id) == "PENDING_APPROVAL"
    assert one(env, "select count(*) from tb_decision") == 0


def test_a_question_back_is_answered_with_a_button(env: BoardEnv) -> None:
    sr = env.create_parsed_task().sr_id
    with env.board.database.transaction() as session:
        session.execute(
            text("insert into tb_person (person_id, name, title, role) values "
                 "('eng2', '김철수', '부장', 'engineer')")
        )  # fmt: skip
    asked = say(env, f"#{sr} 김철수한테 넘겨줘")
    assert asked.state is CommandState.CLARIFY
    assert [c.label.split(" (")[0] for c in asked.choices] == ["김철수 대리", "김철수 부장", "취소"]
    done = press(env, asked, "choose", number=1)
    assert done.state is DONE
    assert one(env, f"select assignee_id from tb_sr_request where sr_id = {sr}") == "eng2"
    with pytest.raises(Refused):
        press(env, asked, "choose", number=0)


def test_an_unclear_server_is_chosen_and_then_confirmed(env: BoardEnv) -> None:
    asked = say(env, "기획재정부 서버 재시작해줘", ENGINEER)
    assert asked.state is CommandState.CLARIFY
    again = press(env, asked, "choose", ENGINEER, 1)
    assert again.state is CONFIRM and again.command.target == "MOF-WAS-01"


def test_the_page_where_it_was_typed_says_which_issue_is_meant(env: BoardEnv) -> None:
    sr = env.create_parsed_task().sr_id
    assert say(env, "일시정지해줘", sr_id=sr).command.sr_id == sr
    asked = say(env, "중단해줘", sr_id=sr)
    assert asked.state is CONFIRM and asked.command.sr_id == sr
    everything = say(env, "전체 정지", sr_id=sr)
    assert everything.command.action == "kill_all"


def test_a_comment_and_an_escalation_show_on_the_issue(env: BoardEnv) -> None:
    sr = env.create_parsed_task().sr_id
    assert say(env, f"#{sr}에 코멘트 남겨줘: 업체 점검 예정", ENGINEER).state is DONE
    assert say(env, f"#{sr} 팀장님께 에스컬레이션", ENGINEER).state is DONE
    bodies = [r[0] for r in rows(env, "select body from tb_comment order by comment_id")]
    assert bodies[-2] == "업체 점검 예정" and "팀장" in bodies[-1]
    assert one(env, "select count(*) from tb_outbox where kind = 'alert' and text like '%팀장%'")
    kinds = [r[0] for r in rows(env, "select kind from tb_audit_log order by seq desc limit 2")]
    assert kinds == ["command_ended", "escalated"]


def test_every_command_is_logged_with_text_and_structure(env: BoardEnv) -> None:
    sr = env.create_parsed_task().sr_id
    say(env, f"#{sr} 일시정지 010-1234-5678", LEAD)
    [(given, detail)] = rows(
        env, "select log_content, detail from tb_audit_log where kind = 'commanded'"
    )
    assert detail["structure"] == {"action": "pause", "sr_id": sr}
    assert "일시정지" in given and "1234" not in given + detail["text"]
    assert one(env, "select text from tb_command") == detail["text"]


def test_what_a_state_does_not_permit_is_said_with_the_state(env: BoardEnv) -> None:
    sr = env.create_parsed_task().sr_id
    reply = say(env, f"#{sr} 롤백해줘")
    assert (reply.state is REFUSED and "분석" in reply.text) or "진단" in reply.text
    assert one(env, "select state from tb_command") == "REFUSED"


@pytest.mark.parametrize(
    "words",
    [
        "지금 진행 중인 작업 보여줘", "승인할 거 뭐 있어?", "누가 제일 바빠?",
        "김철수 대리 지금 몇 건 들고 있어?", "어제 누가 전체 정지 눌렀어?",
        "MOF-DB-01 상태 어때?", "서버 목록 보여줘", "에이전트들 다 살아있어?",
        "MOF-DB-01 변경 이력 보여줘", "내 작업 목록 보여줘", "기획재정부 작업 뭐 있어?",
    ],
)  # fmt: skip
@pytest.mark.slow
def test_questions_are_answered(env: BoardEnv, words: str) -> None:
    env.create_filed_plan(plan())
    reply = say(env, words)
    assert reply.command.action == "query" and reply.state is DONE, reply
    assert reply.text and reply.path.startswith("/")


def test_an_agent_is_woken_and_a_plan_diagnosed_again(env: BoardEnv) -> None:
    claim, _, _ = env.create_filed_plan()
    assert say(env, "DB 에이전트 깨워줘", ENGINEER).state is DONE
    assert say(env, f"#{claim.sr_id} 다시 분석해줘", ENGINEER).state is DONE
    [(state, plan_hash, attempt)] = rows(env, "select status, plan_hash, attempt from tb_ops_task")
    assert (state, plan_hash, attempt) == ("PARSED", None, 1)
    assert one(env, "select count(*) from tb_approval where state = 'WAITING'") == 0


def test_a_token_carries_only_its_own_rights(env: BoardEnv) -> None:
    sr = env.create_parsed_task().sr_id
    for rights in ({"directive.pause"}, {"command.give"}):
        limited = LEAD.model_copy(update={"allowed_actions": frozenset(rights)})
        try:
            reply = say(env, f"#{sr} 일시정지", limited)
            assert reply.state is REFUSED
        except Forbidden:
            assert "command.give" not in rights
    assert one(env, "select count(*) from tb_directive") == 0


def test_every_permission_of_an_executor_exists() -> None:
    from guardia.board.command.execution import queries

    assert set(queries.PERMISSIONS.values()) <= set(PERMISSIONS)


def test_a_preview_does_nothing(env: BoardEnv) -> None:
    from guardia.board.command.records import TypedLine

    sr = env.create_parsed_task().sr_id
    person: PersonInfo = LEAD
    found = giving.preview(env.board, person, TypedLine(f"#{sr} 일시정지", "web"))
    assert found.command.as_dict() == {"action": "pause", "sr_id": sr}
    assert found.sentence and found.state is None
    assert one(env, "select count(*) from tb_command") == 0
