from __future__ import annotations

import psycopg
import pytest
from board_env import CUSTOMER, ENGINEER, LEAD, LEAD2, OFFICER, PM, BoardEnv
from page_env import (
    ADMIN,
    AUDITOR,
    CUSTOMER_WITHOUT_INSTITUTION,
    LOCK_FINDINGS,
    OTHER_CUSTOMER,
    IssueScenario,
    enrol_page_users,
    realistic_plan,
    recorded_statements,
)

from guardia.board.approvals import decisions
from guardia.board.core.actors import Actor
from guardia.board.core.lifecycle import State
from guardia.board.execution import tasks
from guardia.board.issues import comments
from guardia.board.tracker import issue_page
from guardia.board.tracker.issue_page import IssueDetail
from guardia.board.tracker.timeline_lines import CommandGroup, CommandLine, CommentLine
from guardia.errors import Forbidden, NotFound
from guardia.org.directory import PersonInfo


def shown(page: IssueDetail) -> list[str]:
    """Return the lines of the timeline as words."""
    lines = [line for day in page.timeline.days for line in day.lines]
    return [
        f"comment {line.comment.actor}"
        if isinstance(line, CommentLine)
        else f"command {line.state}"
        if isinstance(line, CommandLine)
        else line.entry.kind
        for line in lines
        if not isinstance(line, CommandGroup)
    ]


EVERYONE = (LEAD, LEAD2, PM, OFFICER, ENGINEER, CUSTOMER, AUDITOR, ADMIN)


@pytest.fixture
def web_env(env: BoardEnv) -> BoardEnv:
    """The seeded board with a second institution."""
    enrol_page_users(env)
    return env


def test_staff_see_the_whole_issue(web_env: BoardEnv) -> None:
    scenario = IssueScenario(web_env).waiting()
    comments.add_comment(web_env.board, scenario.sr_id, Actor.person("eng"), "확인했습니다")
    page = issue_page.get_issue(web_env.board, ENGINEER, scenario.sr_id)
    (task,) = page.tasks
    assert (page.status, task.plan, task.plan_hash) == (
        State.PENDING_APPROVAL,
        scenario.plan,
        scenario.plan_hash,
    )
    assert task.is_hash_valid
    assert [(s.number, s.role, s.state, s.current) for s in task.steps] == [
        (1, "team_lead", "WAITING", True)
    ]
    (reading,) = task.outputs.newest
    assert (reading.tool, reading.findings, reading.before_plan) == (
        "database.locks",
        LOCK_FINDINGS,
        True,
    )
    assert page.reasons == ("'느려요' → 성능 저하",)
    assert page.names == {
        "agent:db-agent": "DB 전문가",
        "agent:dispatcher": "디스패처",
        "person:eng": "김철수 대리",
    }
    # A command is one line with its result; comments are not repeated by their audit entries.
    assert shown(page) == [
        "received",
        "parsed",
        "command ok",
        "comment agent:db-agent",
        "planned",
        "comment person:eng",
    ]


def test_customers_read_the_request_its_progress_and_what_people_wrote(web_env: BoardEnv) -> None:
    scenario = IssueScenario(web_env).waiting()
    comments.add_comment(web_env.board, scenario.sr_id, Actor.person("eng"), "확인했습니다")
    page = issue_page.get_issue(web_env.board, CUSTOMER, scenario.sr_id)
    assert shown(page) == ["received", "parsed", "planned", "comment person:eng"]
    # No field may contain anything more, at any depth.
    contents = repr(page)
    for secret in ("4711", "pg_locks", "db-lock-chain", scenario.plan_hash, "성능 저하", "잠금"):
        assert secret not in contents


@pytest.mark.parametrize("viewer", [OTHER_CUSTOMER, CUSTOMER_WITHOUT_INSTITUTION])
def test_for_another_institution_the_issue_does_not_exist(
    web_env: BoardEnv, viewer: PersonInfo
) -> None:
    scenario = IssueScenario(web_env).waiting()
    with pytest.raises(NotFound):
        issue_page.get_issue(web_env.board, viewer, scenario.sr_id)
    with pytest.raises(NotFound):
        issue_page.get_issue(web_env.board, viewer, scenario.sr_id + 1000)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("decided", "requester"),
    [((), None), ((), "lead"), ((LEAD,), None), ((LEAD,), "pm"), ((LEAD, PM), None)],
)
def test_a_step_is_offered_to_exactly_the_people_who_may_decide_it(
    web_env: BoardEnv, decided: tuple[PersonInfo, ...], requester: str | None
) -> None:
    for person in EVERYONE:
        scenario = IssueScenario(web_env, plan=realistic_plan("DEPLOY_SECURE"))
        scenario.waiting(**({"requester_id": requester} if requester else {}))
        task, bound = scenario.claim.task_id, scenario.plan_hash
        for earlier in decided:
            decisions.decide(web_env.board, earlier, task, approve=True, plan_hash=bound)
        steps = issue_page.get_issue(web_env.board, person, scenario.sr_id).tasks[0].steps
        offered = any(s.mine for s in steps)
        try:
            decisions.decide(web_env.board, person, task, approve=True, plan_hash=bound)
        except Forbidden:
            allowed = False
        else:
            allowed = True
        assert offered is allowed, person


@pytest.mark.slow
def test_evidence_before_and_after_the_plan_is_distinguished(web_env: BoardEnv) -> None:
    scenario = IssueScenario(web_env).waiting()
    decisions.decide(
        web_env.board, LEAD, scenario.claim.task_id, approve=True, plan_hash=scenario.plan_hash
    )
    scenario.start().diagnose({"waiting": 0})
    task = issue_page.get_issue(web_env.board, LEAD, scenario.sr_id).tasks[0]
    assert [(r.before_plan, r.findings["waiting"]) for r in task.outputs.newest] == [
        (True, 2),
        (False, 0),
    ]
    assert task.attempts == {(0, "do"): "DONE", (1, "do"): "DONE"}


def test_a_plan_that_was_changed_in_the_table_is_shown_as_such(
    web_env: BoardEnv, database: object
) -> None:
    scenario = IssueScenario(web_env).waiting()
    with psycopg.connect(database.superuser, autocommit=True) as connection:  # type: ignore[attr-defined]
        connection.execute(
            "update tb_ops_task set plan = jsonb_set(plan, '{because}', '\"아무 일 없음\"')"
        )
    (task,) = issue_page.get_issue(web_env.board, LEAD, scenario.sr_id).tasks
    assert not task.is_hash_valid
    assert task.plan is not None


def test_the_outcome_is_shown_to_readers_of_the_audit_log(web_env: BoardEnv) -> None:
    scenario = IssueScenario(web_env).receive().parse()
    tasks.hand_over(web_env.board, scenario.claim, "사람이 확인해 주세요: 포트 5432")
    assert "5432" in issue_page.get_issue(web_env.board, ENGINEER, scenario.sr_id).outcome
    assert issue_page.get_issue(web_env.board, CUSTOMER, scenario.sr_id).outcome == ""


def test_the_number_of_queries_does_not_grow_with_the_issue(web_env: BoardEnv) -> None:
    scenario = IssueScenario(web_env).receive().parse().diagnose()
    with recorded_statements(web_env.board) as few:
        issue_page.get_issue(web_env.board, LEAD, scenario.sr_id)
    for _ in range(5):
        scenario.diagnose()
        comments.add_comment(web_env.board, scenario.sr_id, Actor.person("eng"), "또 봤습니다")
    with recorded_statements(web_env.board) as many:
        issue_page.get_issue(web_env.board, LEAD, scenario.sr_id)
    assert len(many) == len(few) <= 19
