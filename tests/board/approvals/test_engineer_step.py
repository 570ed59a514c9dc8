"""A step of the approval policy that the engineers of the server decide."""

from __future__ import annotations

import pytest
from board_env import (
    ENGINEER,
    LEAD,
    PEOPLE,
    SECOND_SERVER,
    SERVER,
    BoardEnv,
    action,
    plan,
    replace_plan,
)
from policy_env import rule

from guardia.board.approvals import decisions, pending
from guardia.board.core.lifecycle import State
from guardia.board.execution import view
from guardia.board.organization import chart as organization_chart
from guardia.board.tracker import issue_page
from guardia.errors import Forbidden, Misconfigured
from guardia.org import chart
from guardia.org.directory import Directory, Host, OwnerInfo, PersonInfo

ELSEWHERE = PersonInfo(id="eng2", name="박영희", title="사원", role="engineer", skills=("WAS",))
SECOND = PersonInfo(id="eng3", name="이도윤", title="과장", role="engineer", skills=("DB",))
SECOND_OWNER = OwnerInfo(person="eng2", server="MOF-WAS-01", skill="WAS", proficiency=4)
SHIPPED = chart.shipped_chart_path().read_text("utf-8")


@pytest.fixture
def env(env: BoardEnv) -> BoardEnv:
    """Return the board with engineers of both servers and the engineer first in the chain."""
    names = Directory(
        servers=(SERVER, SECOND_SERVER), people=(*PEOPLE, ELSEWHERE), owners=(SECOND_OWNER,)
    )
    organization_chart.import_directory(env.board, names, {})
    rule(env, "[engineer, team_lead]")
    return env


def approve(env: BoardEnv, who: PersonInfo, task: int, bound: str) -> State:
    return decisions.decide(env.board, who, task, approve=True, plan_hash=bound)


@pytest.mark.slow
def test_the_engineer_of_the_server_decides_first(env: BoardEnv) -> None:
    claim, _, bound = env.create_filed_plan()
    assert [step.sr_id for step in pending.pending_steps(env.board, ENGINEER).steps] == [1]
    assert not pending.pending_steps(env.board, ELSEWHERE)
    assert issue_page.get_issue(env.board, ENGINEER, 1).tasks[0].steps[0].mine
    assert not issue_page.get_issue(env.board, ELSEWHERE, 1).tasks[0].steps[0].mine
    for person in (ELSEWHERE, LEAD):
        with pytest.raises(Forbidden):
            approve(env, person, claim.task_id, bound)
    assert approve(env, ENGINEER, claim.task_id, bound) is State.PENDING_APPROVAL
    assert approve(env, LEAD, claim.task_id, bound) is State.APPROVED


def test_the_author_of_the_plan_never_decides_it(env: BoardEnv) -> None:
    claim, _, _ = env.create_filed_plan()
    other = action().model_copy(update={"effect": "세션 9를 끝냅니다."})
    replace_plan(env.board, claim.task_id, plan("MAINTENANCE", other), ENGINEER)
    bound = view.plan_state(env.board, claim.task_id).plan_hash or ""
    with pytest.raises(Forbidden, match="본인"):
        approve(env, ENGINEER, claim.task_id, bound)


def test_an_engineer_has_no_other_role(env: BoardEnv) -> None:
    rule(env, "[team_lead]")
    claim, _, bound = env.create_filed_plan()
    with pytest.raises(Forbidden):
        approve(env, ENGINEER, claim.task_id, bound)


@pytest.mark.slow
def test_a_preview_names_the_servers_without_an_engineer(env: BoardEnv) -> None:
    head = SHIPPED.split("\napprovals:")[0]
    text = f"{head}\napprovals:\n  READ_ONLY: []\n  MAINTENANCE: [engineer]\n"
    assert organization_chart.preview(env.board, text).servers_without_engineer == []
    batch = Host(server_id="MOF-BATCH-01", institution="MOF", kind="BATCH")
    orphan = Directory(servers=(batch,))
    organization_chart.import_directory(env.board, orphan, {})
    assert organization_chart.preview(env.board, text).servers_without_engineer == ["MOF-BATCH-01"]
    plain = text.replace("[engineer]", "[team_lead]")
    assert organization_chart.preview(env.board, plain).servers_without_engineer == []


def env_server(name: str):  # type: ignore[no-untyped-def]
    from guardia.org.directory import Host

    return Host(server_id=name, institution="MOF", kind="BATCH")


def test_the_chart_assigns_the_engineer_to_no_one() -> None:
    with pytest.raises(Misconfigured):
        chart.parse(SHIPPED + "duties:\n  - {role: engineer, people: [eng]}\n")
