"""Tests of approver assignments: the chart's approvers decide and are notified, or the role's."""

from __future__ import annotations

from datetime import timedelta

import pytest
from board_env import LEAD, LEAD2, OFFICER, PM, BoardEnv
from second_person import with_second_person
from sqlalchemy import select

from guardia.board.approvals import decisions, delegations, pending
from guardia.board.core.actors import Actor
from guardia.board.core.lifecycle import State
from guardia.board.core.notices import Notice
from guardia.board.organization import chart as organization_chart
from guardia.board.tracker import issue_page
from guardia.errors import Forbidden, Misconfigured
from guardia.org import chart
from guardia.org.directory import PersonInfo

SHIPPED = chart.shipped_chart_path().read_text("utf-8")


def name_people(env: BoardEnv, *duties: str) -> None:
    text = SHIPPED + "duties:\n" + "".join(f"  - {{{duty}}}\n" for duty in duties)
    by = Actor.operator("test")
    with_second_person(env.board, lambda: organization_chart.apply_chart(env.board, text, by))


def notified(env: BoardEnv) -> set[str]:
    with env.board.database.reading() as session:
        return set(session.scalars(select(Notice.person_id)))


def waits_for(env: BoardEnv, who: PersonInfo, sr_id: int = 1) -> bool:
    """Return whether a step waits for a person, on the list and on the page alike."""
    mine = any(s.mine for s in issue_page.get_issue(env.board, who, sr_id).tasks[0].steps)
    assert mine is bool(pending.pending_steps(env.board, who))
    return mine


def may_decide(env: BoardEnv, who: PersonInfo, task: int, bound: str) -> bool:
    assert waits_for(env, who) is (who.id in notified(env))
    try:
        decisions.decide(env.board, who, task, approve=True, plan_hash=bound)
    except Forbidden:
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize(
    "duties",
    [
        ("role: team_lead, people: [lead2]",),
        ("role: team_lead, institution: MOF, people: [lead2]",),
        (
            "role: team_lead, people: [lead]",
            "role: team_lead, institution: MOF, people: [lead2, nobody], substitutes: [lead]",
        ),
        ("role: team_lead, people: [ghost], substitutes: [lead2]",),
    ],
)
def test_only_those_whom_the_chart_names_decide_and_are_notified(
    env: BoardEnv, duties: tuple[str, ...]
) -> None:
    name_people(env, *duties)
    held, _, bound = env.create_filed_plan()
    assert notified(env) == {"lead2"}
    assert not may_decide(env, LEAD, held.task_id, bound)
    assert may_decide(env, LEAD2, held.task_id, bound)


@pytest.mark.slow
def test_another_institutions_duty_changes_nothing_here(env: BoardEnv) -> None:
    name_people(env, "role: team_lead, institution: MOE, people: [lead2]")
    held, _, bound = env.create_filed_plan()
    assert notified(env) == {"lead", "lead2"}
    assert may_decide(env, LEAD, held.task_id, bound)


@pytest.mark.slow
def test_an_assigned_person_holds_the_role_regardless_of_their_account(env: BoardEnv) -> None:
    name_people(env, "role: team_lead, people: [pm]")
    held, _, bound = env.create_filed_plan()
    assert may_decide(env, PM, held.task_id, bound)


@pytest.mark.slow
@pytest.mark.parametrize("people", ["ghost", "eng", "cus"])
def test_an_assignee_without_permission_leaves_the_role_empty(env: BoardEnv, people: str) -> None:
    name_people(env, f"role: team_lead, people: [{people}]")
    held, _, bound = env.create_filed_plan()
    assert notified(env) == set()
    for person in (LEAD, LEAD2, PM, OFFICER):
        assert not may_decide(env, person, held.task_id, bound)


@pytest.mark.slow
def test_a_substitute_acts_only_while_all_are_away(env: BoardEnv) -> None:
    name_people(env, "role: team_lead, people: [lead], substitutes: [lead2]")
    held, _, bound = env.create_filed_plan()
    assert notified(env) == {"lead"} and not waits_for(env, LEAD2)
    with pytest.raises(Forbidden):
        decisions.decide(env.board, LEAD2, held.task_id, approve=True, plan_hash=bound)
    ends = env.board.clock() + timedelta(days=1)
    delegations.delegate(env.board, LEAD, "pm", ends=ends, absent=True)
    assert waits_for(env, LEAD2) and waits_for(env, PM), "the absent one's delegate too"
    state = decisions.decide(env.board, LEAD2, held.task_id, approve=True, plan_hash=bound)
    assert state is State.APPROVED


@pytest.mark.slow
def test_a_duty_is_a_role_that_can_approve_and_named_once() -> None:
    for duty in ("role: engineer, people: [eng]", "role: pm, people: []"):
        with pytest.raises(Misconfigured):
            chart.parse(SHIPPED + f"duties:\n  - {{{duty}}}\n")
    with pytest.raises(Misconfigured, match="중복 지정"):
        chart.parse(SHIPPED + "duties:\n" + "  - {role: pm, people: [a]}\n" * 2)


def test_assignees_without_an_account_are_reported_before_a_chart_is_applied(env: BoardEnv) -> None:
    text = SHIPPED + "duties:\n  - {role: pm, people: [pm, ghost], substitutes: [nobody]}\n"
    assert organization_chart.preview(env.board, text).unknown_people == ["ghost", "nobody"]
