"""A request that goes to people is proposed to who fits best, then to the next, then queued."""

from __future__ import annotations

from datetime import datetime

import pytest
from assignment_env import (
    ROOM,
    SECOND,
    THIRD,
    enrol,
    issue,
    kinds,
    later,
    link_account,
    messages,
    press,
    proposals,
    queued,
    states,
    task,
)
from board_env import CUSTOMER, ENGINEER, LEAD, BoardEnv

from guardia.board.approvals import absences
from guardia.board.approvals.absences import AbsenceRequest
from guardia.board.assignment import answers, due, queue
from guardia.board.assignment import proposals as use_cases
from guardia.board.assignment.understanding import Understanding
from guardia.board.control import directives
from guardia.board.control.directives import DirectiveRequest
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext
from guardia.board.core.labels import SEOUL
from guardia.board.execution import tasks
from guardia.errors import Forbidden, NotFound, Refused, Stale
from guardia.settings import Settings

READ = Understanding(
    kind="REQUEST",
    category="DB",
    priority="P3",
    institution="MOF",
    action_type="HEALTH_CHECK",
    reasons=("‘DB’",),
    confidence="medium",
    unsure=("priority",),
)


def handed_over(env: BoardEnv, understood: Understanding = READ, **more: str) -> int:
    """Return a request that the dispatcher has handed to people."""
    sr_id = env.create_issue(**{**ROOM, **more})
    tasks.hand_over(env.board, env.claim("dispatcher"), "담당자 확인", understood=understood)
    return sr_id


def test_the_triage_is_kept_of_a_request_that_goes_to_people(env: BoardEnv) -> None:
    found = issue(env, handed_over(env))
    assert (found.kind, found.category, found.priority) == ("REQUEST", "DB", "P3")
    assert found.triage["confidence"] == "medium" and found.triage["unsure"] == ["priority"]
    assert found.triage["action_type"] == "HEALTH_CHECK" and found.triage["servers"] == []


def test_the_best_is_asked_with_reasons_scores_and_buttons(env: BoardEnv) -> None:
    enrol(env, SECOND, THIRD)
    sr_id = handed_over(env)
    row = proposals(env, sr_id)[-1]
    # Owner of a server of the institution: without a server in the request, that counts.
    assert (row.candidate_id, row.state) == ("eng", "OPEN")
    assert row.reasons[0] == "담당 추천: 김철수 대리 (DB 숙련도 상, 처리 중 0건)"
    assert [one["person"] for one in row.ranking] == ["eng", "eng2", "eng3"]
    assert row.score == row.ranking[0]["score"] > row.ranking[1]["score"]
    text, choices = messages(env, sr_id)[-1]
    assert "담당 추천: 김철수 대리" in text and "30분 안에" in text
    assert [(c.act, c.label) for c in choices] == [("accept", "수락"), ("decline", "거절")]
    assert kinds(env, sr_id)[-2:] == ["handed_over", "assignment_proposed"]


def test_acceptance_confirms_the_assignee(env: BoardEnv) -> None:
    sr_id = handed_over(env)
    number = proposals(env, sr_id)[-1].proposal_id
    for _ in range(2):  # a messenger may deliver a press twice
        use_cases.accept(env.board, ENGINEER, number)
    assert issue(env, sr_id).assignee_id == task(env, sr_id).owner_id == "eng"
    assert states(env, sr_id) == [("eng", "ACCEPTED")]
    with pytest.raises(Stale):
        use_cases.decline(env.board, ENGINEER, number, "늦게")
    assert kinds(env, sr_id)[-1] == "assignment_accepted"


def test_only_the_one_who_is_asked_answers(env: BoardEnv) -> None:
    enrol(env, SECOND)
    number = proposals(env, handed_over(env))[-1].proposal_id
    with pytest.raises(NotFound):
        use_cases.accept(env.board, SECOND, number)
    with pytest.raises(Forbidden):
        use_cases.accept(env.board, CUSTOMER, number)
    with pytest.raises(NotFound):
        use_cases.accept(env.board, ENGINEER, number + 1)


def test_a_refusal_asks_the_next_and_then_the_queue(env: BoardEnv) -> None:
    enrol(env, SECOND)
    sr_id = handed_over(env)
    use_cases.decline(env.board, ENGINEER, proposals(env, sr_id)[-1].proposal_id, "휴가 준비")
    assert states(env, sr_id) == [("eng", "DECLINED"), ("eng2", "OPEN")]
    assert proposals(env, sr_id)[0].reason == "휴가 준비"
    use_cases.decline(env.board, SECOND, proposals(env, sr_id)[-1].proposal_id, "업무 과다")
    entry = queued(env, sr_id)
    assert entry is not None and entry.owner_id == "lead" and "팀장" in entry.owner_reason
    assert kinds(env, sr_id)[-1] == "issue_queued"


def test_silence_asks_the_next_and_urgent_requests_sooner(env: BoardEnv) -> None:
    enrol(env, SECOND)
    normal = handed_over(env)
    urgent = handed_over(env, READ.model_copy(update={"priority": "P1"}))
    due.process_due(later(env, minutes=6))
    assert states(env, normal)[0][1] == "OPEN" and states(env, urgent)[0][1] == "LAPSED"
    assert len(states(env, urgent)) == 2
    due.process_due(later(env, minutes=31))
    assert states(env, normal)[0] == ("eng", "LAPSED") and len(states(env, normal)) == 2
    assert "assignment_lapsed" in kinds(env, normal)


def test_an_absent_person_is_never_asked(env: BoardEnv) -> None:
    enrol(env, SECOND)
    today = datetime.now(SEOUL).date()
    away = AbsenceRequest("eng", today, today, reason="휴가")
    absences.set_absences(env.board, Actor.operator("test"), [away])
    assert states(env, handed_over(env)) == [("eng2", "OPEN")]


def test_no_one_fits_so_the_queue_has_an_owner(env: BoardEnv) -> None:
    sr_id = handed_over(env, READ.model_copy(update={"category": "NETWORK", "institution": None}))
    entry = queued(env, sr_id)
    assert entry is not None and entry.owner_id in ("lead", "lead2") and entry.why
    assert proposals(env, sr_id) == []
    queue.take(env.board, ENGINEER, sr_id)
    assert queued(env, sr_id) is None and issue(env, sr_id).assignee_id == "eng"
    assert states(env, sr_id) == [("eng", "ASSIGNED")]


def test_buttons_need_a_linked_account(env: BoardEnv) -> None:
    enrol(env, SECOND)
    sr_id = handed_over(env)
    accept, decline = messages(env, sr_id)[-1][1]
    assert "연결" in answers.press_accept(env.board, Settings(), press(accept, "stranger")).text
    link_account(env, "eng", "m-eng")
    done = answers.press_decline(env.board, Settings(), press(decline, "m-eng"))
    assert done.replaces and done.link == f"http://board/issues/{sr_id}"
    assert states(env, sr_id) == [("eng", "DECLINED"), ("eng2", "OPEN")]
    link_account(env, "eng2", "m-eng2")
    accept = messages(env, sr_id)[-1][1][0]
    answers.press_accept(env.board, Settings(), press(accept, "m-eng2"))
    assert issue(env, sr_id).assignee_id == "eng2"


def test_people_who_reassign_replace_the_choice(env: BoardEnv) -> None:
    enrol(env, SECOND)
    sr_id = handed_over(env)
    use_cases.accept(env.board, ENGINEER, proposals(env, sr_id)[-1].proposal_id)
    order = DirectiveRequest("reassign", "교대", "eng2")
    directives.issue_directive(env.board, LEAD, task(env, sr_id).task_id, order)
    assert states(env, sr_id) == [("eng", "REPLACED"), ("eng2", "ASSIGNED")]


def test_taking_over_by_hand_is_kept_and_asks_no_one(env: BoardEnv) -> None:
    claim = env.create_parsed_task()
    order = DirectiveRequest("manual", "직접")
    directives.issue_directive(env.board, LEAD, claim.task_id, order)
    due.process_due(env.board)
    assert queued(env, claim.sr_id) is None


def test_what_ends_asks_no_one_any_more(env: BoardEnv) -> None:
    sr_id = handed_over(env)
    order = DirectiveRequest("abort", "중복")
    directives.issue_directive(env.board, LEAD, task(env, sr_id).task_id, order)
    due.process_due(env.board)
    assert states(env, sr_id) == [("eng", "WITHDRAWN")]
    with pytest.raises(Refused):
        queue.take(env.board, ENGINEER, sr_id)


def test_every_ownerless_issue_comes_into_the_queue(env: BoardEnv) -> None:
    sr_id = handed_over(env)
    with env.board.database.transaction() as session:
        for row in session.query(type(proposals(env, sr_id)[0])):
            session.delete(row)
    board: BoardContext = env.board
    assert due.process_due(board) == 1 and due.process_due(board) == 0
    assert queued(env, sr_id) is not None
