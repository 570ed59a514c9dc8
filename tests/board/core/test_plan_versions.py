"""Plans are numbered; requests stay with them, with the agent's answer."""

from __future__ import annotations

import pytest
from board_env import LEAD, PM, TERMINATE, BoardEnv, action, plan, replace_plan
from sqlalchemy import select

from guardia.board.approvals import decisions
from guardia.board.core.plan import Plan
from guardia.board.core.plan_changes import PlanChange, plan_changes
from guardia.board.core.plan_model import PlanVersion
from guardia.board.execution import plan_history, tasks, view
from guardia.board.execution.plan_history import PlanVersionView
from guardia.board.tracker import issue_page


def other(pid: int) -> Plan:
    args = {**TERMINATE.args, "pid": pid}
    call = TERMINATE.model_copy(update={"args": args})
    return plan("MAINTENANCE", action().model_copy(update={"call": call}))


def versions(env: BoardEnv, task_id: int) -> tuple[PlanVersionView, ...]:
    with env.board.database.reading() as session:
        return plan_history.plan_history(session, env.board.planner, [task_id])[task_id]


@pytest.mark.slow
def test_a_request_and_its_answer_stay_with_the_numbered_plan(env: BoardEnv) -> None:
    claim, _, bound = env.create_filed_plan()
    decisions.ask_changes(
        env.board, LEAD, claim.task_id, plan_hash=bound, reason="세션 8을 끝내 주세요"
    )
    again = env.claim("db-agent")
    tasks.file_plan(env.board, again, other(8), answer="요청에 따라 변경했습니다: PID 7 → 8")
    first, second = versions(env, claim.task_id)
    assert (first.number, second.number) == (1, 2)
    assert (first.returned_as, first.request) == ("change", "세션 8을 끝내 주세요")
    assert first.requested_by == "person:lead" and first.answer.startswith("요청에 따라")
    assert [(c.argument, c.before, c.after) for c in second.changes] == [("pid", "7", "8")]
    [seen] = issue_page.get_issue(env.board, LEAD, claim.sr_id).tasks
    assert [v.number for v in seen.versions] == [1, 2]


def test_an_answer_that_goes_to_people_stays_at_the_decision(env: BoardEnv) -> None:
    claim, _, bound = env.create_filed_plan()
    decisions.ask_changes(env.board, LEAD, claim.task_id, plan_hash=bound, reason="다르게")
    tasks.hand_over(env.board, env.claim("db-agent"), "변경할 수 있는 것이 없습니다.")
    [only] = versions(env, claim.task_id)
    assert only.answer == "변경할 수 있는 것이 없습니다."


def test_an_edited_plan_keeps_the_agents_diagnosis_and_says_who_changed_what(
    env: BoardEnv,
) -> None:
    claim, given, _ = env.create_filed_plan()
    replace_plan(env.board, claim.task_id, other(9), PM)
    _, edited = versions(env, claim.task_id)
    assert edited.is_edited and edited.author == "person:pm" and edited.reason == "고침"
    assert [(c.argument, c.before, c.after) for c in edited.changes] == [("pid", "7", "9")]
    filed = view.plan_state(env.board, claim.task_id).plan
    assert filed is not None and filed.because == given.because


def test_generated_arguments_and_moved_actions_are_told_apart() -> None:
    first, second = action(), action().model_copy(update={"effect": "다른 조치"})
    archive = first.model_copy(
        update={
            "call": first.call.model_copy(
                update={"tool": "disk.archive", "args": {"name": "a.log", "id": "111111"}}
            )
        }
    )
    newer = archive.model_copy(
        update={"call": archive.call.model_copy(update={"args": {"name": "b.log", "id": "222222"}})}
    )
    found = plan_changes(
        plan("MAINTENANCE", archive, first),
        plan("MAINTENANCE", newer),
        lambda tool: frozenset({"id"}) if tool == "disk.archive" else frozenset(),
    )
    assert found == (
        PlanChange("changed", "disk.archive", newer.effect, "name", "a.log", "b.log"),
        PlanChange("removed", first.call.tool, first.effect),
    )
    assert plan_changes(plan("X", first), plan("X", second), lambda _: frozenset()) == ()


def test_only_an_agent_that_is_asked_answers(env: BoardEnv) -> None:
    claim, _, _ = env.create_filed_plan()
    with env.board.database.reading() as session:
        row = session.scalars(select(PlanVersion)).one()
        assert (row.answer, row.answered_at, row.attempt) == ("", None, 0)
    assert claim
