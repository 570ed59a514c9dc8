"""The inbox names everything that needs a person, once, and nothing that others deal with."""

from __future__ import annotations

import pytest
from board_env import CUSTOMER, ENGINEER, LEAD, PM, SERVER, BoardEnv
from page_env import AUDITOR, OTHER_CUSTOMER, IssueScenario
from sqlalchemy import text

from guardia.board.execution import tasks
from guardia.board.home.inbox import read_inbox
from guardia.org.directory import PersonInfo


def kinds(env: BoardEnv, person: PersonInfo) -> list[tuple[str, str]]:
    return [(item.kind, item.path) for item in read_inbox(env.board, person).items]


def change(env: BoardEnv, statement: str, **values: object) -> None:
    with env.board.database.transaction() as session:
        session.execute(text(statement), values)


def handed_over(env: BoardEnv, owner: str | None = None) -> int:
    claim = env.create_parsed_task(SERVER.server_id)
    tasks.hand_over(env.board, env.claim("db-agent"), "런북이 없습니다.")
    change(
        env,
        "update tb_sr_request set assignee_id = :owner where sr_id = :sr",
        owner=owner,
        sr=claim.sr_id,
    )
    change(
        env,
        "update tb_ops_task set owner_id = :owner where sr_id = :sr",
        owner=owner,
        sr=claim.sr_id,
    )
    change(env, "update tb_proposal set state = 'LAPSED' where sr_id = :sr", sr=claim.sr_id)
    return claim.sr_id


def test_a_proposal_waits_for_the_one_who_is_asked(env: BoardEnv) -> None:
    sr_id = env.create_parsed_task(SERVER.server_id).sr_id
    tasks.hand_over(env.board, env.claim("db-agent"), "런북이 없습니다.")
    assert kinds(env, ENGINEER) == [("proposed", f"/issues/{sr_id}")]


@pytest.mark.slow
def test_nothing_waits_for_anyone_on_an_empty_board(env: BoardEnv) -> None:
    for person in (CUSTOMER, ENGINEER, LEAD, PM, AUDITOR):
        found = read_inbox(env.board, person)
        assert (found.items, found.total, found.by_kind) == ((), 0, ())


@pytest.mark.slow
def test_an_approval_waits_for_its_approver_only(web_env: BoardEnv) -> None:
    scenario = IssueScenario(web_env).waiting()
    assert kinds(web_env, LEAD) == [("decision", f"/issues/{scenario.sr_id}")]
    assert kinds(web_env, ENGINEER) == kinds(web_env, CUSTOMER) == kinds(web_env, AUDITOR) == []


@pytest.mark.slow
def test_work_waits_for_its_engineer_and_unassigned_work_for_all(env: BoardEnv) -> None:
    mine, open_one = handed_over(env, ENGINEER.id), handed_over(env)
    assert kinds(env, ENGINEER) == [
        ("assigned", f"/issues/{mine}"),
        ("unassigned", f"/issues/{open_one}"),
    ]
    assert kinds(env, LEAD) == [("unassigned", f"/issues/{open_one}")]
    assert kinds(env, AUDITOR) == kinds(env, CUSTOMER) == []


@pytest.mark.slow
def test_an_issue_that_waits_for_two_reasons_is_counted_once(env: BoardEnv) -> None:
    number = handed_over(env, ENGINEER.id)
    change(env, "update tb_sr_request set stalled_at = now() where sr_id = :sr", sr=number)
    found = read_inbox(env.board, ENGINEER)
    assert (found.total, found.by_kind) == (1, (("assigned", 1),))
    assert kinds(env, LEAD) == [("stalled", f"/issues/{number}")]


@pytest.mark.slow
def test_the_most_urgent_is_first(env: BoardEnv) -> None:
    calm, urgent = handed_over(env), handed_over(env)
    change(env, "update tb_sr_request set priority = 'P1' where sr_id = :sr", sr=urgent)
    assert [path for _, path in kinds(env, LEAD)] == [f"/issues/{urgent}", f"/issues/{calm}"]


def test_an_acceptance_waits_for_the_requester(web_env: BoardEnv) -> None:
    number = handed_over(web_env, ENGINEER.id)
    change(
        web_env,
        "update tb_sr_request set requester_id = :p, inst_id = :i where sr_id = :sr",
        p=CUSTOMER.id,
        i=CUSTOMER.institution,
        sr=number,
    )
    change(
        web_env,
        "insert into tb_acceptance (task_id, sr_id, asked_of, state, asked_at) "
        "select task_id, sr_id, 'requester', 'WAITING', now() from tb_ops_task where sr_id = :sr",
        sr=number,
    )
    assert kinds(web_env, CUSTOMER) == [("accept", f"/issues/{number}")]
    assert kinds(web_env, OTHER_CUSTOMER) == []
