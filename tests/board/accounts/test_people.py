"""Separation of duties counts humans, however many accounts each has."""

from __future__ import annotations

import re

import pytest
from board_env import ENGINEER, LEAD, LEAD2, OFFICER, PM, BoardEnv, assignment, plan, replace_plan
from second_person import with_second_person
from sqlalchemy import select

from guardia.board.accounts import people
from guardia.board.approvals import decisions, delegations, pending
from guardia.board.audit import log
from guardia.board.audit.model import AuditEntry
from guardia.board.core.actors import Actor
from guardia.board.core.context import BoardContext, utc_now
from guardia.board.core.lifecycle import State
from guardia.board.core.notices import Notice
from guardia.board.execution import assignments, tasks
from guardia.board.organization import chart as organization_chart
from guardia.errors import Forbidden, Invalid, NotFound, Refused
from guardia.org import chart
from guardia.org.directory import PersonInfo

BY = Actor.operator("test")
IN_AN_HOUR = utc_now().replace(year=utc_now().year + 1)


def alias(of: str, role: str, account: str) -> PersonInfo:
    return PersonInfo(id=account, name="다른 이름", title="-", role=role, identity=of)


def waits(env: BoardEnv, requester: str | None, category: str = "MAINTENANCE") -> tuple[int, str]:
    """Return a plan that waits for its first step, on a request of this person."""
    env.create_issue(**({"requester_id": requester} if requester else {}))
    assignments.file_triage(env.board, env.claim("dispatcher"), assignment("MOF-DB-01"))
    held = env.claim("db-agent")
    filed = plan(category)
    tasks.file_plan(env.board, held, filed)
    return held.task_id, tasks.plan_hash(held.task_id, filed)


def approve(env: BoardEnv, who: PersonInfo, task: tuple[int, str]) -> State:
    return decisions.decide(env.board, who, task[0], approve=True, plan_hash=task[1])


def refused(env: BoardEnv, who: PersonInfo, task: tuple[int, str]) -> None:
    with pytest.raises(Forbidden):
        approve(env, who, task)


def waiting_for(board: BoardContext, who: PersonInfo) -> int:
    return len(pending.pending_steps(board, who))


def test_the_requester_cannot_approve_under_another_account(env: BoardEnv) -> None:
    """The attack: file as a customer, approve as a team lead; accounts joined before or after."""
    task = waits(env, "cus")
    assert waiting_for(env.board, LEAD) == 1
    people.join_accounts(env.board, BY, "lead", "cus")
    assert waiting_for(env.board, LEAD) == 0
    refused(env, LEAD, task)
    with pytest.raises(Forbidden):
        decisions.decide(
            env.board, LEAD, task[0], approve=False, plan_hash=task[1], reason="반려도"
        )
    # Neither may act in the other's name.
    delegations.delegate(env.board, LEAD, "eng", ends=IN_AN_HOUR)
    refused(env, ENGINEER, task)
    delegations.delegate(env.board, LEAD2, "lead", ends=IN_AN_HOUR)
    refused(env, LEAD, task)
    assert approve(env, LEAD2, task) is State.APPROVED


@pytest.mark.slow
def test_the_plans_author_cannot_approve_under_another_account(env: BoardEnv) -> None:
    held, filed, _ = env.create_filed_plan()
    replace_plan(env.board, held.task_id, filed, ENGINEER)
    people.join_accounts(env.board, BY, "eng", "lead")
    refused(env, LEAD, (held.task_id, tasks.plan_hash(held.task_id, filed)))


@pytest.mark.slow
def test_one_human_fills_one_step_and_counts_once_in_a_quorum(env: BoardEnv) -> None:
    steps = "steps: [team_lead, pm, {role: security_officer, quorum: 2}]"
    text = chart.shipped_chart_path().read_text("utf-8")
    stricter = re.sub(r"(DESTRUCTIVE: \{)steps: \[[^]]*\]", rf"\1{steps}", text)
    organization_chart.apply_chart(env.board, stricter, BY)
    task = waits(env, None, "DESTRUCTIVE")
    second = alias("", "security_officer", "officer2")
    with_second_person(env.board, lambda: people.add(env.board, BY, second))
    people.join_accounts(env.board, BY, "lead", "pm")
    people.join_accounts(env.board, BY, "officer", "officer2")
    approve(env, LEAD, task)
    refused(env, PM, task)
    with_second_person(env.board, lambda: people.add(env.board, BY, alias("", "pm", "pm2")))
    approve(env, PersonInfo(id="pm2", name="x", title="", role="pm"), task)
    approve(env, OFFICER, task)
    waiting = pending.pending_plans(env.board, 1)
    assert (waiting[0].role, waiting[0].given, waiting[0].quorum) == ("security_officer", 1, 2)
    refused(env, second, task)
    assert waiting_for(env.board, second) == 0


@pytest.mark.slow
def test_approvals_that_turn_out_to_be_one_humans_start_nothing(env: BoardEnv) -> None:
    task = waits(env, None, "DEPLOY_SECURE")
    boss = PersonInfo(id="boss", name="윤서준", title="부장", role="admin")
    with_second_person(env.board, lambda: people.add(env.board, BY, boss))
    states = [approve(env, who, task) for who in (LEAD, PM, OFFICER, boss)]
    assert states[-1] is State.APPROVED
    claim = env.claim("db-agent")
    people.join_accounts(env.board, BY, "pm", "officer")
    with pytest.raises(Refused):
        tasks.begin_execution(env.board, claim)


def test_people_are_only_asked_for_decisions_they_may_make(env: BoardEnv) -> None:
    people.join_accounts(env.board, BY, "cus", "lead")
    waits(env, "cus")
    with env.board.database.reading() as session:
        assert set(session.scalars(select(Notice.person_id).where(Notice.kind == "due"))) == {
            "lead2"
        }


def test_delegation_to_ones_own_other_account_is_refused(env: BoardEnv) -> None:
    people.join_accounts(env.board, BY, "lead", "eng")
    with pytest.raises(Invalid):
        delegations.delegate(env.board, LEAD, "eng", ends=IN_AN_HOUR)


@pytest.mark.slow
def test_joining_two_of_several_accounts_joins_them_all(env: BoardEnv) -> None:
    people.join_accounts(env.board, BY, "lead", "pm")
    people.set_identity(env.board, BY, "eng", "사번-7")
    people.set_identity(env.board, BY, "cus", "사번-7")
    assert people.join_accounts(env.board, BY, "pm", "cus") == "lead"
    found = {a.person.id: a.person.identity for a in people.list_accounts(env.board)}
    assert {found[p] for p in ("lead", "pm", "eng", "cus")} == {"lead"}
    assert found["officer"] is None


@pytest.mark.slow
def test_every_account_change_is_logged_and_bad_input_changes_nothing(
    env: BoardEnv,
) -> None:
    board = env.board
    new = PersonInfo(id="new", name="새 사람", title="과장", role="engineer", identity="사번-1")
    people.add(board, BY, new, "넉넉히-기나긴-암호-7")
    people.set_role(board, BY, "new", "auditor")
    people.set_active(board, BY, "new", active=False)
    people.set_active(board, BY, "new", active=False)
    again = new.model_copy(update={"title": "부장", "identity": None})
    assert people.import_people(board, BY, [again, LEAD]) == 1
    for wrong in (
        lambda: people.add(board, BY, new),
        lambda: people.add(board, BY, new.model_copy(update={"id": "n2"}), "짧음"),
        lambda: people.add(board, BY, new.model_copy(update={"id": "n2", "role": "root"})),
        lambda: people.import_people(
            board, BY, [PM, new.model_copy(update={"institution": "없음"})]
        ),
        lambda: people.set_role(board, BY, "new", "root"),
        lambda: people.join_accounts(board, BY, "lead", "lead"),
    ):
        with pytest.raises(Invalid):
            wrong()
    with pytest.raises(NotFound):
        people.set_role(board, BY, "nobody", "pm")
    found = {a.person.id: a for a in people.list_accounts(board)}
    assert "n2" not in found
    assert (found["new"].person.title, found["new"].person.identity) == ("부장", "사번-1")
    assert not found["new"].active
    with board.database.reading() as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.seq).offset(1)).all()
        assert log.verify_all(session).intact
    assert [(e.kind, sorted(e.detail["what"])) for e in entries] == [
        ("person_added", ["active", "identity", "institution", "name", "role", "skills", "title"]),
        ("person_changed", ["role"]),
        ("person_changed", ["active"]),
        ("person_changed", ["role", "title"]),
    ]
    assert "암호" not in str([e.detail for e in entries])
